"""Running blocks in this process, on all devices of this machine."""

from collections.abc import Sequence

from sgdsim.run.block_maker import Maker
from sgdsim.run.bundles import Bundler
from sgdsim.run.opened import OpenRun
from sgdsim.run.outcomes import BlockOutcome, Elsewhere, Failed, RunOutcome
from sgdsim.run.progress import Meter
from sgdsim.run.stop import Dropped, Stop
from sgdsim.store.blocks import Block, CellLayout, describe
from sgdsim.store.presence import Presence

WAIT_SECONDS = 1.0
"""Time between two looks at blocks that other processes have in hand."""
SAFETY = 1.2
"""A block is begun only if so many times its expected duration is left."""


class LocalRun:
    """Makes those of some blocks that are not on disk, in order, and with each those that one program serves too.

    A block that another process has in hand is waited for: should that process die, it is made here. Of a cell that
    fails the other blocks are left out, and the other cells are finished.
    """

    def __init__(self, opened: OpenRun, meter: Meter, stop: Stop, presence: Presence) -> None:
        self._opened = opened
        self._meter = meter
        self._stop = stop
        self._presence = presence
        self._bundler = Bundler(opened)
        self._maker = Maker(opened, presence, meter.message, meter.resume, self._pause)
        self._outcome = RunOutcome()
        self._waiting_for: set[str] = set()

    def run(self, blocks: Sequence[Block]) -> RunOutcome:
        """Makes the blocks.

        **Raises:** Unwritable where a block cannot be stored; KeyboardInterrupt after a second signal.
        """
        missing = begin(self._opened, blocks, self._meter)
        while missing and not self._outcome.stopped:
            left = self._once(missing)
            if len(left) == len(missing) and not self._outcome.stopped:
                self._stop.wait(WAIT_SECONDS)
                self._outcome.stopped = self._stop.requested
            missing = left
        return self._outcome

    def _once(self, blocks: Sequence[Block]) -> list[Block]:
        """Goes through the blocks once; returns those that others have in hand, or that there was no time for."""
        left: list[Block] = []
        ahead = {block.name: block for block in blocks}
        while bundle := self._bundler.first(b for b in ahead.values() if b.cell not in self._outcome.failed):
            bundle = self._with_time(bundle)
            if not bundle:
                self._outcome.stopped = True
                return [*left, *ahead.values()]
            for block in bundle:
                del ahead[block.name]
            left += self._make(bundle)
        return left

    def _with_time(self, bundle: list[Block]) -> list[Block]:
        """So many blocks of a bundle as there is time for."""
        while bundle and not self._stop.allows(self._expected(bundle)):
            bundle = bundle[: len(bundle) // 2]
        return bundle

    def _make(self, bundle: Sequence[Block]) -> list[Block]:
        """Makes blocks; returns those that are not settled: neither on disk nor part of a cell that failed."""
        self._meter.cell(label(bundle, self._opened.layout))
        work = sum(map(self._opened.work, bundle))
        self._meter.weigh(sum(map(self._opened.cost, bundle)) / work)
        counted = 0

        def advance(work: int) -> None:
            nonlocal counted
            self._stop.check()
            counted += work
            self._meter.advance(work)

        try:
            outcomes = self._maker.make_together(bundle, advance)
        except Dropped:
            self._outcome.stopped = self._outcome.dropped = True
            return list(bundle)
        left = [block for block, made in zip(bundle, outcomes, strict=True) if not self._settled(block, made)]
        if uncounted := sum(self._opened.work(block) for block in bundle if block not in left) - counted:
            self._meter.skip(uncounted)
        return left

    def _settled(self, block: Block, made: BlockOutcome) -> bool:
        match made:
            case Elsewhere(holder):
                self._wait_for(holder)
                return False
            case Failed(error):
                if block.cell not in self._outcome.failed:
                    self._meter.message(error)
                self._outcome.failed[block.cell] = error
            case _:
                self._outcome.made += made.seconds > 0
        return True

    def _pause(self, seconds: float) -> None:
        """Waits so long. **Raises:** Dropped where the run is to end."""
        self._stop.wait(seconds)
        if self._stop.requested:
            raise Dropped

    def _expected(self, blocks: Sequence[Block]) -> float | None:
        """Seconds that the blocks will take, as far as those before them tell."""
        rate = self._presence.rate()
        return SAFETY * sum(map(self._opened.work, blocks)) / rate if rate else None

    def _wait_for(self, holder: str) -> None:
        if holder not in self._waiting_for:
            self._waiting_for.add(holder)
            self._meter.message(f"Sharing the blocks with {holder}, which is at work in the same folder.")


def label(bundle: Sequence[Block], cells: Sequence[CellLayout]) -> str:
    """What is worked on, for the line of progress: "cell 2/9 d=40, noise=1", or "cells 2-9 of 9"."""
    first, last = (function(block.cell for block in bundle) for function in (min, max))
    if first == last:
        return f"cell {first + 1}/{len(cells)} {describe(cells[first].axes)}".rstrip()
    number = len({block.cell for block in bundle})
    some = f"{number} of the cells" if number < last - first + 1 else "cells"
    return f"{some} {first + 1}-{last + 1} of {len(cells)}"


def begin(opened: OpenRun, blocks: Sequence[Block], meter: Meter) -> list[Block]:
    """Announces the work in some blocks to a meter; returns those that are missing. Cells that failed get a new try."""
    there = opened.directory.on_disk()
    missing = [block for block in blocks if block.name not in there]
    for cell in {block.cell for block in missing}:
        opened.directory.failures.forget(cell)
    meter.unit = opened.unit
    total = sum(opened.work(block) for block in blocks)
    meter.start(total, total - sum(opened.work(block) for block in missing))
    cost = sum(opened.cost(block) for block in blocks)
    meter.expect(cost, cost - sum(opened.cost(block) for block in missing))
    return missing
