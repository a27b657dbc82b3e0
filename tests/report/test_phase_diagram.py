"""The map of the regions over a small real run: lines, background, and the numbers in the cells."""

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.text import Annotation

from sgdsim.analysis.numbers import plain, rounded
from sgdsim.analysis.plateau import Plateau
from sgdsim.committee.scaling import Region, Scaling
from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import NAMED_COLOURS, styled
from sgdsim.report import write_report
from sgdsim.store.summary import End
from tests.report.changes import changed, with_cells, with_fit

FIGURE = FIGURES["phase_diagram"]
DELTAS, KAPPAS = (-0.75, -0.25, 0.0, 0.25), (0.0, 0.25)
TABLES = f"""
[problem]
k = 1
p0 = 1
noise = 0.01

[grid]
kappa = {list(KAPPAS)}
delta = {list(DELTAS)}
d = [200, 300]

[fits.deviation]
quantity = "sup_deviation"
against = "d"

[report]
figures = ["phase_diagram"]
"""


def panels(run):
    """The maps of the figure, without their colour scales."""
    figure = styled(lambda: FIGURE.draw(run))
    return [axes for axes in figure.axes if axes.get_title(loc="left")]


def region(delta, kappa, mu=0.0, rho=0.0):
    return Scaling(kappa=kappa, delta=delta, p0=1.0, gamma0=1.0, mu=mu, rho=rho).region


def texts_at(axes, delta, kappa):
    """What is written in a cell, from top to bottom."""
    near = [text for text in axes.texts if isinstance(text, Annotation) and text.xy == (delta, kappa)]
    ordered = sorted(near, key=lambda text: -text.get_position()[1])
    return [text.get_text().replace("\N{MINUS SIGN}", "-") for text in ordered]


def discs(axes):
    """What is drawn on the cells."""
    return [line for line in axes.lines if line.get_marker() == "o"]


def largest(run):
    """The cells at d = 300 by their place."""
    cells = [cell for cell in run.summary.cells if cell.axes["d"] == 300]
    return {(cell.axes["delta"], cell.axes["kappa"]): cell for cell in cells}


def with_parameters(run, change):
    """The run with other parameters of its cells: what `change` says of each."""
    return with_cells(run, [{"parameters": {**cell.parameters, **change(cell)}} for cell in run.summary.cells])


def with_largest(run, place, **fields):
    """The run with other fields of the cell at d = 300 in this place."""
    found = largest(run)[place]
    return with_cells(run, [fields if cell == found else {} for cell in run.summary.cells])


@pytest.mark.parametrize(
    ("mu", "rho", "told"), [(0.0, 0.0, "0 and -1/2"), (0.2, 0.0, "-0.2 and -0.6"), (0.2, 0.5, "-0.1 and -1/2")]
)
def test_the_lines_are_where_the_regions_meet(run, mu, rho, told):
    run = with_parameters(run, lambda cell: {"mu": mu, "rho": rho})
    assert f"kappa + delta = {told})" in FIGURE.caption(run)
    for axes in panels(run):
        (blue, red) = [line for line in axes.lines if len(line.get_xdata()) == 2]
        assert [to_hex(line.get_color()) for line in (blue, red)] == [NAMED_COLOURS[name] for name in ("blue", "red")]
        for line, above, on, below in (
            (blue, Region.GREEN, Region.BLUE, Region.ORANGE),
            (red, Region.ORANGE, Region.RED, Region.RED),
        ):
            for share in (0.0, 0.3, 0.8, 1.0):
                delta, kappa = ((1 - share) * first + share * last for first, last in line.get_xydata().T)
                found = [region(delta, kappa + shift, mu, rho) for shift in (1e-6, 0.0, -1e-6)]
                assert found == [above, on, below]


def test_a_batch_that_grows_like_d_leaves_no_blue_line(run):
    run = with_parameters(run, lambda cell: {"mu": float(cell.cell == 0)})
    assert "mu < 1" in FIGURE.lacks(run)


def test_the_background_has_the_colour_of_the_region_everywhere(run):
    axes = panels(run)[0]
    fills = [fill for fill in axes.collections if isinstance(fill, PolyCollection)]
    left, right, bottom, top = *axes.get_xlim(), *axes.get_ylim()
    rng = np.random.default_rng(0)
    seen = set()
    for delta, kappa in rng.uniform((left, bottom), (right, top), (200, 2)):
        inside = [fill for fill in fills if any(path.contains_point((delta, kappa)) for path in fill.get_paths())]
        assert [to_hex(fill.get_facecolor()[0]) for fill in inside] == [NAMED_COLOURS[region(delta, kappa)]]
        seen.add(region(delta, kappa))
    assert seen == {Region.GREEN, Region.ORANGE, Region.RED}


def test_every_cell_shows_its_final_risk_at_the_largest_d(run):
    axes = panels(run)[0]
    assert axes.get_title(loc="left") == "final excess risk at d = 300"
    cells = largest(run)
    assert set(cells) == {(delta, kappa) for delta in DELTAS for kappa in KAPPAS}
    for place, cell in cells.items():
        assert texts_at(axes, *place) == [plain(cell.final["excess_risk"].mean, digits=2)]


def test_cells_of_different_dimensions_say_so(run):
    far = largest(run)[0.0, 0.0]
    run = with_parameters(run, lambda cell: {"d": 10**12} if cell == far else {})
    assert panels(run)[0].get_title(loc="left") == "final excess risk at the largest d, 300 to $10^{12}$"


