"""Figures of SGD beside its SDE, of the dependence of two particles, and of the central limit theorem."""

import numpy as np
import pytest

from sgdsim.errors import ArgumentError
from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.meanfield.approximation import draw_approximation
from sgdsim.figures.meanfield.clt import draw_clt, draw_clt_ratio
from sgdsim.figures.meanfield.dependence import draw_dependence
from sgdsim.figures.style import styled
from sgdsim.laws.power import FittedPower
from tests.report.wide import TIMES, wide

EPS = (0.05, 0.1, 0.2)


def law(quantity, constant, slope, cells):
    points = [[eps, constant * eps**slope, 0.02 * constant * eps**slope] for eps in EPS]
    return FittedPower(
        quantity=quantity, against="eps", slope=slope, slope_error=0.1, constant=constant, points=points, cells=cells
    )


@pytest.fixture
def beside():
    """Two noises; the floor of the law given the start is largest at its third time."""
    axes = [{"noise": noise, "gamma": eps, "beta": 1.0, "N": 4} for noise in ("common", "independent") for eps in EPS]
    fits = {}
    for place, noise in enumerate(("common", "independent")):
        cells = tuple(range(3 * place, 3 * place + 3))
        fits |= {
            f"{name}[noise={noise}]": law(f"{name}_largest", constant, slope, cells)
            for name, constant, slope in (("apart", 0.3, 1.0), ("assigned", 0.01, 2.0), ("laws", 0.005, 2.0))
        }
    run = wide(axes, fits)
    for cell, one in zip(run.summary.cells, axes, strict=True):
        cell.parameters["eps"] = one["gamma"]
    floor = 1e-4 * (1 + np.arange(6))[:, None] * np.where(np.arange(len(TIMES)) == 2, 4.0, 1.0)
    for name in ("assigned_floor", "laws_floor"):
        run.results[name] = (("cell", "time"), floor)
    return run


def test_couplings_floors_and_the_bound(beside):
    assert FIGURES["approximation"].lacks(beside) == ""
    axes = draw_approximation(beside, "noise=independent")
    lines = {line.get_label(): line.get_xydata() for line in axes.lines}
    np.testing.assert_allclose(lines["its floor"], np.transpose([EPS, np.sqrt(4e-4 * np.array([4, 5, 6]))]))
    (bound,) = [values for label, values in lines.items() if label.startswith("$C")]
    height = bound[:, 1] / (np.sqrt(bound[:, 0]) * np.log1p(1 / bound[:, 0]))
    np.testing.assert_allclose(height, (0.3 * 0.2) ** 0.5 / (0.2**0.5 * np.log(6)))
    labels = axes.get_legend_handles_labels()[1]
    assert any("assigned: exponent $1.00(5)$" in label or "assigned: exponent 1.00(5)" in label for label in labels)
    assert len(styled(lambda: FIGURES["approximation"].draw(beside)).axes) == 2
    assert "floor" in FIGURES["approximation"].caption(beside)


@pytest.fixture
def copies():
    axes = [{"noise": "common", "beta": beta, "N": N} for beta in (0.5, 1.0) for N in (16, 256)]
    run = wide(axes)
    for name, means in (("covariance", [-0.02, 0.001, 0.01, 0.011]), ("dependence", [1e-3, 1e-5, 2e-3, 2e-3])):
        for ending, values in (("", means), ("_given_data", [value / 2 for value in means])):
            run.results[f"{name}{ending}"] = (("cell", "time"), np.repeat(np.array(values)[:, None], len(TIMES), 1))
            run.results[f"{name}{ending}_sem"] = (("cell", "time"), np.full((4, len(TIMES)), 2e-4))
    return run


def test_dependence_that_is_not_sure_is_drawn_as_a_bound(copies):
    assert FIGURES["dependence"].lacks(copies) == ""
    axes = draw_dependence(copies, "dependence", "common")
    arrows = [line.get_xydata() for line in axes.lines if line.get_marker() == "v" and len(line.get_xydata())]
    np.testing.assert_allclose(arrows, [[[256, 4e-4]], [[256 * 1.12, 4e-4]]])
    upper = draw_dependence(copies)  # the size of a covariance below 0
    points = np.concatenate([bars[0].get_xydata() for bars in upper.containers])
    assert [16, 0.02] in points.tolist()
    assert len(styled(lambda: FIGURES["dependence"].draw(copies)).axes) == 2
    assert "given the data" in FIGURES["dependence"].caption(copies)


@pytest.fixture
def clt():
    run = wide([{"model": model, "N": N} for model in ("tanh", "output_tanh") for N in (16, 64)])
    shape = run.results["m"].shape
    run.results["m_std"] = (run.results["m"].dims, np.full(shape, 0.3))
    run.results["m_predicted_std"] = (run.results["m"].dims, np.full(shape, 0.2))
    return run


def test_variances_of_predictions_over_those_of_theory(clt):
    assert FIGURES["clt"].lacks(clt) == ""
    measured, predicted = draw_clt(clt, "output_tanh").lines[2:4]
    np.testing.assert_allclose(measured.get_ydata(), 64 * 0.09)
    np.testing.assert_allclose(predicted.get_ydata(), 64 * 0.04)
    axes = draw_clt_ratio(clt, "tanh")
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 2.25)
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(2.25 * (1 + 2 * (2 / 39) ** 0.5))
    assert len(styled(lambda: FIGURES["clt"].draw(clt)).axes) == 4
    assert "two standard errors" in FIGURES["clt"].caption(clt)


@pytest.mark.parametrize(("draw", "name"), [(draw_approximation, "approximation"), (draw_dependence, "dependence")])
def test_what_a_run_lacks_is_said(draw, name):
    plain = wide([{"N": 16}, {"N": 64}])
    assert FIGURES[name].lacks(plain)
    with pytest.raises(ArgumentError, match="run"):
        draw(plain)


def test_a_run_without_predictions_has_no_central_limit_theorem():
    plain = wide([{"N": 16}, {"N": 64}])
    assert "clt" in FIGURES["clt"].lacks(plain)
    with pytest.raises(ArgumentError, match="run"):
        draw_clt(plain)
