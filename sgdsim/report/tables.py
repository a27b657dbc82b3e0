"""The tables of the report page, as rows of finished text."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sgdsim.amounts import duration
from sgdsim.analysis.numbers import plain, rounded
from sgdsim.analysis.plateau import Plateau
from sgdsim.figures.common.curves import evenly
from sgdsim.laws.text import Held, Line, Name, Number, Table, in_errors
from sgdsim.store.origin import mixture
from sgdsim.store.stored import DEVIATIONS, Stored
from sgdsim.store.summary import CellSummary, End

MOST_ENDS = 6
"""Cells at the top of a page without laws; of more, these many are picked evenly."""


def counts(run: Stored) -> list[tuple[str, str]]:
    """The size of the run: (what, how many), and what its blocks come from where that is not one thing."""
    mixed = mixture(run.summary.origins)
    return _sizes(run) + ([("origins", mixed)] if mixed else [])


def _sizes(run: Stored) -> list[tuple[str, str]]:
    summary = run.summary
    if not run.simulated:
        blown = sum(map(_blew_up, summary.cells))
        return [
            ("cells", plain(len(summary.cells))),
            *([("blew up", plain(blown))] if blown else []),
            ("solved in", duration(summary.wall_seconds)),
        ]
    meaning = f" ({summary.divergence})" if summary.n_diverged and summary.divergence else ""
    return [
        ("cells", plain(len(summary.cells))),
        ("replicas", plain(summary.n_replicas)),
        ("diverged", f"{plain(summary.n_diverged)}{meaning}"),
        ("simulated in", duration(summary.wall_seconds)),
        ("steps per second", plain(summary.steps_per_second, digits=2)),
    ]


Column = tuple[str, Callable[[CellSummary], str]]
"""A heading, and what stands below it for a cell."""


def cells(run: Stored) -> Table:
    """One row per cell: what sets it apart, counts, deviations from theory, and final values beside theory's."""
    columns = [*_places(run), *_counts(run), *_deviations(run), *_plateaus(run), *_finals(run)]
    rows = (tuple(shown(cell) for _, shown in columns) for cell in run.summary.cells)
    return Table(tuple(heading for heading, _ in columns), tuple(rows))


def _places(run: Stored) -> Iterator[Column]:
    yield "cell", lambda cell: plain(cell.cell)
    apart = run.varying + tuple(name for name in _varying_parameters(run) if name not in run.varying)
    for name in apart:
        yield name, lambda cell, name=name: plain(cell.values.get(name))


def _counts(run: Stored) -> Iterator[Column]:
    if run.simulated:
        yield "replicas", lambda cell: plain(cell.n_replicas)
        yield "diverged", lambda cell: plain(cell.n_diverged)
    elif any(map(_blew_up, run.summary.cells)):
        yield "blew up", lambda cell: ("no", "yes")[_blew_up(cell)]


def _deviations(run: Stored) -> Iterator[Column]:
    for name in DEVIATIONS:
        if _any(run, name):
            yield run.words(name), lambda cell, name=name: rounded(cell.deviation(name).mean, cell.deviation(name).sem)


def _plateaus(run: Stored) -> Iterator[Column]:
    if any(cell.plateau or cell.plateau_theory for cell in run.summary.cells):
        yield "plateau", lambda cell: _plateau(cell.plateau)
        yield "plateau of theory", lambda cell: _plateau(cell.plateau_theory)


def _finals(run: Stored) -> Iterator[Column]:
    """Final values, those of theory beside them where there are any, and by how much they differ."""
    for name in run.summary.cells[0].final:
        heading = f"final {run.words(name)}"
        theory: Column = ("theory", lambda cell, name=name: plain(cell.final[name].theory, digits=6))
        if not run.simulated:
            yield heading, theory[1]
            continue
        yield heading, lambda cell, name=name: rounded(cell.final[name].mean, cell.final[name].sem)
        if any(cell.final[name].theory is not None for cell in run.summary.cells):
            yield theory
        if any(_off(cell.final[name]) != "-" for cell in run.summary.cells):
            yield "off by", lambda cell, name=name: _off(cell.final[name])


