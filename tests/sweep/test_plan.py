"""Plans: what an experiment would take, without running or writing anything."""

from pathlib import Path

import jax
import numpy as np
import pytest

from sgdsim.amounts import size_text
from sgdsim.engine.sweep import open_sweep
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.shapes import bytes_observed
from sgdsim.meanfield import limit
from sgdsim.meanfield.dynamics import Sgd
from sgdsim.meanfield.models import tanh_model
from sgdsim.meanfield.particles import Pair
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import FromLaw
from sgdsim.sweep.experiment import load_experiment
from sgdsim.sweep.plan import OPERATIONS_PER_SECOND, cautions, make_plan
from tests.toy import LANES, Walk, make_experiment

CONFIGS = Path(__file__).parents[2] / "configs"


def test_a_plan_says_what_the_sweep_then_does(tmp_path):
    experiment = make_experiment(d=(20, 40), noise=(1.0, 0.5), replicas=24)
    cells = make_plan(experiment)
    assert [cell.axes for cell in cells] == [{"d": d, "noise": noise} for noise in (1.0, 0.5) for d in (20, 40)]
    assert [cell.steps for cell in cells] == [20, 40, 20, 40]
    assert [cell.dt for cell in cells] == [1 / 20, 1 / 40] * 2
    assert {cell.replicas for cell in cells} == {24}
    assert cells[0].parameters == {"p": 2, "region": "blue"}
    sweep = open_sweep(experiment, tmp_path)
    assert [cell.blocks for cell in cells] == [len(cell.blocks) for cell in sweep.layout]


def test_nothing_is_simulated_or_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sgdsim.ensemble.replicas.Ensemble.run", lambda *_: pytest.fail("simulated"))
    monkeypatch.setattr(Ensemble, "run", lambda *_: pytest.fail("ran"))
    make_plan(make_experiment())
    assert not list(tmp_path.iterdir())


def test_memory_is_that_of_the_replicas_at_once():
    whole, half, one = (make_plan(make_experiment(batch=batch))[0].memory for batch in (24, 12, 1))
    assert whole == 2 * half == 6 * one
    assert one >= LANES * (2 * 8 + 5 * 3 * 8)  # the state, and three observables at five save times


def test_time_grows_with_the_work():
    short, long = make_plan(make_experiment(d=(20, 2000)))
    assert long.seconds == pytest.approx(100 * short.seconds)
    devices = min(jax.local_device_count(), 24 // LANES)
    assert short.seconds == pytest.approx(24 * 20 * 8.0 / OPERATIONS_PER_SECOND["cpu"] / devices)


@pytest.mark.parametrize(
    ("size", "text"), [(12, "12 B"), (2_000, "2 kB"), (19_300_000, "19.3 MB"), (10**12, "1e+03 GB")]
)
def test_memory_in_words(size, text):
    assert size_text(size) == text


def test_cautions_are_said_once_with_their_cells(monkeypatch):
    def warn(walk):
        return [f"dt = {walk.dt:g} is large"] * (walk.dt > 0.015) + ["noisy"] * (walk.noise > 2)

    monkeypatch.setattr(Walk, "cautions", warn)
    assert cautions(make_experiment(d=(100, 200))) == []
    assert cautions(make_experiment(d=(100, 20, 10), noise=(1.0, 3.0))) == [
        "caution: dt = 0.05 is large (cells 1, 2, 4 and 5)",
        "caution: noisy (cells 3, 4 and 5)",
    ]
    assert cautions(make_experiment(d=(100, 20))) == ["caution: dt = 0.05 is large (cell 1)"]
    many = make_experiment(d=(*range(2, 40), 100))
    assert cautions(many) == ["caution: dt = 0.5 is large (cells 0, 1, 2, 3, 4, 5 and 32 more)"]


def test_a_plan_solves_no_limit(monkeypatch):
    monkeypatch.setattr(limit, "_solve", lambda *_: pytest.fail("solved"))
    experiment = load_experiment(CONFIGS / "meanfield" / "rates_output_weight.toml")
    assert all(cell.memory > 0 and cell.seconds > 0 for cell in make_plan(experiment))


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_an_outline_has_the_sizes_of_the_kernel(beta):
    """Of pairs beside a limit, and beside a random one: the only simulator whose outline is not its kernel."""
    problem = MeanField(model=tanh_model(), dynamics=Sgd(), N=50, gamma=0.5, beta=beta, a=1.0, bins=7)
    outline, kernel = Pair().outline(problem, 40, 0.1), Pair().bind(problem, 40, 0.1)
    assert outline.lanes == kernel.lanes
    start = FromLaw().draw(problem, np.random.default_rng(0), 1)
    assert bytes_observed(outline, start) == bytes_observed(kernel, start) > 8 * outline.lanes * (7 + 8)
