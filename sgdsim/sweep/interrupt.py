"""Stopping a sweep by a signal, without losing the block in hand."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Within it, the first Ctrl-C (or SIGTERM) only sets `requested`; the second raises KeyboardInterrupt.

    A KeyboardInterrupt that comes up in a callback of the garbage collector or of a compiled call is dropped by Python;
    `check`, called now and then, raises it again.

    - `announce`: called at the first signal.

    Outside the main thread, where Python takes no signals, it changes nothing.
    """

    def __init__(self, announce: Callable[[], None]) -> None:
        self.requested = False
        self._insisted = False
        self._announce = announce
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raises KeyboardInterrupt if there has been a second signal."""
        if self._insisted:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            self._insisted = True
            raise KeyboardInterrupt
        self.requested = True
        self._announce()
