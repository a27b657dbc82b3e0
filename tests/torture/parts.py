"""What a part of the torture is: cases by number, each of which falls somewhere or is a loss, and a line of figures."""

import random
import time
import traceback
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar

from tests.torture.lab import Bench, Lab, Loss


class Skipped(Exception):
    """A part that this machine does not allow, and why."""


@dataclass
class Tally:
    """What came of the cases of a part.

    - `fell`: how many cases fell where, e.g. how many kills before the first block.
    - `lost`: of every case that was lost its number and why.
    - `most`: the most of a quantity over all cases, e.g. seconds of a command.
    """

    name: str
    fell: Counter[str] = field(default_factory=Counter)
    lost: dict[int, str] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def line(self) -> str:
        """All figures in one line."""
        where = ", ".join(f"{what} {count}" for what, count in sorted(self.fell.items()))
        most = "".join(f"; at most {value:.3g} {unit}" for unit, value in self.most.items())
        count = self.fell.total() + len(self.lost)
        return f"{self.name}: {count} ({where}), {len(self.lost)} lost{most}; {self.seconds:.0f} s"

    def repeat(self, seed: int) -> str:
        """What a lost case has to say, and how to see it again."""
        command = f"python -m tests.torture {self.name} --seed {seed} --count 1"
        return f"{self.name}: LOST, again with: {command}\n{self.lost[seed].rstrip()}"


class Part(ABC):
    """One kind of torture.

    - `count`, `small`: cases by default, and where there is a minute for all parts.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    count: ClassVar[int]
    small: ClassVar[int]

    @abstractmethod
    def outcomes(self, lab: Lab, seeds: range) -> Iterator[tuple[int, str | Loss, dict[str, float]]]:
        """The cases in any order: its number, where it fell or why it is lost, and quantities of which the most counts.

        **Raises:** Skipped where this machine does not allow it.
        """

    def run(self, lab: Lab, seeds: range, tell: Callable[[str], None], keep_going: bool) -> Tally:
        """Goes through the cases; ends with the first that is lost, unless told to keep going."""
        tally, began = Tally(self.name), time.monotonic()
        for seed, found, sizes in self.outcomes(lab, seeds):
            tally.most |= {unit: max(size, tally.most.get(unit, 0.0)) for unit, size in sizes.items()}
            if isinstance(found, str):
                tally.fell[found] += 1
                continue
            tally.lost[seed] = str(found)
            tell(tally.repeat(seed))
            if not keep_going:
                break
        tally.seconds = time.monotonic() - began
        tell(tally.line())
        return tally


class BenchPart(Part):
    """A part whose cases are processes, each on a bench of the lab."""

    @abstractmethod
    def prepare(self, lab: Lab) -> None:
        """Makes the folders that all cases need. **Raises:** Skipped where this machine does not allow it."""

    @abstractmethod
    def case(self, lab: Lab, bench: Bench, seed: int) -> str:
        """One case, and where it fell. **Raises:** Loss."""

    def outcomes(self, lab: Lab, seeds: range) -> Iterator[tuple[int, str | Loss, dict[str, float]]]:
        """See `Part`."""
        self.prepare(lab)
        lab.open()
        waiting = iter(seeds)
        with ThreadPoolExecutor(lab.size) as pool:
            # Few at a time: after a loss no other case is begun.
            running = {pool.submit(self._one, lab, seed) for seed in islice(waiting, lab.size)}
            while running:
                done = next(as_completed(running))
                running.remove(done)
                yield done.result()
                running |= {pool.submit(self._one, lab, seed) for seed in islice(waiting, 1)}

    def _one(self, lab: Lab, seed: int) -> tuple[int, str | Loss, dict[str, float]]:
        began = time.monotonic()
        try:
            with lab.bench() as bench:
                return seed, self.case(lab, bench, seed), {"s a case": time.monotonic() - began}
        except Loss as loss:
            return seed, loss, {}
        except Exception:  # a mistake of the torture itself is told with its case too
            return seed, Loss(traceback.format_exc()), {}


def chance(part: str, seed: int) -> random.Random:
    """The choices of one case: the same whenever it is repeated."""
    return random.Random(f"{part} {seed}")