@dataclass(frozen=True)
class Ends:
    """The final risk of some cells beside theory's: how it is called, and for each its place in the grid."""

    risk: str
    rows: Sequence[tuple[Line, Held]]
    cells: int
    """How many cells there are in all."""


def ends(run: Stored) -> Ends | None:
    """What stands at the top of a page where no law does; None where no cell has a final value."""
    cells = run.summary.cells
    known = [
        cell for cell in cells if any(end.mean is not None or end.theory is not None for end in cell.final.values())
    ]
    if not known:
        return None
    risk = run.risk if run.risk in known[0].final else next(iter(known[0].final))
    chosen = evenly(range(len(known)), MOST_ENDS)
    rows = [(_place(run, known[index]), _end(known[index].final[risk], run.simulated)) for index in chosen]
    return Ends(run.words(risk), rows, len(cells))


def _place(run: Stored, cell: CellSummary) -> Line:
    """Where a cell is in the grid."""
    values = [(Name(name), " = ", Number(plain(cell.values.get(name)))) for name in run.varying]
    if not values:
        return (f"cell {cell.cell}",)
    first, *others = values
    return (*first, *(piece for value in others for piece in (", ", *value)))


def _end(end: End, simulated: bool) -> Held:
    if not simulated:
        return Held("", plain(end.theory, digits=6))
    return Held("", rounded(end.mean, end.sem), plain(end.theory, digits=6), _off(end))


def _off(final: End) -> str:
    """Simulation minus theory in standard errors, a dash where one of them is not known."""
    if final.mean is None or final.theory is None or not final.sem:
        return "-"
    return f"{in_errors(final.mean - final.theory, final.sem)} s.e."


def _blew_up(cell: CellSummary) -> bool:
    """Whether theory, solved alone, became non-finite."""
    return bool(cell.theory_diverged)


def _plateau(plateau: Plateau | None) -> str:
    """Height, begin and end of a plateau: "0.0024 (t = 8.1 to 92)"."""
    if plateau is None:
        return "-"
    height, begin, end = (plain(value, digits=2) for value in (plateau.height, plateau.begin, plateau.end))
    return f"{height} (t = {begin} to {end})"


def _any(run: Stored, deviation: str) -> bool:
    """Whether any cell was compared with a theory."""
    return any(cell.deviation(deviation).mean is not None for cell in run.summary.cells)


def _varying_parameters(run: Stored) -> tuple[str, ...]:
    rows = [cell.parameters for cell in run.summary.cells]
    return tuple(name for name in rows[0] if len({row.get(name) for row in rows}) > 1)


def constants(run: Stored) -> list[tuple[str, str]]:
    """Parameters that are the same in all cells."""
    varying = {*_varying_parameters(run), *run.varying}
    first = run.summary.cells[0]
    return [(name, plain(value)) for name, value in first.values.items() if name not in varying]


def provenance(run: Stored) -> list[tuple[str, str]]:
    """Everything that is known of where the numbers come from, nested names joined by dots, versions in one row."""
    known = run.provenance
    told = known | {"versions": versions(known["versions"])} if isinstance(known.get("versions"), dict) else known
    return list(_flat("", told))


def versions(known: Any) -> str:
    """Versions by their names: "python 3.11.7, sgdsim 0.1.0"; empty where none are known."""
    return ", ".join(f"{name} {version}" for name, version in known.items()) if isinstance(known, dict) else ""


def _flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [row for key, inner in value.items() for row in _flat(f"{prefix}.{key}" if prefix else key, inner)]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [(prefix, f"{len(value)}, listed in provenance.json")]
    if isinstance(value, list):
        return [(prefix, ", ".join(plain(item) for item in value))] if value else []
    return [(prefix, plain(value))]
