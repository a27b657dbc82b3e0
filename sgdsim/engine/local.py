"""Running blocks in this process, on all devices of this machine."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sgdsim.engine.maker import Elsewhere, Failed, Maker
from sgdsim.engine.progress import Meter
from sgdsim.engine.stop import Dropped, Stop
from sgdsim.engine.sweep import Sweep
from sgdsim.store.blocks import Block, describe
from sgdsim.store.presence import Presence

WAIT_SECONDS = 1.0
"""Time between two looks at blocks that other processes have in hand."""
SAFETY = 1.2
"""A block is begun only if so many times its expected duration is left."""


@dataclass
class Outcome:
    """How a run ended.

    - `stopped`: whether a signal or the time limit ended it before its blocks were done.
    - `made`: blocks that it made; `dropped`: whether it gave one up.
    - `failed`: errors of the cells that failed for good.
    """

    stopped: bool = False
    made: int = 0
    dropped: bool = False
    failed: dict[int, str] = field(default_factory=dict)


class LocalRun:
    """Makes those of some blocks that are not on disk, in order.

    A block that another process has in hand is waited for: should that process die, it is made here. Of a cell that
    fails the other blocks are left out, and the other cells are finished.
    """

    def __init__(self, sweep: Sweep, meter: Meter, stop: Stop, presence: Presence) -> None:
        self._sweep = sweep
        self._meter = meter
        self._stop = stop
        self._presence = presence
        self._maker = Maker(sweep, presence, meter.message, meter.resume, self._pause)
        self._outcome = Outcome()
        self._waiting_for: set[str] = set()

    def run(self, blocks: Sequence[Block]) -> Outcome:
        """Makes the blocks.

        **Raises:** Unwritable where a block cannot be stored; KeyboardInterrupt after a second signal.
        """
        missing = begin(self._sweep, blocks, self._meter)
        while missing and not self._outcome.stopped:
            left = self._once(missing)
            if len(left) == len(missing):
                self._stop.wait(WAIT_SECONDS)
                self._outcome.stopped = self._stop.requested
            missing = left
        return self._outcome

    def _once(self, blocks: Sequence[Block]) -> list[Block]:
        """Goes through the blocks once; returns those that others have in hand, or that there was no time for."""
        left = []
        for position, block in enumerate(blocks):
            if block.cell in self._outcome.failed:
                continue
            if not self._stop.allows(self._expected(block)):
                self._outcome.stopped = True
                return [*left, *blocks[position:]]
            if not self._make(block):
                left.append(block)
        return left

    def _make(self, block: Block) -> bool:
        """Whether the block is settled: on disk, or part of a cell that failed."""
        cells = self._sweep.layout
        self._meter.cell(f"cell {block.cell + 1}/{len(cells)} {describe(cells[block.cell].axes)}".rstrip())
        self._meter.weigh(self._sweep.cost(block) / self._sweep.work(block))
        counted = 0

        def advance(work: int) -> None:
            nonlocal counted
            self._stop.check()
            counted += work
            self._meter.advance(work)

        try:
            made = self._maker.make(block, advance)
        except Dropped:
            self._outcome.stopped = self._outcome.dropped = True
            return False
        match made:
            case Elsewhere(holder):
                self._wait_for(holder)
                return False
            case Failed(error):
                self._outcome.failed[block.cell] = error
                self._meter.message(error)
            case _:
                self._outcome.made += made.seconds > 0
        if uncounted := self._sweep.work(block) - counted:
            self._meter.skip(uncounted)
        return True

    def _pause(self, seconds: float) -> None:
        """Waits so long. **Raises:** Dropped where the run is to end."""
        self._stop.wait(seconds)
        if self._stop.requested:
            raise Dropped

    def _expected(self, block: Block) -> float | None:
        """Seconds that the block will take, as far as those before it tell."""
        rate = self._presence.rate()
        return SAFETY * self._sweep.work(block) / rate if rate else None

    def _wait_for(self, holder: str) -> None:
        if holder not in self._waiting_for:
            self._waiting_for.add(holder)
            self._meter.message(f"Sharing the blocks with {holder}, which is at work in the same folder.")


def begin(sweep: Sweep, blocks: Sequence[Block], meter: Meter) -> list[Block]:
    """Announces the work in some blocks to a meter; returns those that are missing. Cells that failed get a new try."""
    there = sweep.directory.on_disk()
    missing = [block for block in blocks if block.name not in there]
    for cell in {block.cell for block in missing}:
        sweep.directory.failures.forget(cell)
    meter.unit = sweep.unit
    total = sum(sweep.work(block) for block in blocks)
    meter.start(total, total - sum(sweep.work(block) for block in missing))
    cost = sum(sweep.cost(block) for block in blocks)
    meter.expect(cost, cost - sum(sweep.cost(block) for block in missing))
    return missing
