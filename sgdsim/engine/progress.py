"""How far a sweep is: a live bar on a terminal, a line now and then in a log, or nothing."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from sgdsim.amounts import duration

LINE_SECONDS = 5.0
"""Time between two lines of a log at least."""


class Meter:
    """Says nothing. The meters that do share its methods.

    The work is counted in `unit`: steps of SGD, summed over replicas, or cells where there is theory alone.
    """

    unit: str = "steps"

    def __enter__(self) -> "Meter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def start(self, total: int, done: int) -> None:
        """Announces the work, of which `done` was found on disk."""

    def cell(self, label: str) -> None:
        """Names the cell that is worked on from now."""

    def resume(self) -> None:
        """Begins to simulate, after theory and compilation: the clock of the rate starts here."""

    def advance(self, steps: int) -> None:
        """Counts steps just done."""

    def message(self, text: str) -> None:
        """Says something beside the progress."""


class Bar(Meter):
    """A live bar with rate and time left, for a terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            _Rate(),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
        )
        self._task = self._progress.add_task("", total=None, unit=self.unit)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def start(self, total: int, done: int) -> None:
        """Sets the length of the bar."""
        self._progress.update(self._task, total=total, completed=done, unit=self.unit)

    def cell(self, label: str) -> None:
        """Writes the cell before the bar."""
        self._progress.update(self._task, description=label)

    def advance(self, steps: int) -> None:
        """Moves the bar."""
        self._progress.advance(self._task, steps)

    def message(self, text: str) -> None:
        """Prints above the bar."""
        self._progress.console.print(text, highlight=False, soft_wrap=True)


class _Rate(ProgressColumn):
    """Work per second, over the last half minute."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.2e} {task.fields['unit']}/s")


class Lines(Meter):
    """A plain line every few seconds at most, for a log file or a pipe."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._label = ""
        self._total = self._done = self._said = 0
        self._spoke = time.monotonic()

    def start(self, total: int, done: int) -> None:
        """Starts the clock of the rate."""
        self._total, self._done, self._said = total, done, done
        self._spoke = time.monotonic()

    def cell(self, label: str) -> None:
        """Remembers the cell for the next line."""
        self._label = label

    def resume(self) -> None:
        """Restarts the clock of the rate where it has stood for long, so that no line counts a compilation."""
        if self._done == self._said:
            self._spoke = time.monotonic()

    def advance(self, steps: int) -> None:
        """Speaks if it has been silent for long enough. The rate is that since the last line."""
        self._done += steps
        now = time.monotonic()
        if now - self._spoke < LINE_SECONDS:
            return
        rate = (self._done - self._said) / (now - self._spoke)
        self._said, self._spoke = self._done, now
        left = (self._total - self._done) / rate
        share = self._done / self._total
        self.message(f"{self._label}: {share:.0%} of the sweep, {rate:.2e} {self.unit}/s, {duration(left)} left")

    def message(self, text: str) -> None:
        """Prints a line."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)


def meter_for(console: Console, quiet: bool) -> Meter:
    """The meter that suits where the console writes to."""
    if quiet:
        return Meter()
    return Bar(console) if console.is_terminal else Lines(console)
