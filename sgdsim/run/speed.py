"""How fast a run is, and how long it will take: judged by the time of simulation alone.

Work is counted twice: in its unit (steps of SGD, or cells), of which a rate per second is shown, and by its cost, the
seconds that a plan expects it to take, so that dear steps of the cells to come are not taken for the cheap ones of the
first. Only ratios of costs matter: what they are wrong by on this machine is measured.
"""

import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 60.0
"""The speed is that over so much simulation, so that it follows a machine that becomes slower or faster."""
LEAST_SECONDS = 1.0
"""Of less simulation nothing is concluded."""


class Speed:
    """The clock of a run's work. It stands from the last work of a block to `resume`: theory, compilation, waiting.

    The first call of all counts as work done but not for the speed, for it may compile.
    """

    def __init__(self, clock: Callable[[], float] = lambda: time.monotonic()) -> None:
        self._clock = clock
        self._mark = clock()
        self._left = 0.0
        self._per_unit = 1.0
        self._begun = False
        self._recent: deque[tuple[float, ...]] = deque()
        """Of the last pieces of work: seconds, work, cost."""
        self._sums: tuple[float, ...] = (0.0, 0.0, 0.0)

    def expect(self, cost: float) -> None:
        """Announces the cost of all that is missing."""
        self._left = cost

    def weigh(self, per_unit: float) -> None:
        """Says what a unit of the work that comes now costs."""
        self._per_unit = per_unit

    def resume(self) -> None:
        """Starts the clock, where it has stood."""
        self._mark = self._clock()

    def advance(self, work: int) -> None:
        """Counts work just done; less than none where it was lost."""
        now, cost = self._clock(), work * self._per_unit
        seconds, self._mark = now - self._mark, now
        self._left -= cost
        if self._begun:
            self._count(seconds, float(work), cost)
        self._begun = True

    def skip(self, work: int) -> None:
        """Counts work that is settled without having been done here."""
        self._left -= work * self._per_unit

    def _count(self, *piece: float) -> None:
        self._recent.append(piece)
        self._sums = tuple(a + b for a, b in zip(self._sums, piece, strict=True))
        while self._sums[0] - self._recent[0][0] >= WINDOW_SECONDS:
            self._sums = tuple(a - b for a, b in zip(self._sums, self._recent.popleft(), strict=True))

    @property
    def rate(self) -> float | None:
        """Work per second; None while too little is known."""
        seconds, work, _ = self._sums
        return work / seconds if seconds >= LEAST_SECONDS and work > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds of simulation until all that is missing is done; None while too little is known."""
        seconds, _, cost = self._sums
        return max(0.0, self._left) * seconds / cost if seconds >= LEAST_SECONDS and cost > 0 else None
