"""sgdsim.plot: single panels of a Dataset or a finished run, with the numbers of the Dataset in them."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

import sgdsim
from sgdsim.committee import Committee, ExactODE, OverlapStart
from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import styled
from sgdsim.store.stored import Stored
from tests.report.recoveries import bias, onset, recovery, threshold, write

matplotlib.use("agg")

TABLES = """
[problem]
k = 1
gamma = 0.5
noise = 0.1

[theory]
fluctuations = true

[grid]
d = [20, 40]
p = [2, 3]

[fits.power]
quantity = "sup_deviation"
against = "dt"

[fits.both]
law = "log_power"
quantity = "sup_deviation"
against = "dt"
second = "p"
together = true

[[report.against]]
quantity = "excess_risk"
axis = "d"
"""
TIMES = np.array([0.0, 0.5, 1.0, 2.0])


@pytest.fixture(scope="module")
def dataset():
    """A simulation of one problem, as a notebook has it."""
    problem = Committee(d=20, p=2, k=1, gamma=0.5, noise=0.1)
    return sgdsim.simulate(problem, OverlapStart(0.3), TIMES, replicas=16, theory=ExactODE(fluctuations=True))


@pytest.fixture
def ax():
    return Figure().subplots()


def curves(axes):
    return [np.asarray(line.get_ydata(), float) for line in axes.lines]


def has_curve(axes, values):
    return any(np.array_equal(curve, values, equal_nan=True) for curve in curves(axes))


def test_curves_of_a_dataset(dataset, ax):
    assert sgdsim.plot.trajectories(dataset, "excess_risk", ax=ax) is ax
    assert has_curve(ax, dataset["excess_risk"])
    assert has_curve(ax, dataset["excess_risk_theory"])
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(float((dataset["excess_risk"] + dataset["excess_risk_std"]).max()), rel=1e-12)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["simulation"]
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), dataset["t"])


def test_differences_and_fluctuations_of_a_dataset(dataset):
    lower, ratio = Figure().subplots(2)
    sgdsim.plot.differences(dataset, "excess_risk", ax=lower)
    theory = dataset["excess_risk_theory"]
    assert has_curve(lower, 1 / theory * (dataset["excess_risk"] - theory))
    sgdsim.plot.fluctuations(dataset, "excess_risk", ax=ratio)
    predicted = dataset["excess_risk_predicted_std"]
    np.testing.assert_allclose(curves(ratio)[0][1:], (dataset["excess_risk_std"] / predicted)[1:], rtol=1e-12)


def test_the_risk_of_a_dataset_is_the_systems_own(dataset, ax):
    """Another scalar that comes first in the Dataset, by its letter, is not the risk."""
    more = {f"another{part}": dataset[f"excess_risk{part}"] / 2 for part in ("", "_sem", "_std")}
    sgdsim.plot.risk(dataset.assign(more)[sorted([*more, *map(str, dataset.data_vars)])], ax=ax)
    assert has_curve(ax, dataset["excess_risk"])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    steps = sgdsim.plot.risk(dataset, abscissa="step", ax=Figure().subplots())
    np.testing.assert_array_equal(steps.lines[0].get_xdata(), dataset["step"])
    assert "nu$" in steps.get_xlabel()


def test_theory_alone(ax):
    theory = sgdsim.solve(Committee(d=20, p=2, k=1, gamma=0.5), OverlapStart(0.3), TIMES)
    sgdsim.plot.risk(theory, ax=ax)
    assert has_curve(ax, theory["excess_risk"])
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), TIMES)


def test_results_and_the_run_give_the_same_curves(directory):
    """results.nc alone knows the grid, the words and the colours of the cells."""
    run = Stored.load(directory)
    for draw in (sgdsim.plot.trajectories, sgdsim.plot.risk, sgdsim.plot.fluctuations, sgdsim.plot.final_fluctuations):
        one, other = (draw(given, ax=Figure().subplots()) for given in (run, run.results))
        assert len(one.lines) == len(other.lines) > 1
        for left, right in zip(one.lines, other.lines, strict=True):
            np.testing.assert_array_equal(left.get_xydata(), right.get_xydata())
            assert left.get_color() == right.get_color()
        texts = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in (one, other)]
        assert texts[0] == texts[1]
        assert one.get_xlabel() == other.get_xlabel() != ""


def test_laws_of_a_run_are_those_of_its_report(directory):
    run = Stored.load(directory)
    for draw, kind in (("scaling", "scaling"), ("law_in_p", "law_in_p"), ("law_in_dt", "law_in_dt"), ("against",) * 2):
        alone = getattr(sgdsim.plot, draw)(directory, ax=Figure().subplots())
        whole = styled(lambda kind=kind: FIGURES[kind].draw(run)).axes[0]
        assert len(alone.lines) == len(whole.lines) > 0
        for left, right in zip(alone.lines, whole.lines, strict=True):
            np.testing.assert_array_equal(left.get_xydata(), right.get_xydata())
        assert (alone.get_xscale(), alone.get_yscale()) == (whole.get_xscale(), whole.get_yscale())
        assert alone.get_ylabel() == whole.get_ylabel()
        assert alone.get_xlabel()
        assert alone.get_legend() is not None


def test_a_law_is_chosen_by_name(tmp_path):
    fits = {"small": bias("distance", 0.001), "large": bias("m", 0.7), "at": threshold(1.5)}
    fits |= {f"rise[b={b}]": onset(0.2 + b) for b in (0.5, 1.0)}
    run = recovery(fits=fits, simulated=True)
    folder = write(run, tmp_path)
    ax = sgdsim.plot.bias(folder, "large", ax=Figure().subplots())
    assert curves(ax)[0][0] == pytest.approx(0.7 + 1.5 / 100 + 5e-4)
    assert ax.get_title() == "overlap with the signal, $m$"
    assert len(sgdsim.plot.threshold(str(folder), ax=Figure().subplots()).lines) > 1
    assert has_curve(sgdsim.plot.stability(run, ax=Figure().subplots()), [0.7, 1.2])
    with pytest.raises(ArgumentError, match="one of small, large"):
        sgdsim.plot.bias(run, "middle")


def test_what_cannot_be_drawn_is_refused(dataset, tmp_path, directory):
    run = Stored.load(directory)
    for draw in (sgdsim.plot.scaling, sgdsim.plot.law_in_p, sgdsim.plot.against, sgdsim.plot.phase_diagram):
        with pytest.raises(ArgumentError, match="folder of a finished run"):
            draw(dataset)
    with pytest.raises(ExperimentError, match="needs a finished run"):
        sgdsim.plot.scaling(tmp_path)
    with pytest.raises(ArgumentError, match="grid over delta and kappa"):
        sgdsim.plot.phase_diagram(run)
    with pytest.raises(ArgumentError, match="dimension time"):
        sgdsim.plot.risk(dataset[["max_deviation"]])
    with pytest.raises(ArgumentError, match="excess_risk"):
        sgdsim.plot.risk(dataset, "loss")
    with pytest.raises(ArgumentError, match="counted in the run"):
        sgdsim.plot.risk(dataset, abscissa="epochs")
    with pytest.raises(ArgumentError, match=r"theory\.fluctuations"):
        sgdsim.plot.fluctuations(dataset[[name for name in dataset.data_vars if "predicted" not in str(name)]])


def test_without_axes_a_figure_is_made(dataset):
    from matplotlib import pyplot as plt

    axes = sgdsim.plot.risk(dataset)
    assert axes.figure is plt.gcf()
    plt.close(axes.figure)


def test_it_is_imported_without_jax():
    code = "import sys, sgdsim; sgdsim.plot.scaling; assert 'jax' not in sys.modules; assert 'plot' in dir(sgdsim)"
    subprocess.run([sys.executable, "-c", code], check=True)
