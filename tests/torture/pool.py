"""Cases within processes that live on from one to the next: thousands of them, each under limits of time and memory."""

import io
import json
import os
import resource
import select
import signal
import time
import traceback
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sgdsim import cli
from tests.processes import starved
from tests.torture.lab import Lab, Loss
from tests.torture.parts import Part

SECONDS = 20.0
"""Of processor time in Python, before a case counts as hung."""
WALL = 180.0
"""Of the clock, for what waits instead of working, or works outside of Python; time that others had is not counted."""
GROWTH = 500.0
"""MB that a case may take on top of what its process has."""
ROOM = 3 << 30
"""Bytes of addresses on top of those that the process has: no case takes the machine's memory from others."""


class Slow(BaseException):
    """Processor time is over; no `except Exception` stops it."""


@dataclass
class Worker:
    """One process with its two pipes, and the case that it has in hand."""

    pid: int
    asked: int
    answers: int
    seed: int = -1
    since: float = 0.0
    spent: bool = False
    """Whether it hung, died or took too much memory: what that has left in it is not the next case's."""

    def give(self, seed: int) -> None:
        """Gives it a case."""
        self.seed, self.since = seed, self._clock()
        os.write(self.asked, f"{seed}\n".encode())

    def waits(self) -> float:
        """Seconds of the clock since the case was given, but for those in which a busy machine did not let it work."""
        return self._clock() - self.since

    def _clock(self) -> float:
        return time.monotonic() - starved(self.pid)

    def take(self) -> tuple[int, str | Loss, dict[str, float]]:
        """What came of it."""
        line = b""
        while not line.endswith(b"\n"):
            part = os.read(self.answers, 1 << 16)
            if not part:
                self.spent = True
                return self.seed, Loss(f"the process died: {os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])}"), {}
            line += part
        answer = json.loads(line)
        found = Loss(answer["lost"]) if "lost" in answer else answer["fell"]
        self.spent = answer["spent"]
        return self.seed, found, answer["most"]

    def end(self) -> None:
        """Ends it."""
        os.close(self.asked)
        os.close(self.answers)
        os.kill(self.pid, signal.SIGKILL)


class PoolPart(Part):
    """A part whose cases are calls of functions, in forks of a process in which JAX has not begun to work."""

    @abstractmethod
    def prepare(self, lab: Lab) -> None:
        """Makes what all cases need."""

    def warm(self, place: Path) -> None:
        """Does in a new process what its first case would be blamed for; may write into `place`."""

    @abstractmethod
    def case(self, seed: int, place: Path) -> str:
        """One case, and where it fell. **Raises:** Loss."""

    def outcomes(self, lab: Lab, seeds: range) -> Iterator[tuple[int, str | Loss, dict[str, float]]]:
        """See `Part`."""
        self.prepare(lab)
        waiting = iter(seeds)
        workers: list[Worker] = []
        try:
            for seed in islice(waiting, lab.size):
                workers.append(self._begin(lab, workers))
                workers[-1].give(seed)
            while workers:
                worker, found = self._next(workers)
                yield found
                if worker.spent:
                    workers.remove(worker)
                    self._bury(worker)
                    if (seed := next(waiting, None)) is not None:
                        workers.append(self._begin(lab, workers))
                        workers[-1].give(seed)
                elif (seed := next(waiting, None)) is not None:
                    worker.give(seed)
                else:
                    workers.remove(worker)
                    self._bury(worker)
        finally:
            for worker in workers:
                self._bury(worker)

    def _next(self, workers: list[Worker]) -> tuple[Worker, tuple[int, str | Loss, dict[str, float]]]:
        while True:
            ready, _, _ = select.select([worker.answers for worker in workers], [], [], 1.0)
            for worker in workers:
                if worker.answers in ready:
                    return worker, worker.take()
                if worker.waits() > WALL:
                    worker.spent = True
                    return worker, (worker.seed, Loss(f"hung: {WALL:g} s"), {})

    def _bury(self, worker: Worker) -> None:
        try:
            worker.end()
            os.waitpid(worker.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def _begin(self, lab: Lab, others: list[Worker]) -> Worker:
        asked, answers = os.pipe(), os.pipe()
        pid = os.fork()
        if pid:
            os.close(asked[0])
            os.close(answers[1])
            return Worker(pid, asked[1], answers[0])
        try:
            for other in others:
                os.close(other.asked)
            os.close(asked[1])
            place = lab.root / f"pool-{os.getpid()}"
            place.mkdir()
            self._serve(asked[0], answers[1], place)
        finally:
            os._exit(0)

    def _serve(self, asked: int, answers: int, place: Path) -> None:
        """The life of a worker."""
        self.warm(place)
        signal.signal(signal.SIGVTALRM, _slow)
        resource.setrlimit(resource.RLIMIT_AS, (_kilobytes("VmSize") * 1024 + ROOM, resource.RLIM_INFINITY))
        with os.fdopen(asked) as seeds:
            for line in seeds:
                os.write(answers, json.dumps(self._measured(int(line), place)).encode() + b"\n")

    def _measured(self, seed: int, place: Path) -> dict:
        Path("/proc/self/clear_refs").write_text("5")  # the most memory is counted from here
        before, began = _kilobytes("VmRSS"), time.process_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        try:
            fell, lost = self.case(seed, place), None
        except Slow:
            fell, lost = None, f"hung: {SECONDS:g} s of processor time\n{traceback.format_exc(limit=-12)}"
        except Loss as loss:
            fell, lost = "", str(loss)
        except BaseException:
            fell, lost = "", traceback.format_exc()
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        megabytes = (_kilobytes("VmHWM") - before) / 1024
        spent = fell is None or megabytes > GROWTH
        if lost is None and megabytes > GROWTH:
            lost = f"took {megabytes:.0f} MB of memory: {self.told(seed, place)}"
        most = {"s": time.process_time() - began, "MB": megabytes}
        return {"most": most, "spent": spent} | ({"fell": fell} if lost is None else {"lost": lost[:4000]})

    def told(self, seed: int, place: Path) -> str:
        """A case in words, for what is only noticed after it."""
        return f"seed {seed}"


def _slow(number, frame):
    raise Slow


def _kilobytes(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{name}:")[2].split()[0])


def command(*arguments: str) -> tuple[int, str]:
    """The exit code of a command within this process, and all that it said."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        try:
            cli.main(list(arguments))
        except SystemExit as end:
            return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def refused_or_taken(arguments: list[str], what: str) -> str:
    """Whether a command took what it was given, or refused it in plain lines. **Raises:** Loss otherwise."""
    try:
        code, said = command(*arguments)
    except Slow as slow:
        raise Slow(f"{what}") from slow
    except BaseException as error:
        trace = traceback.format_exc(limit=-6)
        raise Loss(f"{type(error).__name__} of {what}\n{trace}") from None
    if code not in (0, 2):
        raise Loss(f"exit code {code} of {what}\n{said[:2000]}")
    if code == 2 and not said.strip():
        raise Loss(f"refused without a word: {what}")
    if len(said) > 100_000:
        raise Loss(f"an answer of {len(said)} letters to {what}\n{said[:500]}")
    if strange := {
        letter for letter in said if (ord(letter) < 32 and letter not in "\n\t") or 127 <= ord(letter) < 160
    }:
        raise Loss(f"control characters {sorted(strange)} in the answer to {what}\n{said[:500]!r}")
    return "taken" if code == 0 else "refused"
