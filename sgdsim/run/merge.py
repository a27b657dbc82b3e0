"""One folder from several: blocks of the same experiment that different machines have made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sgdsim.errors import ExperimentError
from sgdsim.run.idle import check_idle
from sgdsim.run.progress import Meter
from sgdsim.run.provenance import write_provenance
from sgdsim.store.block_file import BlockHeader, SpoiltBlock
from sgdsim.store.blocks import Block, CellLayout
from sgdsim.store.directory import RunDirectory
from sgdsim.store.files import atomic, write_text
from sgdsim.store.identity import REPLICAS, differing_keys
from sgdsim.store.worker import Worker


@dataclass
class Union:
    """What came of uniting folders.

    - `copied`, `there`: blocks that were copied, and that the folder had already.
    - `missing`: blocks that no folder has.
    - `problems`: blocks that were left out, or differ between folders; a line each.
    """

    copied: int = 0
    there: int = 0
    missing: int = 0
    problems: list[str] = field(default_factory=list)


def unite(sources: Sequence[RunDirectory], target: RunDirectory, meter: Meter, say: Callable[[str], None]) -> Union:
    """Copies the blocks and logs of some folders into one, which is new or holds the same experiment.

    Only sound blocks are copied. Where two folders hold a block with different bits, as processors or versions of jax
    of different kinds may make it, that of the target is kept, else that of the first.

    **Raises:** ExperimentError where the folders do not fit together, or somebody is at work in the target: then
    nothing is written; OSError where a file cannot be read or written.
    """
    others = [source for source in sources if not _same_folder(source, target)]
    first = target if target.exists else sources[0]
    for run in sources:
        _check_same(first, run)
    layout = _common_layout([*sources, target] if target.index.is_file() else sources)
    check_idle(target, "merge", say)
    target.make()
    target.create_experiment(first.read_experiment())
    target.create_layout(layout)
    union = Union()
    blocks = [(cell, block) for cell in layout for block in cell.blocks]
    meter.start(len(blocks), 0)
    for cell, block in blocks:
        _unite_block(cell, block, others, target, union)
        meter.advance(1)
    for source in others:
        _copy_logs(source, target)
    write_provenance(target)
    return union


def _same_folder(one: RunDirectory, other: RunDirectory) -> bool:
    return one.path.resolve() == other.path.resolve()


def _check_same(first: RunDirectory, other: RunDirectory) -> None:
    """**Raises:** ExperimentError where a folder is no run, or holds another experiment than the first."""
    keys = differing_keys(first.read_experiment(), other.read_experiment())
    if not keys:
        return
    remedy = "only folders of the same experiment can be merged"
    if keys == [REPLICAS]:
        remedy = "first bring both to the same number: sgdsim extend DIR --replicas N"
    problem = f"holds a different experiment than {first.path} (differing: {', '.join(keys)})"
    raise ExperimentError([f"{other.path}: {problem}; {remedy}"])


def _common_layout(runs: Sequence[RunDirectory]) -> list[CellLayout]:
    """The layout of all runs.

    **Raises:** ExperimentError where they have several.
    """
    first, *others = runs
    layout = first.read_layout()
    for other in others:
        pairs = zip(layout, other.read_layout(), strict=True)
        cells = [one.cell for one, two in pairs if one != two]
        if cells:
            problem = f"its cells are cut into other tiles or blocks than those of {first.path} ({_some(cells)})"
            remedy = "one was extended, or begun on another kind of machine: they cannot be merged"
            raise ExperimentError([f"{other.path}: {problem}; {remedy}"])
    return layout


def _some(cells: Sequence[int]) -> str:
    shown = ", ".join(map(str, cells[:5]))
    return f"cells {shown} ..." if len(cells) > 5 else f"cells {shown}"


def _unite_block(
    cell: CellLayout, block: Block, sources: Sequence[RunDirectory], target: RunDirectory, union: Union
) -> None:
    """Brings one block into the target, if a source has it, and compares all copies."""
    kept: tuple[RunDirectory, BlockHeader] | None = None
    for run in (target, *sources):
        try:
            _, header = run.read_block(block, cell.lanes)
        except FileNotFoundError:
            continue
        except SpoiltBlock as error:
            union.problems.append(f"{run.path_of(block)}: {error}; left out")
            continue
        if kept is None:
            kept = run, header
            _copy(run.path_of(block), target.path_of(block))
        elif header.digest != kept[1].digest:
            union.problems.append(_difference(block, kept, (run, header)))
    if kept is None:
        union.missing += 1
    else:
        union.there += kept[0] is target
        union.copied += kept[0] is not target


def _copy(source: Path, target: Path) -> None:
    if source != target:
        target.parent.mkdir(exist_ok=True)
        with atomic(target) as temporary:
            temporary.write_bytes(source.read_bytes())


def _difference(block: Block, kept: tuple[RunDirectory, BlockHeader], other: tuple[RunDirectory, BlockHeader]) -> str:
    """What to tell of a block of which two folders hold different bits."""
    one, two = (f"{run.path} ({Worker.parse(header.worker).host}, jax {header.jax})" for run, header in (kept, other))
    return f"{block.name}: not the same bits in {one} and {two}; that of {kept[0].path} is kept"


def _copy_logs(source: RunDirectory, target: RunDirectory) -> None:
    """Adds the lines of a folder's logs to those of the target, each once."""
    for path in sorted(source.log.folder.glob("*.jsonl")):
        own = target.log.folder / path.name
        there = own.read_text(encoding="utf-8", errors="replace").splitlines() if own.is_file() else []
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        known = set(there)
        if added := [line for line in lines if line not in known]:
            write_text(own, "\n".join([*there, *added, ""]))
