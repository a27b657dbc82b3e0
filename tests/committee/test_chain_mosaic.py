"""The chain in its fused form for GPUs, interpreted: every activation, many tiles in one program, the check of its
numbers, and what is said where it cannot be had."""

import logging
from dataclasses import dataclass
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from sgdsim.committee import (
    Chain,
    Committee,
    Custom,
    Erf,
    Linear,
    OverlapStart,
    Quadratic,
    Relu,
)
from sgdsim.committee.chain_lanes import chain_lanes
from sgdsim.ensemble import mosaic_device
from sgdsim.ensemble.devices import AXIS, tile_mesh
from sgdsim.ensemble.lane_loop import xla_form
from sgdsim.ensemble.mosaic_form import MosaicForm
from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.notices import notice
from sgdsim.rules import forms, mosaic
from sgdsim.rules.mosaic import disagreement

INTERPRETED = MosaicForm(interpret=True)


def shape_of(p, k, small=False, activation=None):
    d = k + p + 20 if small else 400
    return Chain().loop_shape(Committee(d=d, p=p, k=k, gamma=1.0, activation=activation or Erf()))


SHAPE = shape_of(2, 1)


@dataclass(frozen=True)
class Wrong:
    """XLA's form, with motions that are too large by a part of themselves."""

    part: float

    def __call__(self, loop, arrays, n_steps, segment):
        return arrays.whole + (xla_form(loop, arrays, n_steps, segment) - arrays.whole) * (1 + self.part)


def fails(loop, arrays, n_steps, segment):
    raise NotImplementedError("no lowering for a step like this\nand more of it")


OTHERS = [pytest.param(one, marks=pytest.mark.slow) for one in (Relu(), Linear(), Quadratic(), Custom(jnp.tanh))]


@pytest.mark.parametrize("activation", [Erf(), *OTHERS], ids=lambda a: a.name)
def test_every_activation_agrees_with_xla(activation):
    assert disagreement(INTERPRETED, shape_of(1, 2, activation=activation)) is None


@pytest.mark.slow
@pytest.mark.parametrize("shape", [SHAPE, shape_of(1, 1, small=True, activation=Linear())], ids=["p = 2", "small d"])
def test_so_do_wide_students_and_small_d(shape):
    assert disagreement(INTERPRETED, shape) is None


def test_the_check_notices_what_is_wrong_by_1e5_and_lets_roundings_pass():
    shape = shape_of(1, 1, activation=Linear())
    assert disagreement(Wrong(1e-7), shape) is None
    said = "the kernel differs from XLA's form by 1.0e-05 of the motion, where 1e-06 is allowed"
    assert disagreement(Wrong(1e-5), shape) == said
    assert "by nan" in (disagreement(Wrong(np.nan), shape) or "")
    said = "the kernel fails (NotImplementedError: no lowering for a step like this)"
    assert disagreement(fails, shape) == said


@pytest.mark.slow
def test_a_program_of_many_tiles_is_that_of_each():
    """As a GPU runs it: tiles spread over devices, at once, from save time to save time, in place."""
    problem, lanes, increments = Committee(d=400, p=2, k=1, gamma=1.0), 16, np.array([90, 0, 41])
    kernel = chain_lanes(problem, np.float32, lanes, INTERPRETED)
    start = OverlapStart(0.5, seed=1).draw(problem, np.random.default_rng(0), 1)
    states = [kernel.init(start, jnp.asarray(replica_keys(0, 0, tile * lanes, lanes))) for tile in range(2)]

    def tile(state):
        return jax.lax.fori_loop(0, 3, lambda i, state: kernel.advance(state, jnp.asarray(increments)[i]), state)

    spec = PartitionSpec(AXIS)
    spread = jax.shard_map(jax.vmap(tile), mesh=tile_mesh(1)[0], in_specs=spec, out_specs=spec, check_vma=False)
    together = jax.tree.map(lambda *parts: jnp.stack(parts), *states)
    result = jax.jit(spread, donate_argnums=0)(together)
    for number, state in enumerate(states):
        alone = jax.jit(tile)(state)
        np.testing.assert_array_equal(result.m[number], alone.m)
        np.testing.assert_array_equal(result.S[number], alone.S)
        assert result.step[number] == increments.sum()


