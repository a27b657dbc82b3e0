"""Particles of many weights in one array: that computes what one array for each weight does, and no more than once."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.random import replica_keys
from sgdsim.meanfield import (
    Averaged,
    GaussianLaw,
    MeanField,
    Model,
    Particles,
    Squared,
    TwoGaussians,
    quadratic_model,
    radial_model,
    teacher_model,
)
from sgdsim.meanfield.features import dot, radial_step, square_unit
from sgdsim.meanfield.starts import Given

LANES = 8
KEYS = jnp.asarray(replica_keys(2, 1, 0, LANES))


class Apart(TwoGaussians):
    """The same data, every component by itself."""

    joined: ClassVar[bool] = False

    def draw(self, key, number, dtype):
        x, y = super().draw(key, number, dtype)
        return tuple(x), y


def arrays() -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(3)
    return jnp.asarray(rng.normal(size=(5, 4, 3))), jnp.asarray(rng.normal(size=(5, 1, 3)))


def test_products_and_gradients_of_one_array():
    w, x = arrays()

    def apart(w, x):
        return jnp.sum(square_unit(tuple(w), tuple(x)) ** 2)

    def joined(w, x):
        return jnp.sum(square_unit(w, x) ** 2)

    np.testing.assert_allclose(dot(w, x), np.einsum("ikl,il->kl", w, x[:, 0]), rtol=1e-14)
    for argument in (0, 1):
        one, other = (jax.grad(f, argument)(w, x) for f in (joined, apart))
        np.testing.assert_allclose(one, other, rtol=1e-12)
    tangents = jax.jvp(joined, (w, x), (x + w, 2 * x)), jax.jvp(apart, (w, x), (x + w, 2 * x))
    np.testing.assert_allclose(tangents[0][1], tangents[1][1], rtol=1e-12)


def test_what_is_not_a_number_stays_so():
    w, x = arrays()
    assert np.isnan(dot(w.at[1, 2, 1].set(np.nan), x)).sum() == 1


@pytest.mark.parametrize("simulator", [Particles("float64"), Averaged("float64")], ids=lambda s: s.name)
def test_steps_are_those_of_every_component_by_itself(simulator):
    ends, law = [], GaussianLaw(np.linspace(0.1, 0.6, 6), np.linspace(0.5, 1.5, 6))
    for data in (Apart(6, 8), TwoGaussians(6, 8)):
        model = Model(name="both", feature=radial_step, loss=Squared(scale=2.0), data=data, law=law)
        kernel = simulator.bind(MeanField(model=model, N=5, gamma=0.1, beta=0.75), LANES, 1.0)
        state = eqx.filter_jit(kernel.advance)(eqx.filter_jit(kernel.init)(Given(None), KEYS), jnp.asarray(7))
        assert isinstance(state_of(state).W, tuple) != model.joined
        ends.append(eqx.filter_jit(kernel.observe)(state))
    for name, seen in ends[0].items():
        np.testing.assert_allclose(seen, ends[1][name], rtol=1e-10, err_msg=name)


def test_features_of_ones_own_keep_an_array_for_each_weight():
    """Written out by component, their gradient of one array would be a sum of mostly zeros."""

    def own(w, x):
        return jnp.tanh(sum(a * b for a, b in zip(w, x, strict=True)))

    law = GaussianLaw(np.zeros(6), np.ones(6))
    model = Model(name="own", feature=own, loss=Squared(), data=TwoGaussians(6, 8), law=law)
    kernel = Particles("float64").bind(MeanField(model=model, N=5, gamma=0.1, beta=0.75), LANES, 1.0)
    state = eqx.filter_jit(kernel.advance)(eqx.filter_jit(kernel.init)(Given(None), KEYS), jnp.asarray(2))
    assert isinstance(state.W, tuple)
    assert np.isfinite(np.stack(state.W)).all()


def test_every_weight_of_one_array_is_work():
    """`sgdsim run meanfield/mei`: 1.4e-9 s a weight and step, d = 40, N = 200 and 800, in float64."""
    problem = MeanField(model=radial_model(40), N=800, gamma=4e-3, beta=0.5)
    double, single = (Particles(precision).step_cost(problem).arithmetic for precision in ("float64", "float32"))
    assert double / (800 * 40) == pytest.approx(1.4e-9, rel=0.1)
    assert double == 2 * single


def state_of(state):
    """The particles of a state, also where it has averages beside them."""
    return getattr(state, "system", state)


@pytest.mark.bits
@pytest.mark.parametrize(("name", "most"), [("quadratic", 14), ("radial", 13), ("teacher", 13)])
def test_a_step_computes_nothing_twice(name, most):
    """Operations of a step for every weight: a product, one in the gradient and the step itself, and the data's.

    Computed anew for each of 24 components the products alone would take 48.
    """
    model = {"quadratic": quadratic_model, "radial": radial_model, "teacher": teacher_model}[name](24)
    kernel = Particles().bind(MeanField(model=model, N=32, gamma=0.01, beta=0.75), 32, 1.0)
    keys = jnp.asarray(replica_keys(2, 1, 0, kernel.lanes))
    state = jax.eval_shape(kernel.init, Given(None), keys)
    program = jax.jit(lambda state, n: kernel.advance(state, n)).lower(state, jnp.asarray(1)).compile()
    assert program.cost_analysis()["flops"] < most * 24 * 32 * kernel.lanes
