import numpy as np
import pytest

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import styled
from sgdsim.store.stored import Stored
from tests.report.changes import changed, with_fit


def draw(name, run):
    return styled(lambda: FIGURES[name].draw(run))


def curves(axes):
    """The y data of every line of a panel."""
    return [np.asarray(line.get_ydata(), float) for line in axes.lines]


def has_curve(axes, values):
    return any(curve.shape == values.shape and np.array_equal(curve, values) for curve in curves(axes))


@pytest.fixture
def run(run_directory):
    return Stored.load(run_directory)


def test_scaling_shows_the_points_the_law_and_the_exponent_of_theory(run):
    upper, lower = draw("scaling", run).axes
    fit = run.summary.fits["scaling"]
    x, mean, sem = np.array(fit.points).T
    assert has_curve(upper, mean)
    law = fit.constant * x**fit.slope
    assert has_curve(lower, mean / law)
    bars = upper.containers[0][2][0].get_segments()
    np.testing.assert_allclose([bar[:, 1] for bar in bars], np.stack([mean - sem, mean + sem], axis=1))
    labels = [text.get_text() for text in upper.get_legend().get_texts()]
    assert labels[0].startswith("simulation: slope 0.4")
    assert labels[1:] == ["theory: slope 0.5"]
    guide = next(line for line in upper.lines if line.get_label() == "theory: slope 0.5")
    slopes = np.diff(np.log(guide.get_ydata())) / np.diff(np.log(guide.get_xdata()))
    np.testing.assert_allclose(slopes, 0.5)


def test_a_predicted_exponent_takes_the_place_of_one_that_assumes_a_sharp_bound(run):
    run = with_fit(run, "scaling", expected_assumes="with log(p)", theory_slope=0.47, theory_constant=0.2)
    upper, _ = draw("scaling", run).axes
    (guide,) = [line for line in upper.lines if line.get_label() == "predicted: slope 0.47"]
    slopes = np.diff(np.log(guide.get_ydata())) / np.diff(np.log(guide.get_xdata()))
    np.testing.assert_allclose(slopes, 0.47)
    caption = FIGURES["scaling"].caption(run)
    assert "exponent of theory, 0.47" in caption
    assert "with log(p)" not in caption


@pytest.mark.parametrize("slope", [-0.96, 0.96])
def test_a_legend_with_all_that_is_to_say_finds_a_corner_beside_the_law(run, slope):
    x = np.array([3e-5, 7e-5, 2e-4, 1e-3])
    law = 3 * x**slope
    said = {"expected_slope": np.sign(slope), "chi2": 1210.0, "dof": 2, "theory_points": law.tolist()}
    points = np.stack([x, law, law / 100], axis=1).tolist()
    run = with_fit(run, "scaling", slope=slope, constant=3.0, points=points, **said)
    figure = draw("scaling", run)
    figure.draw_without_rendering()
    upper = figure.axes[0]
    place = upper.get_legend().get_window_extent()
    assert len(upper.get_legend().get_texts()) == 3
    for line in upper.lines:
        a, b = np.log(line.get_xydata()[[0, -1]])
        along = upper.transData.transform(np.exp(a + np.linspace(0, 1, 200)[:, None] * (b - a)))
        assert not any(place.contains(*point) for point in along)


def test_groups_of_a_fit_share_a_panel_and_fits_do_not(run):
    fit = run.summary.fits["scaling"]
    fits = {"scaling[noise=0.1]": fit, "scaling[noise=0.2]": fit, "risk": fit.model_copy(update={"quantity": "risk"})}
    figure = draw("scaling", changed(run, fits=fits))
    assert len(figure.axes) == 4
    labels = [text.get_text() for text in figure.subfigs[0].legends[0].get_texts()]
    assert [label.split(":")[0] for label in labels] == ["noise = 0.1", "noise = 0.2", "theory"]
    assert figure.axes[2].get_ylabel().startswith("final excess risk")


def test_scaling_says_what_its_points_are(run):
    assert FIGURES["scaling"].caption(run).startswith("Mean over replicas")
    assert FIGURES["scaling"].caption(with_fit(run, "scaling", quantity="steps_to_overlap")).startswith("Median over")


def test_a_long_name_of_an_axis_takes_two_lines(run):
    upper, _ = draw("scaling", with_fit(run, "scaling", quantity="steps_to_overlap")).axes
    assert upper.get_ylabel() == "median steps $\\nu$\nto overlap 1/2"


