"""Making one block: claimed, simulated, stored and logged, by this process."""

import dataclasses
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from sgdsim.engine.memory import NoMemory, Patience, device_words, first_line, lacks_memory, on_accelerator
from sgdsim.engine.stop import Dropped
from sgdsim.engine.sweep import Sweep
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.theory_alone import TheoryAlone
from sgdsim.store.block_file import BlockResult
from sgdsim.store.blocks import Block
from sgdsim.store.log import BLOCK
from sgdsim.store.presence import Presence
from sgdsim.sweep.ensembles import named


@dataclass(frozen=True)
class Made:
    """The block is on disk; `seconds` of simulation, 0 where it was there already."""

    seconds: float


@dataclass(frozen=True)
class Elsewhere:
    """Another process has the block in hand."""

    holder: str


@dataclass(frozen=True)
class Failed:
    """The block's cell failed for good."""

    error: str


Outcome = Made | Elsewhere | Failed


class Maker:
    """Makes blocks of one sweep.

    Where the memory does not hold as many replicas at once as were tried, half of them are: that changes no number.
    Where an accelerator's does not even hold the fewest, others have it: it is waited for.

    - `presence`: the process's sign of life.
    - `tell`: called with what a user should know.
    - `starting`: called when the simulation of a block begins, after theory and compilation.
    - `sleep`: waits so many seconds for memory; raises Dropped where the run is to end.
    """

    def __init__(
        self,
        sweep: Sweep,
        presence: Presence,
        tell: Callable[[str], None],
        starting: Callable[[], None] = lambda: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sweep = sweep
        self._presence = presence
        self._tell = tell
        self._starting = starting
        self._patience = Patience(tell, sleep)
        self._ensembles = dict(enumerate(sweep.ensembles))
        self._compiled: set[tuple[int, int]] = set()

    def make(self, block: Block, advance: Callable[[int], None]) -> Outcome:
        """Makes a block unless it is on disk, or in the hands of a living process.

        - `advance`: called with the work just done, less what was lost where memory ran out.

        **Raises:** Unwritable where the block cannot be stored; NoMemory where an accelerator stays full; Dropped,
        KeyboardInterrupt as `advance` does.
        """
        directory = self._sweep.directory
        if directory.done(block):
            return Made(0.0)
        holder = directory.claims.take(block.name)
        if holder is not None:
            return Elsewhere(holder)
        try:
            if directory.done(block):
                return Made(0.0)
            return self._make(block, advance)
        finally:
            self._presence.end()
            directory.claims.release(block.name)

    def _make(self, block: Block, advance: Callable[[int], None]) -> Outcome:
        directory = self._sweep.directory
        self._presence.begin(block.name, self._sweep.work(block), self._sweep.unit)
        try:
            result = self._simulate(block, advance)
        except (Dropped, NoMemory):
            raise
        except Exception as error:
            # Whatever a cell cannot do, the others are worth finishing.
            text = named(self._sweep.experiment, self._sweep.experiment.cells[block.cell], _words(error))
            directory.failures.record(block.cell, text, traceback.format_exc())
            return Failed(text)
        directory.write_block(block, result)
        tiles = result.tiles
        counts = {"replicas": len(block.replicas), "diverged": int(tiles.diverged.sum())}
        theory = {} if tiles.finite_theory else {"theory_diverged": True}
        directory.log.try_to_write(BLOCK, {"block": block.name, "seconds": result.wall_seconds} | counts | theory)
        return Made(result.wall_seconds)

    def _simulate(self, block: Block, advance: Callable[[int], None]) -> BlockResult:
        """The block, with as many replicas at once as the memory turns out to hold."""
        while True:
            done = 0

            def count(work: int) -> None:
                nonlocal done
                done += work
                self._presence.advance(work)
                advance(work)

            try:
                result = self._attempt(block, count)
            except Exception as error:
                if not lacks_memory(error):
                    raise
                self._make_room(block, error)
                count(-done)
            else:
                self._patience.relax()
                return result

    def _make_room(self, block: Block, error: Exception) -> None:
        """Halves the batch of a cell, or waits. **Raises:** the error where neither helps; NoMemory."""
        smaller = halved(self._ensembles[block.cell])
        if smaller is not None:
            self._tell(f"{block.name}: out of memory; going on with {smaller.batch} replicas at once")
            self._ensembles[block.cell] = smaller
            self._compiled = {key for key in self._compiled if key[0] != block.cell}
        elif on_accelerator():
            self._patience.again(device_words(), first_line(error))
        else:
            raise error

    def _attempt(self, block: Block, advance: Callable[[int], None]) -> BlockResult:
        ensemble = self._ensembles[block.cell]
        key = (block.cell, len(block.tiles))
        if key not in self._compiled:
            # Theory and compilation, which happen once, are not counted as the simulation's time.
            ensemble.compile(block.tiles)
            self._compiled.add(key)
        self._presence.resume()
        self._starting()
        began = time.perf_counter()
        tiles = ensemble.run(block.tiles, advance)
        return BlockResult(
            tiles=tiles,
            lanes=ensemble.lanes,
            replica_steps=ensemble.replica_steps(block.tiles),
            wall_seconds=time.perf_counter() - began,
        )


def halved(ensemble: Ensemble | TheoryAlone) -> Ensemble | None:
    """The same ensemble with half as many replicas at once; None where there is nothing to halve."""
    if isinstance(ensemble, TheoryAlone) or ensemble.tiles_at_once == 1:
        return None
    return dataclasses.replace(ensemble, batch=ensemble.tiles_at_once // 2 * ensemble.lanes)


def _words(error: Exception) -> str:
    """An error in one line; those that are not sgdsim's own with their kind."""
    text = " ".join(str(error).split())
    return text if text.startswith("Argument") else f"{type(error).__name__}: {text}"
