"""The tables of the report page, as rows of finished text."""

from dataclasses import dataclass
from typing import Any

from sgdsim.amounts import duration
from sgdsim.analysis.numbers import plain, rounded
from sgdsim.figures.common import quality
from sgdsim.store.stored import DEVIATIONS, NUMBERS, Stored


@dataclass(frozen=True)
class Table:
    """A heading for each column, and rows of the same length."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def headline(run: Stored) -> list[dict[str, str]]:
    """For each fitted law: what it is of, its constant, exponent and expected exponent, and whether it holds."""
    return [
        {
            "name": name,
            "quantity": run.fitted(fit),
            "against": fit["against"],
            "constant": rounded(fit["constant"], fit.get("constant_error")),
            "slope": rounded(fit["slope"], fit.get("slope_error")),
            "expected": plain(fit.get("expected_slope")),
            "assumes": fit.get("expected_assumes") or "",
            "quality": quality.sentence(fit),
            "predicted": plain(fit.get("theory_constant"), digits=4),
        }
        for name, fit in run.fits.items()
    ]


def counts(run: Stored) -> list[tuple[str, str]]:
    """The size of the run: (what, how many)."""
    summary = run.summary
    if not run.simulated:
        blown = sum(map(_blew_up, summary["cells"]))
        return [
            ("cells", plain(len(summary["cells"]))),
            *([("blew up", plain(blown))] if blown else []),
            ("solved in", duration(summary["wall_seconds"])),
        ]
    meaning = f" ({summary['divergence']})" if summary["n_diverged"] and summary.get("divergence") else ""
    return [
        ("cells", plain(len(summary["cells"]))),
        ("replicas", plain(summary["n_replicas"])),
        ("diverged", f"{plain(summary['n_diverged'])}{meaning}"),
        ("simulated in", duration(summary["wall_seconds"])),
        ("steps per second", plain(summary["steps_per_second"], digits=2)),
    ]


def fits(run: Stored) -> Table:
    """Every fitted number with its error, beside what theory predicts."""
    same = any(fit.get("theory_slope") is not None for fit in run.fits.values())
    columns = ["fit", "of", "against", "exponent", "theory", "off by", "constant", "chi2 / dof", "points"]
    if same:
        columns[6:7] = ["theory at these points", "constant", "theory"]
    return Table(tuple(columns), tuple(_fit_row(run, name, fit, same) for name, fit in run.fits.items()))


def _fit_row(run: Stored, name: str, fit: dict[str, Any], same: bool) -> tuple[str, ...]:
    slope, error, expected = fit["slope"], fit.get("slope_error"), fit.get("expected_slope")
    off = "-" if expected is None or not error else f"{(slope - expected) / error:+.1f} s.e."
    return (
        name,
        run.fitted(fit),
        fit["against"],
        rounded(slope, error),
        plain(expected),
        off,
        *([plain(fit.get("theory_slope"))] if same else []),
        rounded(fit["constant"], fit.get("constant_error")),
        *([plain(fit.get("theory_constant"), digits=4)] if same else []),
        quality.entry(fit),
        str(len(fit["points"])),
    )


def assumptions(run: Stored) -> list[str]:
    """What the expected exponents take for granted: a sentence for each."""
    named: dict[str, list[str]] = {}
    for name, fit in run.fits.items():
        if fit.get("expected_assumes"):
            named.setdefault(fit["expected_assumes"], []).append(name)
    return [f"The exponent of theory of {', '.join(names)} is {words}" for words, names in named.items()]


def unfitted(run: Stored) -> list[tuple[str, str]]:
    """Fits that were asked for and could not be made: (name, why)."""
    fits = run.summary.get("fits", {})
    made = {name for kind in NUMBERS for name in run.laws(kind)}
    return [(name, fit.get("problem") or "no fit") for name, fit in fits.items() if name not in made]


def cells(run: Stored) -> Table:
    """One row per cell: what sets it apart, counts, deviations from theory, and final values beside theory's."""
    apart = run.varying + tuple(name for name in _varying_parameters(run) if name not in run.varying)
    deviations = tuple(name for name in DEVIATIONS if _any(run, name))
    finals = tuple(run.summary["cells"][0].get("final", {}))
    counted = ("replicas", "diverged") if run.simulated else ()
    blown = not run.simulated and any(map(_blew_up, run.summary["cells"]))
    columns = ["cell", *apart, *counted, *(["blew up"] if blown else []), *map(run.words, deviations)]
    plateaus = any(cell.get("plateau") or cell.get("plateau_theory") for cell in run.summary["cells"])
    columns += ["plateau", "plateau of theory"] if plateaus else []
    for name in finals:
        columns += [f"final {run.words(name)}", "theory"] if run.simulated else [f"final {run.words(name)}"]
    rows = []
    for cell in run.summary["cells"]:
        values = cell["parameters"] | cell["axes"]
        row = [plain(cell["cell"]), *(plain(values.get(name)) for name in apart)]
        row += [plain(cell[f"n_{name}"]) for name in counted]
        row += [("no", "yes")[_blew_up(cell)]] if blown else []
        row += [rounded(cell[name]["mean"], cell[name]["sem"]) for name in deviations]
        row += [_plateau(cell.get(key)) for key in ("plateau", "plateau_theory")] if plateaus else []
        for name in finals:
            final = cell["final"][name]
            row += [rounded(final["mean"], final["sem"])] if run.simulated else []
            row += [plain(final["theory"], digits=6)]
        rows.append(tuple(row))
    return Table(tuple(columns), tuple(rows))


def _blew_up(cell: dict[str, Any]) -> bool:
    """Whether theory, solved alone, became non-finite."""
    return bool(cell.get("theory_diverged"))


def _plateau(plateau: dict[str, float] | None) -> str:
    """Height, begin and end of a plateau: "0.0024 (t = 8.1 to 92)"."""
    if plateau is None:
        return "-"
    height, begin, end = (plain(plateau[key], digits=2) for key in ("height", "begin", "end"))
    return f"{height} (t = {begin} to {end})"


def _any(run: Stored, deviation: str) -> bool:
    """Whether any cell was compared with a theory."""
    return any((cell.get(deviation) or {}).get("mean") is not None for cell in run.summary["cells"])


def _varying_parameters(run: Stored) -> tuple[str, ...]:
    rows = [cell["parameters"] for cell in run.summary["cells"]]
    return tuple(name for name in rows[0] if len({row.get(name) for row in rows}) > 1)


def constants(run: Stored) -> list[tuple[str, str]]:
    """Parameters that are the same in all cells."""
    varying = {*_varying_parameters(run), *run.varying}
    first = run.summary["cells"][0]
    return [
        (name, plain(value)) for name, value in (first["parameters"] | first["axes"]).items() if name not in varying
    ]


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