def test_scaling_says_what_it_needs(run):
    assert FIGURES["scaling"].lacks(run) == ""
    assert "[fits.NAME]" in FIGURES["scaling"].lacks(with_fit(run, "scaling", slope=None))


def test_without_an_expected_exponent_there_is_no_guide(run):
    run = with_fit(run, "scaling", expected_slope=None)
    upper, _ = draw("scaling", run).axes
    assert len(upper.get_legend().get_texts()) == 1
    assert "theory" not in FIGURES["scaling"].caption(run)


def test_trajectories_show_mean_theory_and_difference(run):
    figure = draw("trajectories", run)
    assert [axes.get_title() for axes in figure.axes[:3]] == [
        "excess risk",
        "teacher-student overlaps",
        "student overlaps",
    ]
    risk, difference = figure.axes[0], figure.axes[3]
    first = run.results.isel(cell=0)
    assert has_curve(risk, first["risk"].to_numpy())
    assert has_curve(risk, first["risk_theory"].to_numpy())
    assert has_curve(difference, (1 / first["risk_theory"] * (first["risk"] - first["risk_theory"])).to_numpy())
    assert [axes.get_ylabel() for axes in figure.axes[3:]] == ["relative difference", "difference", "difference"]
    assert risk.get_yscale() == "log"
    assert risk.get_xscale() == "linear"


def test_bands_are_one_standard_error_and_one_standard_deviation_wide(run):
    risk = draw("trajectories", run).axes[0]
    first = run.results.isel(cell=0)
    for band, part in zip(risk.collections[:2], ("risk_std", "risk_sem"), strict=True):
        heights = band.get_paths()[0].vertices[:, 1]
        assert heights.max() == pytest.approx(float((first["risk"] + first[part]).max()), rel=1e-12)
        assert heights.min() == pytest.approx(float((first["risk"] - first[part]).min()), rel=1e-12)


def test_at_most_four_cells_first_and_last_among_them(run):
    legend = [text.get_text() for text in draw("trajectories", run).legends[0].get_texts()]
    assert legend[::2] == ["$d$ = 100", "$d$ = 1000", "$d$ = 3000", "$d$ = 30000"]
    assert legend[1::2] == ["theory", "standard deviation", "standard error", " "]
    assert "4 of the 6 cells" in FIGURES["trajectories"].caption(run)


def test_a_cell_without_a_finite_replica_is_not_drawn(run):
    run.results["n_diverged"][0] = run.results["n_replicas"][0]
    legend = [text.get_text() for text in draw("trajectories", run).legends[0].get_texts()]
    assert legend[0] == "$d$ = 300"
    run.results["n_diverged"][:] = run.results["n_replicas"]
    assert "finite" in FIGURES["trajectories"].lacks(run)


def test_components_are_those_that_every_drawn_cell_has(run):
    for name in ("M", "M_sem", "M_std", "M_theory"):
        run.results[name][0, :, 2:, :] = np.nan  # as padded for a narrower student
    overlaps = draw("trajectories", run).axes[1]
    assert all(np.isfinite(curve).all() for curve in curves(overlaps))
    assert {text.get_text()[:4] for text in overlaps.texts} <= {"$M_{"}
    assert len(overlaps.texts) == 3


def test_components_of_a_symmetric_matrix_come_once(run):
    labels = [text.get_text() for text in draw("trajectories", run).axes[2].texts]
    rows, columns = zip(*((int(label[4]), int(label[5])) for label in labels), strict=True)
    assert len(set(labels)) == 3
    assert all(row <= column for row, column in zip(rows, columns, strict=True))


def test_without_a_theory_there_is_one_panel_for_each_observable(run):
    results = run.results.drop_vars([name for name in run.results if str(name).endswith("_theory")])
    bare = Stored(results, run.summary, run.provenance, run.experiment)
    figure = draw("trajectories", bare)
    assert len(figure.axes) == 3
    assert "theory" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_an_observable_that_theory_does_not_have_is_drawn_alone(run):
    bare = Stored(run.results.drop_vars("M_theory"), run.summary, run.provenance, run.experiment)
    figure = draw("trajectories", bare)
    assert len(figure.axes) == 5
    overlaps = next(axes for axes in figure.axes if axes.get_title() == "teacher-student overlaps")
    assert overlaps.get_xlabel() == "$t$"
    assert "--" not in [line.get_linestyle() for line in overlaps.lines]


def test_save_times_that_grow_by_factors_get_a_logarithmic_axis(run):
    run.results["t"][:] = np.geomspace(0.01, 5, 50)
    assert {axes.get_xscale() for axes in draw("trajectories", run).axes} == {"log"}
