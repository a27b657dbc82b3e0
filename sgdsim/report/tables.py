"""The tables of the report page, as rows of finished text."""

from typing import Any

from sgdsim.amounts import duration
from sgdsim.analysis.numbers import plain, rounded
from sgdsim.analysis.plateau import Plateau
from sgdsim.laws.text import Table
from sgdsim.store.origin import mixture
from sgdsim.store.stored import DEVIATIONS, Stored
from sgdsim.store.summary import CellSummary


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


def cells(run: Stored) -> Table:
    """One row per cell: what sets it apart, counts, deviations from theory, and final values beside theory's."""
    apart = run.varying + tuple(name for name in _varying_parameters(run) if name not in run.varying)
    deviations = tuple(name for name in DEVIATIONS if _any(run, name))
    finals = tuple(run.summary.cells[0].final)
    counted = ("replicas", "diverged") if run.simulated else ()
    blown = not run.simulated and any(map(_blew_up, run.summary.cells))
    columns = ["cell", *apart, *counted, *(["blew up"] if blown else []), *map(run.words, deviations)]
    plateaus = any(cell.plateau or cell.plateau_theory for cell in run.summary.cells)
    columns += ["plateau", "plateau of theory"] if plateaus else []
    for name in finals:
        columns += [f"final {run.words(name)}", "theory"] if run.simulated else [f"final {run.words(name)}"]
    rows = []
    for cell in run.summary.cells:
        values = cell.values
        row = [plain(cell.cell), *(plain(values.get(name)) for name in apart)]
        row += [plain(count) for count in (cell.n_replicas, cell.n_diverged)] if counted else []
        row += [("no", "yes")[_blew_up(cell)]] if blown else []
        row += [rounded(cell.deviation(name).mean, cell.deviation(name).sem) for name in deviations]
        row += [_plateau(cell.plateau), _plateau(cell.plateau_theory)] if plateaus else []
        for name in finals:
            final = cell.final[name]
            row += [rounded(final.mean, final.sem)] if run.simulated else []
            row += [plain(final.theory, digits=6)]
        rows.append(tuple(row))
    return Table(tuple(columns), tuple(rows))


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
    """Everything that is known of where the numbers come from, nested names joined by dots."""
    return list(_flat("", run.provenance))


def _flat(prefix: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [row for key, inner in value.items() for row in _flat(f"{prefix}.{key}" if prefix else key, inner)]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [(prefix, f"{len(value)}, listed in provenance.json")]
    if isinstance(value, list):
        return [(prefix, ", ".join(plain(item) for item in value) or "-")]
    return [(prefix, plain(value))]
