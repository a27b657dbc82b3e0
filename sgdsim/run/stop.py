"""Stopping a run: by a signal, by the clock, in good order and in time."""

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from enum import IntEnum
from types import FrameType, TracebackType
from typing import Any


class Exit(IntEnum):
    """Exit codes of a run.

    - `FAILED`: a cell failed for good, or a block could not be written: a person must look at it.
    - `BAD_INPUT`: nothing was run.
    - `RESUMABLE`: the same command takes the run up again (EX_TEMPFAIL of sysexits.h).
    - `INTERRUPTED`: Ctrl-C; the same command takes it up again.
    """

    FINISHED = 0
    FAILED = 1
    BAD_INPUT = 2
    RESUMABLE = 75
    INTERRUPTED = 130


GRACE_SECONDS = {signal.SIGINT: float("inf"), signal.SIGTERM: 10.0}
"""How long the blocks in hand may take to finish after each signal.

A batch system that sends SIGTERM kills half a minute later; SIGUSR1 is the warning that it can be asked for earlier,
where the system has it: Windows has not.
"""
if hasattr(signal, "SIGUSR1"):
    GRACE_SECONDS[signal.SIGUSR1] = 30.0
MARGIN_SECONDS = 5.0
"""What stands still in compiled code for so much longer than it was given is left from without waiting."""


class Dropped(Exception):
    """The block in hand is given up: there is no time to finish it."""


class Stop:
    """Within it, signals and a time limit end a run in good order.

    The first Ctrl-C, SIGTERM or SIGUSR1 sets `requested`: no further block is begun, and `check`, called now and then,
    raises `Dropped` once the grace of the signal is over. SIGTERM after SIGUSR1 shortens the grace to its own. The same
    signal again, or Ctrl-C, raises KeyboardInterrupt, at once or (as Python drops it in a callback of a compiled call)
    in the next `check`. Where neither comes about, because the main thread stands in compiled code, a thread of its own
    calls `leave` a little later.

    - `announce`: called at the first signal.
    - `leave`: called with the exit code when there is no more time; ends the process.
    - `limit`: when the time of the run is over, by the clock time.monotonic; None for no limit.

    Outside the main thread, where Python takes no signals, only the time limit counts.
    """

    def __init__(
        self,
        announce: Callable[[], None] = lambda: None,
        leave: Callable[[int], None] = os._exit,
        limit: float | None = None,
    ) -> None:
        self.limit = float("inf") if limit is None else limit
        self.signal: int | None = None
        self._give_up = self.limit
        self._insisted = False
        self._announce = announce
        self._leave = leave
        self._before: dict[signal.Signals, Any] = {}
        self._wakeup: tuple[socket.socket, socket.socket] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._guard, daemon=True, name="sgdsim-stop")

    def __enter__(self) -> "Stop":
        if threading.current_thread() is threading.main_thread():
            # Sockets, not a pipe: Windows waits for nothing else.
            self._wakeup = socket.socketpair()
            for end in self._wakeup:
                end.setblocking(False)
            self._before = {number: signal.signal(number, self._handle) for number in GRACE_SECONDS}
            # Unlike the handlers, which wait for the main thread, the number is written the moment a signal comes.
            self._wakeup_before = signal.set_wakeup_fd(self._wakeup[1].fileno(), warn_on_full_buffer=False)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._wakeup is not None:
            signal.set_wakeup_fd(self._wakeup_before)
            self._wakeup[1].send(b"\0")
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._thread.join()
        for end in self._wakeup or ():
            end.close()

    @property
    def requested(self) -> bool:
        """Whether no further block is to be begun."""
        return self.signal is not None or time.monotonic() >= self.limit

    @property
    def code(self) -> Exit:
        """The exit code of a run that was stopped."""
        return Exit.INTERRUPTED if self.signal == signal.SIGINT else Exit.RESUMABLE

    def allows(self, seconds: float | None) -> bool:
        """Whether there is time to begin what is expected to take so long (None: nobody knows)."""
        return not self.requested and time.monotonic() + (seconds or 0.0) < self.limit

    def check(self) -> None:
        """**Raises:** KeyboardInterrupt after a second signal; Dropped when there is no more time for the block."""
        if self._insisted:
            raise KeyboardInterrupt
        if time.monotonic() >= self._give_up:
            raise Dropped

    def wait(self, seconds: float) -> None:
        """Sleeps, but no longer than until a signal."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.requested:
            time.sleep(min(left, 0.1))

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and number in (self.signal, signal.SIGINT):
            self._insisted = True
            raise KeyboardInterrupt
        self._give_up = min(self._give_up, time.monotonic() + GRACE_SECONDS[signal.Signals(number)])
        if self.signal is None:
            self.signal = number
            self._announce()

    def _guard(self) -> None:
        """Waits for signals and for the limit, and leaves where the main thread has missed its time."""
        last, code = self.limit, Exit.RESUMABLE
        while not self._over.is_set():
            left = min(last + MARGIN_SECONDS - time.monotonic(), 1.0)
            if left <= 0:
                self._leave(code)
                return
            for number in self._signals(left):
                last = min(last, time.monotonic() + GRACE_SECONDS[signal.Signals(number)])

    def _signals(self, seconds: float) -> list[int]:
        """The signals that come in within some seconds."""
        if self._wakeup is None:
            self._over.wait(seconds)
            return []
        ready, _, _ = select.select([self._wakeup[0]], [], [], seconds)
        return [number for number in (self._wakeup[0].recv(64) if ready else b"") if number in GRACE_SECONDS]
