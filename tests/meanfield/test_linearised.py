"""The network beside its linearisation: the kernel by hand, no gap where the model is linear, and lazy rates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.meanfield.dynamics import Sde, Sgd
from sgdsim.meanfield.kernels.linearised import tangent_kernel
from sgdsim.meanfield.losses import Squared
from sgdsim.meanfield.model import GaussianLaw, Model
from sgdsim.meanfield.models import output_model
from sgdsim.meanfield.particles import Linearised
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import LawStart
from tests.helpers import run
from tests.meanfield.by_hand import MODEL

OUTPUT = output_model()


def test_tangent_kernel_by_hand():
    w = np.random.default_rng(1).normal(size=(3, 7))
    x = np.asarray(OUTPUT.atoms.points)[:, 0]
    t = np.tanh(np.outer(w[1], x) + w[2][:, None])
    G = np.stack([t, w[0][:, None] * x * (1 - t**2), w[0][:, None] * (1 - t**2)])
    K = jax.jit(lambda W: tangent_kernel(OUTPUT, W))(tuple(jnp.asarray(row)[:, None] for row in w))
    np.testing.assert_allclose(K[:, :, 0], np.einsum("ikj,ikl->jl", G, G) / 7, rtol=1e-12)


@pytest.mark.parametrize("dynamics", [Sgd(batch=2), Sde("common")])
def test_a_linear_feature_is_its_own_linearisation(dynamics):
    """F = w x: both networks move alike, under any noise and at any scale of the output."""
    law = GaussianLaw(np.zeros(1), np.ones(1))
    linear = Model(name="linear", feature=lambda w, x: w[0] * x[0], loss=Squared(), data=MODEL.data, law=law)
    problem = MeanField(model=linear, N=16, gamma=0.3, beta=0.5, a=0.7, dynamics=dynamics)
    tiles = run(problem, LawStart(), Linearised(precision="float64"), [1.0], 4)
    assert tiles.kept["gap"].max() < 1e-13
    assert tiles.kept["displacement"].min() > 1e-4


def lazy(a: float, N: int) -> dict[str, np.ndarray]:
    problem = MeanField(model=OUTPUT, N=N, gamma=0.1, beta=0.5, a=a)
    return run(problem, LawStart(), Linearised(), [2.0], 64).kept


@pytest.mark.slow
@pytest.mark.parametrize("a", [0.5, 0.75])
def test_lazy_networks_hardly_move_and_become_linear(a):
    """|W - W_0|^2 ~ N^(2 (a - 1)), and so does the gap of this model, whose second order vanishes in the mean."""
    few, many = lazy(a, 64), lazy(a, 1024)
    for name, tolerance in (("displacement", 0.05), ("gap", 0.12)):
        points = [(each[name].mean(), each[name].std(ddof=1) / 8) for each in (few, many)]
        slope = np.log(points[1][0] / points[0][0]) / np.log(16)
        error = np.hypot(*(sem / mean for mean, sem in points)) / np.log(16)
        assert abs(slope - 2 * (a - 1)) < tolerance + 3 * error, name