@pytest.fixture
def gpu(monkeypatch):
    """Pretends that there is a GPU of a compute capability, and Pallas for it, interpreted."""

    def pretend(capability):
        device = SimpleNamespace(device_kind="NVIDIA X", compute_capability=capability)
        monkeypatch.setattr(mosaic.jax, "local_devices", lambda: [device])
        monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
        monkeypatch.setattr(mosaic_device, "MODULE", "json")
        notice.cache_clear()

    return pretend


PROBLEM = Committee(d=400, p=2, k=1, gamma=1.0)
OLD = "NVIDIA X has compute capability 8.0, and 9.0 is needed"


def test_an_old_gpu_falls_back_and_says_so(gpu, caplog):
    gpu("8.0")
    with caplog.at_level(logging.WARNING, "sgdsim"):
        assert forms.choose_form(SHAPE, np.float32, "auto") is xla_form
    assert [record.getMessage() for record in caplog.records] == [
        f"sgdsim: the chain runs as XLA compiles it, several times slower than fused: {OLD}"
    ]


def test_an_old_gpu_is_refused_where_the_fused_form_is_wanted(gpu):
    gpu("8.0")
    with pytest.raises(ArgumentError, match=OLD):
        Chain(kernel="fused").check(PROBLEM)
    with pytest.raises(ArgumentError, match=OLD):
        Chain(kernel="fused").bind(PROBLEM, 32, 1.0)


@pytest.mark.parametrize("kernel", ["auto", "fused"])
def test_a_new_gpu_takes_the_fused_form_once_its_numbers_are_right(gpu, monkeypatch, kernel):
    gpu("9.0")
    seen = []
    monkeypatch.setattr(mosaic, "disagreement", lambda form, shape: seen.append((form, shape)))
    Chain(kernel=kernel).check(PROBLEM)
    assert Chain(kernel=kernel).bind(PROBLEM, 32, 1.0).form == MosaicForm()
    assert set(seen) == {(MosaicForm(), SHAPE)}
    assert Chain(kernel="xla").bind(PROBLEM, 32, 1.0).form is xla_form


def test_a_plan_expects_the_fused_form_where_it_fits(gpu):
    gpu("9.0")
    fused, slow = Chain().step_cost(PROBLEM), Chain(kernel="xla").step_cost(PROBLEM)
    assert (fused.launches, fused.loops) == (0, 0)
    assert slow.launches > 0
    assert fused.operations < slow.operations / 5
    double = Chain(precision="float64")
    assert double.step_cost(PROBLEM) == double.portable_cost(PROBLEM)
    gpu("8.0")
    assert Chain().step_cost(PROBLEM) == slow


@pytest.mark.parametrize(
    ("problem", "dtype", "why"),
    [
        (PROBLEM, np.float64, "float32 only"),
        (Committee(d=400, p=9, k=1, gamma=1.0), np.float32, "p and k up to 8"),
        (Committee(d=400, p=2, k=9, gamma=1.0), np.float32, "p and k up to 8"),
        (Committee(d=37, p=5, k=1, gamma=1.0), np.float32, r"p and k up to 4 at d < k \+ p \+ 32"),
    ],
)
def test_what_does_not_fit_is_said(gpu, problem, dtype, why):
    gpu("9.0")
    with pytest.raises(ArgumentError, match=why):
        forms.choose_form(Chain().loop_shape(problem), dtype, "fused")


def test_a_tpu_has_no_fused_form(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert forms.choose_form(SHAPE, np.float32, "auto") is xla_form
    with pytest.raises(ArgumentError, match="must be `auto` or `xla` on this device, which is neither"):
        Chain(kernel="fused").check(PROBLEM)
