"""How far a run is, from what is on disk. Fast: neither JAX nor the experiment's system is imported."""

import os
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sgdsim.errors import ExperimentError
from sgdsim.store.block_file import SpoiltBlock
from sgdsim.store.blocks import CellLayout
from sgdsim.store.directory import RunDirectory
from sgdsim.store.log import BLOCK, Entry
from sgdsim.store.origin import Origin, mixture, shares
from sgdsim.store.presence import SILENT_SECONDS, Sign
from sgdsim.store.worker import Worker


@dataclass(frozen=True)
class CellStatus:
    """One cell: blocks and replicas done, blocks in hand, replicas that diverged.

    - `theory_diverged`: whether a theory that is solved alone is not finite at some save time.
    - `error`: why it failed for good; None where it did not.
    """

    index: int
    axes: Mapping[str, Any]
    blocks_done: int
    blocks: int
    running: int
    replicas_done: int
    replicas: int
    diverged: int
    theory_diverged: bool
    error: str | None

    @property
    def done(self) -> bool:
        """Whether every block is on disk."""
        return self.blocks_done == self.blocks

    @property
    def settled(self) -> bool:
        """Whether there is nothing left to do."""
        return self.done or (self.error is not None and not self.running)


@dataclass(frozen=True)
class WorkerStatus:
    """A process with a sign of life in the folder.

    - `silence`: seconds without a sign, by this machine's clock, of one on another host that may be dead; else None.
    """

    worker: Worker
    sign: Sign
    silence: float | None


@dataclass(frozen=True)
class RunStatus:
    """A run.

    - `seconds_left`: None where nobody is at work, or nothing is known of the speed.
    - `guessed`: whether cells of which no block is done are in it, taken to cost what a plan expects beside the others.
    - `disk`: bytes of all files.
    - `written`: whether there are results.
    - `notes`: what a user should know: blocks that could not be read, an experiment.toml that was changed, blocks of
      several origins, files that were put aside.
    """

    title: str
    cells: Sequence[CellStatus]
    workers: Sequence[WorkerStatus]
    seconds_left: float | None
    guessed: bool
    disk: int
    written: bool
    notes: Sequence[str]

    @property
    def at_work(self) -> list[WorkerStatus]:
        """The processes that live, as far as can be told."""
        return [worker for worker in self.workers if worker.silence is None]

    @property
    def rate(self) -> float | None:
        """Work per second of all workers; None where it is not known."""
        return sum(worker.sign.rate or 0.0 for worker in self.at_work) or None

    @property
    def over(self) -> bool:
        """Whether nothing is left to do, and nobody is at it."""
        return all(cell.settled for cell in self.cells) and not self.at_work


@dataclass(frozen=True)
class _Facts:
    """What the log says of a finished block."""

    diverged: int
    theory_diverged: bool
    seconds: float
    origin: Origin


