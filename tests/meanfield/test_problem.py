"""The problem and its models: conventions, and what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from sgdsim.errors import ArgumentError
from sgdsim.meanfield.dynamics import Sde, Sgd
from sgdsim.meanfield.features import radial_step
from sgdsim.meanfield.model import GaussianLaw, Model
from sgdsim.meanfield.models import output_model, radial_model, tanh_model
from sgdsim.meanfield.problem import MeanField
from tests.meanfield.by_hand import MODEL, G


def problem(**changes) -> MeanField:
    return MeanField(**{"model": MODEL, "N": 100, "gamma": 0.1, "beta": 0.5} | changes)


def test_eps_is_the_step_of_sgd_and_the_noise_of_the_sde():
    assert problem().eps == pytest.approx(0.01, rel=1e-14)
    assert problem().dt == problem().eps
    sde = problem(dynamics=Sde(dt=0.05))
    assert (sde.dt, sde.eps) == (0.05, problem().eps)
    assert problem(beta=1).eps == 0.1
    assert problem(beta=0).eps == pytest.approx(1e-3, rel=1e-14)
    np.testing.assert_array_equal(problem().steps(np.array([0.5, 5.0])), [50, 500])


def test_samples_of_a_step_are_those_of_the_sgd_that_it_stands_for():
    """At eps = 0.01 a step of the SDE of 0.05 stands for five of SGD; N = 100 particles with data of their own."""
    assert problem(dynamics=Sgd(batch=3)).samples_per_step == pytest.approx(3, rel=1e-14)
    assert problem(dynamics=Sgd("per_particle", batch=3)).samples_per_step == pytest.approx(300, rel=1e-14)
    assert problem(dynamics=Sde("common", dt=0.05, batch=3)).samples_per_step == pytest.approx(15, rel=1e-12)
    assert problem(dynamics=Sde(dt=0.05, batch=3)).samples_per_step == pytest.approx(1500, rel=1e-12)


def test_which_noise_is_left_in_the_limit():
    assert problem().limit_noise == 0
    assert problem(beta=1).random_limit
    assert problem(beta=1, dynamics=Sde("common")).random_limit
    for own in (Sde(batch=2), Sgd("per_particle", batch=2)):
        assert not problem(beta=1, dynamics=own).random_limit
        assert problem(beta=1, dynamics=own).limit_noise == 0.05
    assert not problem(dynamics=Sde("common")).random_limit


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"N": 1}, "N"),
        ({"gamma": 0}, "gamma"),
        ({"gamma": np.inf}, "gamma"),
        ({"beta": 1.1}, "beta"),
        ({"a": 0.4}, "a"),
        ({"bins": -1}, "bins"),
        ({"window": (1.0, 1.0)}, "window"),
        ({"gamma": 1.0, "beta": 1}, "gamma"),
        ({"model": radial_model(4), "dynamics": Sde()}, "dynamics"),
        ({"model": radial_model(4), "dynamics": Sgd("per_particle")}, "dynamics"),
    ],
)
def test_what_is_refused(changes, argument):
    with pytest.raises(ArgumentError) as caught:
        problem(**changes)
    assert caught.value.argument == argument


@pytest.mark.parametrize(("make", "argument"), [(lambda: Sgd(batch=0), "batch"), (lambda: Sde(dt=0.0), "dt")])
def test_dynamics_that_are_refused(make, argument):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert caught.value.argument == argument


def test_a_particle_of_very_many_weights_is_refused():
    law = GaussianLaw(np.zeros(200), np.ones(200))
    with pytest.raises(ArgumentError, match="128 weights"):
        Model(name="wide", feature=MODEL.feature, loss=MODEL.loss, data=MODEL.data, law=law)


def test_cautions_name_what_is_slow_and_what_is_random():
    (slow,) = problem(N=10_000, beta=0).cautions()
    assert "1e+05 steps per unit of time" in slow
    (random,) = problem(beta=1).cautions()
    assert "random limit" in random
    assert problem(dynamics=Sde()).cautions() == []
    (strong,) = problem(gamma=2.0, beta=1, dynamics=Sde()).cautions()
    assert "eps = gamma N^(beta - 1) = 2" in strong
    assert problem(gamma=0.99, beta=1, dynamics=Sde()).cautions() == []


def test_laws_and_targets_of_the_models():
    for model in (tanh_model(), tanh_model("logistic"), tanh_model("cross_entropy")):
        atoms = model.atoms
        mean = np.sum(np.asarray(atoms.labels * atoms.weights), axis=1) / np.sum(np.asarray(atoms.weights), axis=1)
        np.testing.assert_allclose(
            mean if model.loss != tanh_model("cross_entropy").loss else 2 * mean - 1, G, atol=1e-14
        )
    output = output_model()
    x, p = np.asarray(output.atoms.points)[:, 0], np.asarray(output.atoms.weights).sum(axis=1)
    assert [p.sum(), p @ x, p @ x**2, p @ x**4] == pytest.approx([1, 0, 1, 3], abs=1e-12)
    target = np.sin(2 * x) * np.exp(-(x**2) / 8)
    np.testing.assert_allclose(output.atoms.labels, target[:, None] + [[0.5, -0.5]], atol=1e-14)
    w = tanh_model().law(jnp.array([[-1.0, 0.0, 2.0]]))
    np.testing.assert_allclose(w, [[0.0, 0.5, 1.5]])
    assert radial_model(40).law.dim == 40


def test_the_loss_of_two_gaussians_is_the_square():
    loss = radial_model(3).loss
    assert float(loss(jnp.array(3.0), jnp.array(-1.0))) == 16
    assert float(loss.slope(jnp.array(3.0), jnp.array(-1.0))) == 8


def test_other_features_are_their_definitions():
    w, x = [jnp.array(value) for value in (2.0, -1.5, 0.3)], [jnp.array(0.7)]
    assert float(output_model("erf").feature(w, x)) == pytest.approx(2 * erf((-1.5 * 0.7 + 0.3) / 2**0.5))
    assert float(output_model("relu").feature(w, x)) == 0.0
    assert float(output_model("relu").feature(w, [-x[0]])) == pytest.approx(2 * (1.5 * 0.7 + 0.3))
    steps = [float(radial_step([jnp.array(u)], [jnp.array(1.0)])) for u in (0.0, 0.5, 1.0, 1.5, 3.0)]
    assert steps == [-2.5, -2.5, 2.5, 7.5, 7.5]