def test_darker_is_larger(run):
    brightness = {
        (disc.get_xdata()[0], disc.get_ydata()[0]): sum(disc.get_markerfacecolor()[:3])
        for disc in discs(panels(run)[0])
    }
    risks = {place: cell.final["excess_risk"].mean for place, cell in largest(run).items()}
    order = sorted(risks, key=lambda place: risks[place])
    assert sorted(brightness, key=lambda place: -brightness[place]) == order


def test_the_fitted_exponent_stands_above_that_of_the_theorem(run):
    axes = panels(run)[1]
    fits = run.summary.fits
    for delta, kappa in largest(run):
        if region(delta, kappa) is Region.RED:
            assert texts_at(axes, delta, kappa) == ["no theory"]
            continue
        fit = fits[f"deviation[kappa={kappa:g}, delta={delta:g}]"]
        theta = kappa + delta
        expected = -(1 + (theta if theta >= 0 else 2 * theta)) / 2
        assert texts_at(axes, delta, kappa) == [rounded(fit.slope, fit.slope_error), plain(expected)]


def test_a_prediction_at_the_same_d_takes_the_place_of_the_asymptotic_exponent(run):
    """A cell that contradicts it by more than 3.5 standard errors says so, in the map and below it."""
    assert "as d grows" in FIGURE.caption(run)
    fits = run.summary.fits
    for label, fit in fits.items():
        run = with_fit(run, label, theory_slope=None if "delta=-0.75" in label else fit.slope - 2.0 * fit.slope_error)
    assert panels(run)[1].get_title(loc="left").endswith("measured (left, above), theory at the same d (right, below)")
    assert "difference is +2.0 standard errors" in FIGURE.caption(run)
    assert "!" not in "".join(texts_at(panels(run)[1], 0.0, 0.0))
    label = "deviation[kappa=0, delta=0]"
    slope = fits[label].slope + 3.6 * fits[label].slope_error
    run = with_fit(run, label, theory_slope=slope)
    measured, predicted = texts_at(panels(run)[1], 0.0, 0.0)
    assert (measured[-2:], predicted) == (" !", plain(slope, digits=3))
    assert "Marked with !: more than 3.5 standard errors from theory, at kappa=0, delta=0 (-3.6)." in FIGURE.caption(
        run
    )


def test_without_a_fit_along_d_there_is_no_panel_of_exponents(run):
    run = changed(run, fits={})
    assert len(panels(run)) == 1
    assert "exponent" not in FIGURE.caption(run)


def test_the_length_of_plateaus_is_drawn_where_there_are_any(run):
    run = with_cells(run, [{"plateau": None}] * len(run.summary.cells))
    assert len(panels(run)) == 2
    plateau = Plateau(height=0.01, begin=10.0, end=52.0)
    axes = panels(with_largest(run, (0.0, 0.0), plateau=plateau))[2]
    assert texts_at(axes, 0.0, 0.0) == ["42"]
    assert texts_at(axes, 0.25, 0.0) == ["none"]


def test_diverged_replicas_are_marked_in_their_cell(run):
    assert not any("%" in text.get_text() for text in panels(run)[0].texts)
    run = changed(with_largest(run, (-0.75, 0.0), n_diverged=4), n_diverged=4)
    marks = [text for text in panels(run)[0].texts if "%" in text.get_text()]
    assert [mark.get_text() for mark in marks] == ["25 %"]
    delta, kappa = marks[0].get_position()
    assert (-0.75 < delta < -0.6, -0.15 < kappa < 0.0) == (True, True)
    assert "diverged" in FIGURE.caption(run)


def test_where_all_replicas_diverged_there_is_no_number(run):
    run = with_largest(run, (-0.75, 0.0), n_diverged=16, final={"excess_risk": End()})
    assert texts_at(panels(run)[0], -0.75, 0.0) == ["none finite"]


def test_a_fine_map_has_colours_and_no_numbers(run):
    wide = [
        cell.model_copy(
            update={
                "parameters": {**cell.parameters, "delta": cell.parameters["delta"] + 0.04 * shift},
                "n_diverged": int(cell.cell == shift == 0),
            }
        )
        for cell in run.summary.cells
        for shift in range(5)
    ]
    axes = panels(changed(run, cells=wide))[0]
    assert not axes.texts
    assert len(discs(axes)) == 40
    assert len(axes.xaxis.get_ticklocs()) <= 9


def test_what_is_no_map_is_refused(run):
    assert FIGURE.lacks(run) == ""
    for name, words in (("noise", "not over noise"), ("steps_per_time", "")):
        other = with_cells(run, [{"axes": {**cell.axes, name: cell.cell % 2}} for cell in run.summary.cells])
        assert words in FIGURE.lacks(other)
        assert bool(words) == bool(FIGURE.lacks(other))
    bare = with_cells(run, [{"axes": {"d": cell.axes["d"]}} for cell in run.summary.cells])
    assert "a grid over delta and kappa" in FIGURE.lacks(bare)


def test_a_map_of_nothing_is_refused(run):
    run = with_cells(changed(run, fits={}), [{"final": {}, "plateau": None}] * len(run.summary.cells))
    assert "scalar observable" in FIGURE.lacks(run)


def test_the_report_holds_the_map(directory):
    names = [path.name for path in write_report(directory)]
    assert names == ["phase_diagram.png", "phase_diagram.pdf", "report.html"]
