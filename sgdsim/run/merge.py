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
from sgdsim.store.files import atomic, read_bytes, write_text
from sgdsim.store.identity import REPLICAS, differing_keys
from sgdsim.store.log import lines_of
from sgdsim.store.manifest import Manifest


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


def unite(
    sources: Sequence[RunDirectory],
    target: RunDirectory,
    meter: Meter,
    say: Callable[[str], None],
    accept_code: bool = False,
) -> Union:
    """Copies the blocks and logs of some folders into one, which is new or holds the same experiment.

    Only sound blocks are copied. Where two folders hold a block with different bits, as processors or versions of jax
    of different kinds may make it, that of the target is kept, else that of the first.

    - `accept_code`: whether blocks that different code has made may stand together.

    **Raises:** ExperimentError where the folders do not fit together, or somebody is at work in the target: then
    nothing is written; OSError where a file cannot be read or written.
    """
    others = [source for source in sources if not _same_folder(source, target)]
    first = target if target.exists else sources[0]
    runs = [target, *sources] if target.index.exists() else sources
    for run in runs:
        _check_same(first, run)
    manifest = _common_manifest(runs, accept_code)
    layout = manifest.cells
    check_idle(target, "merge", say)
    target.make()
    target.create_experiment(first.read_experiment())
    target.write_manifest(manifest)
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
    """**Raises:** ExperimentError where a folder is no run, was changed, or holds another experiment than the first."""
    keys = differing_keys(first.read_experiment(), other.checked()[1])
    if not keys:
        return
    remedy = "only folders of the same experiment can be merged"
    if keys == [REPLICAS]:
        remedy = "first bring both to the same number: sgdsim extend DIR --replicas N"
    problem = f"holds a different experiment than {first.path} (differing: {', '.join(keys)})"
    raise ExperimentError([f"{other.path}: {problem}; {remedy}"])


def _common_manifest(runs: Sequence[RunDirectory], accept_code: bool) -> Manifest:
    """The manifest of all runs.

    **Raises:** ExperimentError where their cells are cut in several ways, or other code has made them.
    """
    first, *others = runs
    manifest = first.checked_manifest()
    for other in others:
        found = other.checked_manifest()
        pairs = zip(manifest.cells, found.cells, strict=True)
        cells = [one.cell for one, two in pairs if one != two]
        if cells:
            problem = f"its cells are cut into other tiles or blocks than those of {first.path} ({_some(cells)})"
            remedy = "one was extended, or begun on another kind of machine: they cannot be merged"
            raise ExperimentError([f"{other.path}: {problem}; {remedy}"])
        for code in found.codes:
            if not accept_code and not manifest.accepts(code):
                problem = f"was simulated by other code than {first.path}"
                files = code.difference(manifest.codes[-1])
                remedy = "to let blocks of both stand together: --accept-code"
                raise ExperimentError([f"{other.path}: {problem} (differing: {files}); {remedy}"])
            manifest = manifest.accepting(code)
    return manifest


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
        with atomic(target) as stream:
            stream.write(read_bytes(source))


def _difference(block: Block, kept: tuple[RunDirectory, BlockHeader], other: tuple[RunDirectory, BlockHeader]) -> str:
    """What to tell of a block of which two folders hold different bits."""
    one, two = (f"{run.path} ({header.host}, {header.origin.words})" for run, header in (kept, other))
    return f"{block.name}: not the same bits in {one} and {two}; that of {kept[0].path} is kept"


def _copy_logs(source: RunDirectory, target: RunDirectory) -> None:
    """Adds the lines of a folder's logs to those of the target, each once."""
    for path in source.log.paths():
        own = target.log.folder / path.name
        there, lines = (lines_of(one) for one in (own, path))
        known = set(there)
        if added := [line for line in lines if line not in known]:
            write_text(own, "\n".join([*there, *added, ""]))