class StatusReader:
    """Reads the status of one run, again and again if asked to. What it had to read from block files it remembers."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._read: dict[str, _Facts] = {}

    def read(self) -> RunStatus:
        """The status now. Nothing is written, and files that others are writing disturb nothing.

        **Raises:** ExperimentError where the folder is not a run.
        """
        directory = self._directory
        layout = directory.read_layout()
        title, notes = _title(directory)
        there = directory.on_disk()
        workers = _workers(directory)
        silent = {worker.sign.worker for worker in workers if worker.silence is not None}
        in_hand = {name for name, holder in directory.claims.held().items() if holder not in silent} - there
        facts, unreadable = self._facts(layout, there)
        notes += [*unreadable, *_mixture(layout, there, facts), *_put_aside(directory)]
        failures = directory.failures.read()
        cells = [_cell_status(cell, there, in_hand, facts, failures.get(cell.cell)) for cell in layout]
        left, guessed = _time_left(layout, cells, there, facts, [w.sign for w in workers if w.silence is None])
        return RunStatus(
            title=title,
            cells=cells,
            workers=workers,
            seconds_left=left,
            guessed=guessed,
            disk=_size(directory.path),
            written=directory.results.is_file() and directory.summary.is_file(),
            notes=notes,
        )

    def _facts(self, layout: Sequence[CellLayout], there: Collection[str]) -> tuple[dict[str, _Facts], list[str]]:
        """What is known of every finished block; of one that a kill kept from being logged, what its file says."""
        facts = self._read | _logged(self._directory.log.read())
        unreadable = []
        for cell in layout:
            for block in cell.blocks:
                if block.name in facts or block.name not in there:
                    continue
                try:
                    result, header = self._directory.read_block(block, cell.lanes)
                except (SpoiltBlock, OSError) as error:
                    unreadable.append(f"{self._directory.path_of(block)}: {error}")
                else:
                    tiles = result.tiles
                    facts[block.name] = self._read[block.name] = _Facts(
                        int(tiles.diverged.sum()), not tiles.finite_theory, result.wall_seconds, header.origin
                    )
        return facts, unreadable


def _workers(directory: RunDirectory) -> list[WorkerStatus]:
    workers = []
    for sign in directory.watch.signs():
        worker, silence = Worker.parse(sign.worker), None
        if not worker.here:
            # A single look cannot see whether it goes on; the age of its sign is for the reader alone to judge.
            with suppress(OSError):
                silence = time.time() - (directory.watch.folder / f"{sign.worker}.json").stat().st_mtime
        workers.append(
            WorkerStatus(worker, sign, silence if silence is not None and silence > SILENT_SECONDS else None)
        )
    return workers


def _logged(logs: Mapping[str, Sequence[Entry]]) -> dict[str, _Facts]:
    facts = {}
    for entry in (entry for entries in logs.values() for entry in entries if entry["event"] == BLOCK):
        match entry:
            case {"block": str(block), "seconds": float(seconds), "diverged": int(diverged), "origin": dict(origin)}:
                with suppress(ValueError):
                    theory, made_by = bool(entry.get("theory_diverged")), Origin.model_validate(origin)
                    facts[block] = _Facts(diverged, theory, seconds, made_by)
    return facts


def _title(directory: RunDirectory) -> tuple[str, list[str]]:
    """The title of the experiment, and what is wrong with its file."""
    try:
        return str(directory.checked()[1].get("title", "")), []
    except ExperimentError as error:
        return directory.read_manifest().name, error.problems


def _mixture(layout: Sequence[CellLayout], there: Collection[str], facts: Mapping[str, _Facts]) -> list[str]:
    blocks = [block for cell in layout for block in cell.blocks if block.name in there and block.name in facts]
    told = mixture(shares((facts[block.name].origin, len(block.replicas)) for block in blocks))
    return [told] if told else []


def _put_aside(directory: RunDirectory) -> list[str]:
    """How many files lie in the folder `aside`."""
    with suppress(OSError):
        count = len(list(directory.aside.iterdir()))
        if count:
            return [f"{directory.aside}: {count} {'file' if count == 1 else 'files'} put aside, damaged or in the way"]
    return []


def _cell_status(
    cell: CellLayout, there: Collection[str], in_hand: Collection[str], facts: Mapping[str, _Facts], error: str | None
) -> CellStatus:
    blocks = cell.blocks
    done = [block for block in blocks if block.name in there]
    known = [facts[block.name] for block in done if block.name in facts]
    return CellStatus(
        index=cell.cell,
        axes=cell.axes,
        blocks_done=len(done),
        blocks=len(blocks),
        running=sum(block.name in in_hand for block in blocks),
        replicas_done=sum(len(block.replicas) for block in done),
        replicas=cell.replicas,
        diverged=sum(fact.diverged for fact in known),
        theory_diverged=cell.replicas == 0 and any(fact.theory_diverged for fact in known),
        error=error,
    )


def _time_left(
    layout: Sequence[CellLayout],
    cells: Sequence[CellStatus],
    there: Collection[str],
    facts: Mapping[str, _Facts],
    signs: Sequence[Sign],
) -> tuple[float | None, bool]:
    """Seconds until the missing blocks are made by those at work, and whether some cells' cost had to be guessed.

    A block takes what the finished blocks of its cell say, else those of all cells, in proportion to its cost.
    """
    took, costs = defaultdict[int, float](float), defaultdict[int, float](float)
    for cell in layout:
        for block in (block for block in cell.blocks if block.name in there and block.name in facts):
            took[block.cell] += facts[block.name].seconds
            costs[block.cell] += cell.cost_of(block)
    if not signs or not costs:
        return None, False
    usual = sum(took.values()) / sum(costs.values())
    begun = {name: sign.done / sign.work for sign in signs if sign.work > 0 for name in (sign.block, *sign.others)}
    seconds, guessed = 0.0, False
    for cell, status in zip(layout, cells, strict=True):
        if status.settled:
            continue
        left = sum(cell.cost_of(b) * max(0.0, 1 - begun.get(b.name, 0.0)) for b in cell.blocks if b.name not in there)
        seconds += left * (took[cell.cell] / costs[cell.cell] if costs[cell.cell] else usual)
        guessed |= not costs[cell.cell]
    return seconds / len(signs), guessed


def _size(folder: Path) -> int:
    """Bytes of all files below a folder; what disappears meanwhile is not counted."""
    total, folders = 0, [str(folder)]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
    return total
