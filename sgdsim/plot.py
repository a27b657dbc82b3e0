"""Figures for a notebook: every function draws one panel into `ax`, or into a new figure, and returns the axes.

    sgdsim.plot.trajectories(sgdsim.simulate(...))
    sgdsim.plot.scaling("runs/theorem", ax=axes[0])

What is drawn is a Dataset that `simulate` or `solve` returned or that stands in results.nc, or a finished run: the
`Run` that `sgdsim.run` or `sgdsim.open_run` returned, or its folder. Laws are drawn of a finished run only, which holds
their fits; in the place of a fit's name a law may stand that `sgdsim.fit` has fitted to the run. All functions raise
ArgumentError where `run` lacks what they draw, and ExperimentError where a folder holds no finished run.
"""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import xarray as xr
from matplotlib.axes import Axes

from sgdsim.errors import ArgumentError
from sgdsim.figures.committee.fluctuations import draw_final_fluctuations, draw_fluctuations
from sgdsim.figures.committee.law_in_dt import draw_law_in_dt
from sgdsim.figures.committee.law_in_p import draw_law_in_p
from sgdsim.figures.committee.phase_diagram import draw_phase_diagram
from sgdsim.figures.common.against import draw_against
from sgdsim.figures.common.bias import draw_bias
from sgdsim.figures.common.risk import draw_risk
from sgdsim.figures.common.scaling import draw_scaling
from sgdsim.figures.common.stability import draw_stability
from sgdsim.figures.common.threshold import draw_threshold
from sgdsim.figures.common.trajectories import draw_differences, draw_trajectories
from sgdsim.figures.ticks import tidy
from sgdsim.laws.law import Fitted
from sgdsim.store.curves import Curves
from sgdsim.store.finished import Run
from sgdsim.store.stored import Stored

Results = xr.Dataset | Run | Stored | str | PathLike[str]
"""A Dataset, a finished run, or its folder."""
Law = str | Fitted | None
"""The name of a fit of the run, or a law that `sgdsim.fit` has fitted to it; None for the first of the run."""
Cells = Sequence[int] | None

__all__ = [
    "against",
    "bias",
    "differences",
    "final_fluctuations",
    "fluctuations",
    "law_in_dt",
    "law_in_p",
    "phase_diagram",
    "risk",
    "scaling",
    "stability",
    "threshold",
    "trajectories",
]


def trajectories(run: Results, name: str | None = None, *, cells: Cells = None, ax: Axes | None = None) -> Axes:
    """An observable `name` against time: mean, bands and theory; see `draw_trajectories`."""
    return _named(draw_trajectories(_curves(run), name, cells, ax))


def differences(run: Results, name: str | None = None, *, cells: Cells = None, ax: Axes | None = None) -> Axes:
    """Simulation minus theory of an observable `name` against time; see `draw_differences`."""
    return _named(draw_differences(_curves(run), name, cells, ax))


def risk(
    run: Results,
    name: str | None = None,
    *,
    cells: Cells = None,
    abscissa: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The learning curves, of the system's risk or another scalar `name`, on logarithmic axes; see `draw_risk`."""
    return _named(draw_risk(_curves(run), name, cells, abscissa, ax))


def fluctuations(run: Results, name: str | None = None, *, cells: Cells = None, ax: Axes | None = None) -> Axes:
    """Measured over predicted spread of an observable `name` against time; see `draw_fluctuations`."""
    return _named(draw_fluctuations(_curves(run), name, cells, ax))


def final_fluctuations(run: Results, *, ax: Axes | None = None) -> Axes:
    """Measured over predicted spread at the final time against d; see `draw_final_fluctuations`."""
    return _named(draw_final_fluctuations(_curves(run), ax))


def scaling(run: Results, name: Law = None, *, ax: Axes | None = None) -> Axes:
    """The power laws of the fit `name`, with their points; see `draw_scaling`."""
    return _named(draw_scaling(*_law(run, name), ax))


def law_in_p(run: Results, name: Law = None, *, ax: Axes | None = None) -> Axes:
    """The growth with p of the law `name` = (a + b log p) dt^s; see `draw_law_in_p`."""
    return _named(draw_law_in_p(*_law(run, name), ax))


def law_in_dt(run: Results, name: Law = None, *, ax: Axes | None = None) -> Axes:
    """The power of dt of the law `name` = (a + b log p) dt^s; see `draw_law_in_dt`."""
    return _named(draw_law_in_dt(*_law(run, name), ax))


def phase_diagram(run: Results, quantity: str | None = None, *, ax: Axes | None = None) -> Axes:
    """The regions of the (delta, kappa) plane with a `quantity` in its cells; see `draw_phase_diagram`."""
    return draw_phase_diagram(_stored(run), quantity, ax)


def against(run: Results, number: int = 0, *, ax: Axes | None = None) -> Axes:
    """The table [[report.against]] of this `number`, points beside theory; see `draw_against`."""
    return _named(draw_against(_stored(run), number, ax))


def bias(run: Results, name: Law = None, *, ax: Axes | None = None) -> Axes:
    """Simulation minus theory against 1/x, and the line of the fit `name`; see `draw_bias`."""
    return _named(draw_bias(*_law(run, name), ax))


def threshold(run: Results, name: Law = None, *, ax: Axes | None = None) -> Axes:
    """Relaxation times that diverge at the threshold of the fit `name`; see `draw_threshold`."""
    return tidy(draw_threshold(*_law(run, name), ax))


def stability(run: Results, name: Law = None, *, ax: Axes | None = None) -> Axes:
    """Where an instability of the fit `name` sets in, against another axis of the grid; see `draw_stability`."""
    return tidy(draw_stability(*_law(run, name), ax))


def _curves(run: Results) -> Curves:
    """What a figure of curves needs: a Dataset is enough for it."""
    return Curves.of(run, _order(run)) if isinstance(run, xr.Dataset) else _stored(run)


def _stored(run: Results) -> Stored:
    """A finished run. **Raises:** ArgumentError for anything else, a Dataset included: it holds no fits."""
    if isinstance(run, Stored | Run):
        return run if isinstance(run, Stored) else run.stored
    if isinstance(run, str | PathLike):
        return Stored.load(Path(run))
    remedy = "Give the folder of a finished run, which holds its fits beside the curves."
    raise ArgumentError("run", "be a finished run or its folder", type(run).__name__, remedy)


def _law(run: Results, law: Law) -> tuple[Stored, str | None]:
    """A finished run and the name of its fit; with a law of `sgdsim.fit`, a run that holds this one."""
    stored = _stored(run)
    if not isinstance(law, Fitted):
        return stored, law
    return replace(stored, summary=stored.summary.model_copy(update={"fits": {law.quantity: law}})), None


def _order(data: xr.Dataset) -> tuple[str, ...]:
    """The observables as the system of a Dataset orders them, its risk first; none where the system is not known."""
    # Here and not above: with the systems comes JAX, which a stored run is drawn without.
    from sgdsim.systems import is_known, load_system

    name = data.attrs.get("system", "")
    if not is_known(name):  # that of a script, which only its problems carry
        return ()
    system = load_system(name)
    return tuple(dict.fromkeys((*system.scalars, *system.variables)))


def _named(axes: Axes) -> Axes:
    """The axes with the ticks of all figures, and with a legend where something has a label."""
    if tidy(axes).get_legend_handles_labels()[0]:
        axes.legend()
    return axes
