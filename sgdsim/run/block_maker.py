"""Making blocks: claimed, simulated, stored and logged, by this process."""

import time
import traceback
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from sgdsim.ensemble.batch import Bundle
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.tiles import Tiles
from sgdsim.run.ensembles import named
from sgdsim.run.memory import NoMemory, Patience, device_words, first_line, lacks_memory, on_accelerator
from sgdsim.run.opened import OpenRun
from sgdsim.run.outcomes import BlockOutcome, Elsewhere, Failed, Made
from sgdsim.run.stop import Dropped
from sgdsim.store.block_file import BlockResult
from sgdsim.store.blocks import Block, and_more
from sgdsim.store.log import BLOCK
from sgdsim.store.origin import origin_here
from sgdsim.store.presence import Presence


class Maker:
    """Makes blocks of one run, one or a bundle of them at a time.

    Where the memory does not hold as many replicas at once as were tried, half of them are: that changes no number.
    Where an accelerator's does not even hold the fewest, others have it: it is waited for.

    - `presence`: the process's sign of life.
    - `tell`: called with what a user should know.
    - `starting`: called when the simulation of a block begins, after theory and compilation.
    - `sleep`: waits so many seconds for memory; raises Dropped where the run is to end.
    """

    def __init__(
        self,
        opened: OpenRun,
        presence: Presence,
        tell: Callable[[str], None],
        starting: Callable[[], None] = lambda: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._opened = opened
        self._presence = presence
        self._tell = tell
        self._starting = starting
        self._patience = Patience(tell, sleep)
        self._most: dict[Hashable, int] = {}
        self._compiled: set[Hashable] = set()

    def make(self, block: Block, advance: Callable[[int], None]) -> BlockOutcome:
        """What comes of `make_together` for one block."""
        return self.make_together([block], advance)[0]

    def make_together(self, blocks: Sequence[Block], advance: Callable[[int], None]) -> list[BlockOutcome]:
        """Makes those of some blocks that are not on disk, and not in the hands of a living process, all at once.

        Their ensembles are of equal form. A failure that belongs to one cell is that cell's alone.

        - `advance`: called with the work just done, less what was lost where memory ran out.

        **Raises:** Unwritable where a block cannot be stored; NoMemory where an accelerator stays full; Dropped,
        KeyboardInterrupt as `advance` does.
        """
        directory, claims = self._opened.directory, self._opened.directory.claims
        outcomes: dict[str, BlockOutcome] = {}
        mine: list[Block] = []
        try:
            for block in blocks:
                holder = None if directory.done(block) else claims.take(block.name)
                if holder is not None:
                    outcomes[block.name] = Elsewhere(holder)
                elif not directory.done(block):
                    mine.append(block)
                else:
                    claims.release(block.name)
                    outcomes[block.name] = Made(0.0)
            outcomes |= self._make(mine, advance) if mine else {}
        finally:
            for block in mine:
                claims.release(block.name)
        return [outcomes[block.name] for block in blocks]

    def _make(self, blocks: Sequence[Block], advance: Callable[[int], None]) -> dict[str, BlockOutcome]:
        """Makes blocks that this process has claimed."""
        work = sum(map(self._opened.work, blocks))
        self._presence.begin(blocks[0].name, work, self._opened.unit, [block.name for block in blocks[1:]])
        try:
            sound, outcomes = self._prepared(blocks)
            return outcomes | (self._attempt(sound, advance) if sound else {})
        finally:
            self._presence.end()

    def _prepared(self, blocks: Sequence[Block]) -> tuple[list[Block], dict[str, BlockOutcome]]:
        """The blocks of those cells whose kernel and theory can be had, and the failures of the others."""
        broken: dict[int, BlockOutcome] = {}
        for cell in dict.fromkeys(block.cell for block in blocks):
            try:
                self._opened.ensembles[cell].prepare()
            except Exception as error:
                broken[cell] = self._failed(cell, error)
        sound = [block for block in blocks if block.cell not in broken]
        return sound, {block.name: broken[block.cell] for block in blocks if block.cell in broken}

    def _attempt(self, blocks: Sequence[Block], advance: Callable[[int], None]) -> dict[str, BlockOutcome]:
        """Makes blocks all at once or, where that fails, cell by cell: then it shows whose failure it was."""
        done = 0

        def count(work: int) -> None:
            nonlocal done
            done += work
            self._presence.advance(work)
            advance(work)

        cells = sorted({block.cell for block in blocks})
        try:
            results = self._simulate(blocks, count)
        except (Dropped, NoMemory):
            raise
        except Exception as error:
            # Whatever a cell cannot do, the others are worth finishing.
            if len(cells) == 1:
                failed = self._failed(cells[0], error)
                return {block.name: failed for block in blocks}
            count(-done)
            self._most.clear()
            alone = [[block for block in blocks if block.cell == cell] for cell in cells]
            return {name: made for part in alone for name, made in self._attempt(part, advance).items()}
        return {block.name: self._store(block, result) for block, result in zip(blocks, results, strict=True)}

    def _failed(self, cell: int, error: Exception) -> Failed:
        text = named(self._opened.experiment, self._opened.experiment.cells[cell], _words(error))
        trace = "".join(traceback.format_exception(error))
        self._opened.directory.failures.record(cell, text, trace)
        return Failed(text)

    def _store(self, block: Block, result: BlockResult) -> Made:
        directory, tiles = self._opened.directory, result.tiles
        header = directory.write_block(block, result, origin_here(self._opened.code))
        counts = {"replicas": len(block.replicas), "diverged": int(tiles.diverged.sum())}
        theory = {} if tiles.finite_theory else {"theory_diverged": True}
        facts = {"block": block.name, "seconds": result.wall_seconds, "origin": header.origin.model_dump()}
        directory.log.try_to_write(BLOCK, facts | counts | theory)
        return Made(result.wall_seconds)

    def _simulate(self, blocks: Sequence[Block], count: Callable[[int], None]) -> list[BlockResult]:
        """The blocks' numbers; each has taken its part of the time, by its work."""
        self._compile(blocks)
        self._presence.resume()
        self._starting()
        began = time.perf_counter()
        found = self._numbers(blocks, count)
        seconds = time.perf_counter() - began
        work = [self._opened.work(block) for block in blocks]
        return [
            BlockResult(
                tiles=tiles,
                lanes=self._opened.ensembles[block.cell].lanes,
                replica_steps=self._opened.ensembles[block.cell].replica_steps(block.tiles),
                wall_seconds=seconds * share / sum(work),
            )
            for block, tiles, share in zip(blocks, found, work, strict=True)
        ]

    def _compile(self, blocks: Sequence[Block]) -> None:
        """Compiles, once, what the blocks need: that is not counted as the simulation's time."""
        bundle = self._bundle(blocks)
        if bundle is None:
            return
        key = (bundle.form, bundle.tiles_at_once, tuple(len(block.tiles) for block in blocks))
        if key not in self._compiled:
            self._sparing(blocks, Bundle.compile)
            self._compiled.add(key)

    def _numbers(self, blocks: Sequence[Block], count: Callable[[int], None]) -> list[Tiles]:
        """The blocks, with as many replicas at once as the memory turns out to hold."""
        if self._bundle(blocks) is None:
            return [self._opened.ensembles[block.cell].run(block.tiles, count) for block in blocks]
        done = 0

        def run(bundle: Bundle) -> list[Tiles]:
            nonlocal done
            count(-done)
            done = 0
            return bundle.run(counted)

        def counted(work: int) -> None:
            nonlocal done
            done += work
            count(work)

        return self._sparing(blocks, run)

    def _sparing(self, blocks: Sequence[Block], task: Callable[[Bundle], Any]) -> Any:
        """What a task makes of the bundle of the blocks, tried with half as many tiles at once while memory lacks."""
        while True:
            bundle = self._bundle(blocks)
            assert bundle is not None
            try:
                made = task(bundle)
            except Exception as error:
                if not lacks_memory(error):
                    raise
                self._make_room(bundle, and_more(blocks[0].name, len(blocks) - 1), error)
            else:
                self._patience.relax()
                return made

    def _make_room(self, bundle: Bundle, name: str, error: Exception) -> None:
        """Halves what is simulated at once, or waits. **Raises:** the error where neither helps; NoMemory."""
        if bundle.tiles_at_once > 1:
            self._most[bundle.form] = bundle.tiles_at_once // 2
            replicas = self._most[bundle.form] * bundle.lanes
            self._tell(f"{name}: out of memory; going on with {replicas} replicas at once")
        elif on_accelerator():
            self._patience.again(device_words(), first_line(error))
        else:
            raise error

    def _bundle(self, blocks: Sequence[Block]) -> Bundle | None:
        """The ensembles of the blocks as one; None where nothing is simulated."""
        parts = [(self._opened.ensembles[block.cell], block.tiles) for block in blocks]
        simulated = [(ensemble, tiles) for ensemble, tiles in parts if isinstance(ensemble, Ensemble)]
        return Bundle(simulated, self._most.get(simulated[0][0].form)) if simulated else None


def _words(error: Exception) -> str:
    """An error in one line; those that are not sgdsim's own with their kind."""
    text = " ".join(str(error).split())
    return text if text.startswith("Argument") else f"{type(error).__name__}: {text}"
