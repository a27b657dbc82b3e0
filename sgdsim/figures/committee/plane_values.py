"""What a phase diagram shows in the cells of its plane: the final risk, the exponent of a deviation, the plateau."""

from dataclasses import dataclass

from matplotlib.colors import LogNorm, Normalize

from sgdsim.analysis.numbers import plain, rounded
from sgdsim.figures.committee.plane import SIZE, Map, Place, group_of
from sgdsim.laws.law import number
from sgdsim.laws.power import FittedPower
from sgdsim.store.stored import DEVIATIONS, Stored

BY_THEORY = ", and by theory"
"""In the title of what stands beside theory."""
CONTRADICTS = 3.5
"""Standard errors between a measured exponent and the predicted one from which a cell is marked."""


@dataclass(frozen=True)
class Measured:
    """One measured quantity over the plane: for each place some values with their text, drawn below one another.

    `missing` is written where there is no value, or that there is no theory where the quantity needs one.
    """

    title: str
    unit: str
    missing: str
    norm: type[Normalize]
    values: dict[Place, list[tuple[float, str]]]
    of_theory: bool = False


def measured(run: Stored, plane: Map) -> dict[str, Measured]:
    """What can be drawn of this run."""
    found = {"risk": _risk(run, plane), "exponent": _exponent(run, plane), "plateau": _plateau(plane)}
    return {name: one for name, one in found.items() if any(one.values.values())}


def _risk(run: Stored, plane: Map) -> Measured:
    """The risk at the final time."""
    name = run.risk if run.scalars else ""
    sizes = sorted({cell.parameters[SIZE] for cell in plane.cells.values()})
    at = (
        f"d = {plain(sizes[-1])}"
        if len(sizes) == 1
        else f"the largest d, {plain(sizes[0], 2)} to {plain(sizes[-1], 2)}"
    )
    values = {}
    for place, cell in plane.cells.items():
        mean = cell.final[name].mean if name in cell.final else None
        # The shades are logarithmic: a mean that is not > 0 has none.
        values[place] = [(mean, plain(mean, digits=2))] if mean is not None and mean > 0 else []
    symbol = f"${run.symbol(name)}$" if name else ""
    return Measured(f"final {run.words(name)} at {at}", symbol, "none finite", LogNorm, values)


def _exponent(run: Stored, plane: Map) -> Measured:
    """Fitted exponent of a deviation against d, and that of theory at the same d, or else as d -> infinity."""
    values: dict[Place, list[tuple[float, str]]] = {place: [] for place in plane.cells}
    fits = _along_size(run)
    for label, fit in fits.items():
        for place, cell in plane.cells.items():
            if label.partition("[")[2] == group_of(cell) + "]":
                values[place] = _exponents(fit)
    quantity = next((fit.quantity for fit in fits.values()), "sup_deviation")
    where = " at the same d" if _same_d(fits) else ""
    return Measured(
        f"exponent of the {run.words(quantity)} against d{BY_THEORY}{where}",
        "exponent",
        "no fit",
        Normalize,
        values,
        of_theory=True,
    )


def _exponents(fit: FittedPower) -> list[tuple[float, str]]:
    """The fitted exponent, marked where theory contradicts it, and below it that of theory, if there is one."""
    mark = " !" if abs(_score(fit)) > CONTRADICTS else ""
    found = [(number(fit.slope), rounded(fit.slope, fit.slope_error) + mark)]
    theory = _by_theory(fit)
    return found if theory is None else [*found, (theory, plain(theory, digits=3))]


def _plateau(plane: Map) -> Measured:
    """Length of the plateau in t, where there is one."""
    values: dict[Place, list[tuple[float, str]]] = {}
    for place, cell in plane.cells.items():
        plateau = cell.plateau
        length = plateau.end - plateau.begin if plateau else 0.0
        values[place] = [(length, plain(length, digits=2))] if length > 0 else []
    return Measured("length of the plateau", "$t$", "none", LogNorm, values)


def _along_size(run: Stored) -> dict[str, FittedPower]:
    """The fits of a deviation against d."""
    return {label: fit for label, fit in run.fits.items() if fit.quantity in DEVIATIONS and fit.against == SIZE}


def _same_d(fits: dict[str, FittedPower]) -> bool:
    """Whether theory predicts every point of every fit that has a theory."""
    return bool(fits) and all(fit.theory_slope is not None for fit in fits.values() if _by_theory(fit) is not None)


def _by_theory(fit: FittedPower) -> float | None:
    """The same fit to predicted deviations at the same d; where none are predicted, the exponent as d -> infinity."""
    return fit.expected_slope if fit.theory_slope is None else fit.theory_slope


def _score(fit: FittedPower) -> float:
    """Measured minus predicted exponent in standard errors; 0 where nothing is predicted at the same d."""
    predicted, error = fit.theory_slope, fit.slope_error
    return (number(fit.slope) - predicted) / error if predicted is not None and error else 0.0


def comparison(run: Stored) -> str:
    """What the exponents of theory are, and which cells contradict them."""
    fits = _along_size(run)
    if not fits:
        return ""
    # At finite d the bound may be another power: measured beside it would look like a contradiction.
    if not _same_d(fits):
        return (
            " The exponents of theory are those of the bound log(p) sqrt(dt) as d grows; at the d of the grid they may"
            " be others: ask for fluctuations to compare with the prediction at the same d."
        )
    scores = {label.partition("[")[2].rstrip("]"): _score(fit) for label, fit in fits.items()}
    off = [f"{place} ({score:+.1f})" for place, score in scores.items() if abs(score) > CONTRADICTS]
    worst = (
        " The exponents of theory are fitted in the same way to the predicted deviations at the same d; the largest"
        f" difference is {max(scores.values(), key=abs):+.1f} standard errors."
    )
    mark = f" Marked with !: more than {CONTRADICTS} standard errors from theory, at {', '.join(off)}." if off else ""
    return worst + mark
