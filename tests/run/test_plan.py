"""Plans: what an experiment would take, without running or writing anything."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from sgdsim.amounts import size_text
from sgdsim.classification.problem import Classification
from sgdsim.classification.simulator import Network
from sgdsim.committee import Chain, Committee, Weights
from sgdsim.cost import KEPT, KERNEL, LAUNCH, WAIT, Once
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.shapes import bytes_observed, signature
from sgdsim.experiment.experiment import load_experiment
from sgdsim.meanfield.dynamics import Sgd
from sgdsim.meanfield.limits import limit
from sgdsim.meanfield.models import tanh_model
from sgdsim.meanfield.particles import Pair, Particles
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import LawStart
from sgdsim.native.build import find_compiler
from sgdsim.recovery.descent import Descent
from sgdsim.recovery.problem import Recovery
from sgdsim.run import machine, plan
from sgdsim.run.opened import open_run
from sgdsim.run.plan import cautions, make_plan
from tests.toy import LANES, DecayTheory, Walk, make_experiment

CONFIGS = Path(__file__).parents[2] / "configs"


def test_a_plan_says_what_the_sweep_then_does(tmp_path):
    experiment = make_experiment(d=(20, 40), noise=(1.0, 0.5), replicas=24)
    cells = make_plan(experiment).cells
    assert [cell.axes for cell in cells] == [{"d": d, "noise": noise} for noise in (1.0, 0.5) for d in (20, 40)]
    assert [cell.steps for cell in cells] == [20, 40, 20, 40]
    assert [cell.dt for cell in cells] == [1 / 20, 1 / 40] * 2
    assert {cell.replicas for cell in cells} == {24}
    assert cells[0].parameters == {"p": 2, "region": "blue"}
    sweep = open_run(experiment, tmp_path)
    assert [cell.blocks for cell in cells] == [len(cell.blocks) for cell in sweep.layout]


def test_nothing_is_simulated_or_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sgdsim.ensemble.replicas.Ensemble.run", lambda *_: pytest.fail("simulated"))
    monkeypatch.setattr(Ensemble, "run", lambda *_: pytest.fail("ran"))
    make_plan(make_experiment())
    assert not list(tmp_path.iterdir())


def test_memory_is_that_of_the_replicas_at_once():
    whole, half, one = (make_plan(make_experiment(batch=batch)).cells[0].memory for batch in (24, 12, 1))
    assert whole == 2 * half == 6 * one
    assert one >= LANES * (2 * 8 + 5 * 3 * 8)  # the state, and three observables at five save times


def test_memory_has_the_data_of_every_replica():
    """n (d + 1) numbers of float32 each: 30 d data in place of 10 d are 20 d (d + 1) numbers more."""
    few, many = (
        make_plan(
            load_experiment(CONFIGS / "committee" / "gd_to_one_pass.toml", ["grid.zip=[]", f"data.n0={n0}"], quick=True)
        ).cells[0]
        for n0 in (10.0, 30.0)
    )
    assert few.replicas == many.replicas == 32
    data = 32 * 20 * 60 * 61 * 4
    assert data <= many.memory - few.memory <= 2.5 * data


@pytest.fixture
def reference(monkeypatch):
    """A machine as fast as the reference, with two cores."""
    monkeypatch.setattr(plan, "slowness", lambda: 1.0)
    monkeypatch.setattr(plan.jax, "local_devices", lambda: [Device("cpu")] * 2)


@dataclass(frozen=True)
class Device:
    platform: str


def test_simulation_by_hand(reference):
    """Walker: 80 operations and three loops a step. Six tiles of four on two cores, of 20 and of 2000 steps."""
    short, long = (make_plan(make_experiment(d=(d,), replicas=24)) for d in (20, 2000))
    step = 3 * 4e-8 + 4 * 80 * 8e-11
    assert short.simulate == pytest.approx(20 * step * 6 / 2)
    assert long.simulate == pytest.approx(100 * short.simulate)
    assert long.cells[0].seconds == pytest.approx(long.simulate)
    lone = make_plan(make_experiment(d=(20,), replicas=1))
    assert lone.simulate == pytest.approx(20 * step)  # one tile keeps one core


def test_cells_of_one_shape_are_simulated_together_and_compiled_once(reference):
    one, both = (make_plan(make_experiment(d=d, replicas=3)) for d in ((200,), (200, 100)))
    assert one.compile == both.compile > 0
    assert both.simulate == pytest.approx(one.simulate)  # each has a core
    experiment, wider = make_experiment(d=(200,)), make_experiment(d=(200,), p=3)
    cells = (experiment.cells[0], replace(wider.cells[0], index=1))
    assert make_plan(replace(experiment, cells=cells)).compile == pytest.approx(one.compile + KERNEL)


def test_an_accelerator_takes_the_time_of_the_longest_cell(reference, monkeypatch):
    monkeypatch.setattr(plan.jax, "local_devices", lambda: [Device("gpu")])
    monkeypatch.setattr(Ensemble, "memory", 0)
    grid = make_plan(make_experiment(d=(1000, 2000, 4000), replicas=100))
    latency = 2 * LAUNCH + WAIT
    assert grid.simulate == pytest.approx(4000 * latency + 7000 * 100 * 80 * 4.5e-13)
    many = make_plan(make_experiment(d=(4000,), replicas=10**8, block=10**8))
    assert many.simulate == pytest.approx(4000 * (latency + 10**8 * 80 * 4.5e-13))


def test_the_parts_make_the_whole_and_kept_programs_spare_most_of_the_compilation(reference, monkeypatch):
    monkeypatch.setattr(DecayTheory, "cost", lambda self, problem, start, times: 7.0)
    monkeypatch.setattr(
        DecayTheory, "once", lambda self, problem, start, times: (Once("limit", compile=2.0, solve=11.0),)
    )
    whole = make_plan(make_experiment(d=(20, 40)))
    assert whole.theory == 2 * 7 + 11
    assert whole.compile == KERNEL + 2
    assert list(whole.parts) == ["start", "compile", "theory", "simulate", "report"]
    assert whole.first == pytest.approx(sum(whole.parts.values()))
    assert whole.again == pytest.approx(whole.first - (1 - KEPT) * (KERNEL + 2))


def test_a_slower_machine_takes_longer(reference, monkeypatch):
    fast = make_plan(make_experiment())
    monkeypatch.setattr(plan, "slowness", lambda: 3.0)
    slow = make_plan(make_experiment())
    assert {name: slow.parts[name] / fast.parts[name] for name in ("start", "compile", "simulate", "report")} == (
        pytest.approx(dict.fromkeys(("start", "compile", "simulate", "report"), 3.0))
    )


def test_the_machine_is_measured_in_a_moment_and_in_grades(monkeypatch):
    began = machine.time.perf_counter()
    machine.slowness.cache_clear()
    assert 0.1 < machine.slowness() < 100
    assert machine.time.perf_counter() - began < 1
    loops = [machine.LOOP_SECONDS * factor for factor in (9.0, 2.1, 4.0)] * machine.TRIES
    monkeypatch.setattr(machine, "loop", iter(loops).__next__)
    machine.slowness.cache_clear()
    assert machine.slowness() == pytest.approx(2.0, rel=0.01)
    machine.slowness.cache_clear()


PARTICLES = MeanField(model=tanh_model(), dynamics=Sgd(), N=10**4, gamma=0.5, beta=0.5, a=1.0)
COSTS = {
    "chain, p = 2": (Committee(d=10**6, p=2, k=4, gamma=1.0), Chain(kernel="xla"), 256, 2 / 5.36e7),
    "chain, p = 4": (Committee(d=10**6, p=4, k=4, gamma=1.0), Chain(kernel="xla"), 256, 2 / 3.76e7),
    "chain, p = 8": (Committee(d=10**6, p=8, k=4, gamma=1.0), Chain(kernel="xla"), 256, 2 / 1.7e7),
    "chain, p = 32": (Committee(d=10**6, p=32, k=4, gamma=1.0), Chain(), 16, 2 / 4.0e6),
    "chain, p = 128": (Committee(d=10**6, p=128, k=4, gamma=1.0), Chain(), 16, 2 / 5.68e5),
    "batches of 8": (Committee(d=10**6, p=4, k=4, gamma=1.0, batch=8), Chain(), 16, 2 / 2.26e6),
    "batches of 32": (Committee(d=10**6, p=4, k=4, gamma=1.0, batch=32), Chain(), 16, 2 / 1.37e6),
    "batches of 1000": (Committee(d=10**6, p=2, k=4, gamma=1.0, batch=1000), Chain(), 16, 2 / 5.55e4),
    "batches of 32 without C++": (
        Committee(d=10**6, p=4, k=4, gamma=1.0, batch=32),
        Chain(kernel="xla"),
        16,
        2 / 1.07e6,
    ),
    "weights, p = 4": (Committee(d=1000, p=4, k=4, gamma=1.0), Weights(kernel="xla"), 8, 2 / 5.17e5),
    "weights, p = 32": (Committee(d=1000, p=32, k=4, gamma=1.0), Weights(kernel="xla"), 8, 2 / 3.01e5),
    "particles, SGD": (PARTICLES, Particles(), 16, 2 / 1.58e5),
    "descent, N = 100": (Recovery(alpha=2.5, eta=0.1, N=100), Descent(stored=True), 32, 2 / 1.81e4),
    "networks": (Classification(N=1000, gamma=1, beta=1), Network(), 4, 2 / 3.66e3),
}
"""Seconds of a core for a step of one replica, as `make bench` has found them for two cores."""


@pytest.mark.parametrize("name", COSTS)
def test_counted_costs_are_those_that_were_measured(name):
    problem, simulator, lanes, measured = COSTS[name]
    assert 0.5 < simulator.step_cost(problem).on_core(lanes) / lanes / measured < 2


@pytest.mark.skipif(find_compiler() is None, reason="there is no C++ compiler")
def test_the_fused_chain_pays_nothing_for_narrow_tiles():
    """`make bench`: a core makes 4e7 to 5e7 steps a second."""
    cost = Chain().step_cost(Committee(d=10**6, p=4, k=4, gamma=1.0))
    assert cost.on_core(16) / 16 == cost.on_core(256) / 256
    assert 0.5 < cost.on_core(16) / 16 * 4.5e7 < 2


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
    assert all(cell.memory > 0 and cell.seconds > 0 for cell in make_plan(experiment).cells)


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_an_outline_has_the_sizes_of_the_kernel(beta):
    """Of pairs beside a limit, and beside a random one: the only simulator whose outline is not its kernel."""
    problem = MeanField(model=tanh_model(), dynamics=Sgd(), N=50, gamma=0.5, beta=beta, a=1.0, bins=7)
    outline, kernel = Pair().outline(problem, 40, 0.1), Pair().bind(problem, 40, 0.1)
    assert outline.lanes == kernel.lanes
    start = LawStart().draw(problem, np.random.default_rng(0), 1)
    sizes = [bytes_observed(*signature(one, start)) for one in (outline, kernel)]
    assert sizes[0] == sizes[1] > 8 * outline.lanes * (7 + 8)
