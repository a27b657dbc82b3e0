"""How far a run is: a live bar on a terminal, a line now and then in a log, or nothing."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn
from rich.text import Text

from sgdsim.amounts import duration
from sgdsim.printable import printable
from sgdsim.run.speed import Speed

LINE_SECONDS = 5.0
"""Time between two lines of a log at least."""


class Meter:
    """Says nothing. The meters that do share its methods.

    The work is counted in `unit`: steps of SGD, summed over replicas, or cells where there is theory alone. What share
    of a run is done, and how much time is left, go by its cost, the seconds that a plan expects of it; see `Speed`.
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

    def expect(self, total: float, done: float) -> None:
        """Announces the cost of that work."""

    def weigh(self, cost: float) -> None:
        """Says what a unit of the work costs that is told of from now on."""

    def cell(self, label: str) -> None:
        """Names the cell that is worked on from now."""

    def resume(self) -> None:
        """Begins to simulate, after theory and compilation: the clock of the rate starts here."""

    def advance(self, steps: int) -> None:
        """Counts steps just done."""

    def skip(self, steps: int) -> None:
        """Counts steps that are settled without having been done here: made by others, or of a cell that failed."""
        self.advance(steps)

    def message(self, text: str) -> None:
        """Says something beside the progress."""


class _Judge(Meter):
    """A meter that knows the speed."""

    def __init__(self) -> None:
        self._speed = Speed()
        self._total = self._done = 0.0
        self._cost = 1.0

    def start(self, total: int, done: int) -> None:
        """Takes the work for its cost, until that is known."""
        self.expect(float(total), float(done))

    def expect(self, total: float, done: float) -> None:
        """Remembers what all cells cost, and what those that are done have cost."""
        self._total, self._done = total, done
        self._speed.expect(total - done)

    def weigh(self, cost: float) -> None:
        """Remembers the cost of a unit."""
        self._cost = cost
        self._speed.weigh(cost)

    def resume(self) -> None:
        """Starts the clock of the rate: simulation begins now."""
        self._speed.resume()

    def advance(self, steps: int) -> None:
        """Counts for share, rate and time left."""
        self._done += steps * self._cost
        self._speed.advance(steps)

    def skip(self, steps: int) -> None:
        """Counts for the share alone."""
        self._done += steps * self._cost
        self._speed.skip(steps)


class Bar(_Judge):
    """A live bar with rate and time left, for a terminal."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        label = TextColumn("{task.description}", markup=False)
        columns = (label, BarColumn(), TaskProgressColumn(), _Rate(self), _Left(self))
        self._progress = Progress(*columns, console=console)
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    @property
    def speed(self) -> Speed:
        """The speed, for the columns."""
        return self._speed

    def expect(self, total: float, done: float) -> None:
        """Sets the length of the bar."""
        super().expect(total, done)
        self._move()

    def cell(self, label: str) -> None:
        """Writes the cell before the bar."""
        self._progress.update(self._task, description=printable(label))

    def advance(self, steps: int) -> None:
        """Counts work that was done, and moves the bar."""
        super().advance(steps)
        self._move()

    def skip(self, steps: int) -> None:
        """Counts work that need not be done, and moves the bar."""
        super().skip(steps)
        self._move()

    def message(self, text: str) -> None:
        """Prints above the bar."""
        self._progress.console.print(Text(printable(text)), soft_wrap=True)

    def _move(self) -> None:
        self._progress.update(self._task, total=self._total, completed=self._done)


class _Rate(ProgressColumn):
    """A column of the bar: work per second."""

    def __init__(self, bar: Bar) -> None:
        super().__init__()
        self._bar = bar

    def render(self, task: Task) -> Text:
        rate = self._bar.speed.rate
        return Text("" if rate is None else f"{rate:.2e} {self._bar.unit}/s")


class _Left(_Rate):
    """A column of the bar: time left."""

    def render(self, task: Task) -> Text:
        left = self._bar.speed.seconds_left
        return Text("" if left is None else f"{duration(left)} left")


class Lines(_Judge):
    """A plain line every few seconds at most, for a log file or a pipe."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._label = ""
        self._spoke = time.monotonic()

    def cell(self, label: str) -> None:
        """Remembers the cell for the next line."""
        self._label = label

    def advance(self, steps: int) -> None:
        """Speaks if it has been silent for long enough, and knows the speed."""
        super().advance(steps)
        rate, left = self._speed.rate, self._speed.seconds_left
        if time.monotonic() - self._spoke < LINE_SECONDS or rate is None or left is None:
            return
        self._spoke = time.monotonic()
        share = self._done / self._total
        self.message(f"{self._label}: {share:.0%} of the sweep, {rate:.2e} {self.unit}/s, {duration(left)} left")

    def message(self, text: str) -> None:
        """Prints a line of the log."""
        self._console.print(Text(printable(text)), soft_wrap=True)


def meter_for(console: Console, quiet: bool) -> Meter:
    """The meter that suits where the console writes to."""
    if quiet:
        return Meter()
    return Bar(console) if console.is_terminal else Lines(console)
