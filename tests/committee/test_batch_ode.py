"""The ODE of large batches: what samples of a batch do together, against quadratures, other forms and the chain."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.committee import Chain, Committee, EqualStart, ExactODE, ExplicitStart, LimitODE
from sgdsim.committee.averages.activations import Erf, Linear, Quadratic, Relu
from sgdsim.committee.second_layer import SecondLayer
from sgdsim.committee.theory.overlap_curve import pulls_together
from sgdsim.ensemble.theory import solve_theory
from tests.helpers import run, worst, z_from_theory

P = np.array([[1.0, 0.3], [0.3, 0.8]])
M0 = np.array([[0.4, 0.1], [-0.2, 0.5]])
Q0 = np.array([[0.9, 0.2], [0.2, 1.1]])
START = ExplicitStart(P, M0, Q0)


def by_quadrature(activation, nodes):
    """V V^T with V_i = E[sigma'(l_i) (f* - f) z], over a tensor of Gauss and Hermite's nodes in four normals."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    z = np.stack([part.ravel() for part in np.meshgrid(*[x] * 4, indexing="ij")], axis=1)
    weights = np.prod(np.stack([part.ravel() for part in np.meshgrid(*[w / w.sum()] * 4, indexing="ij")]), axis=0)
    fields = z @ np.linalg.cholesky(np.block([[P, M0.T], [M0, Q0]])).T
    sigma = np.asarray(activation.value(jnp.asarray(fields)))
    slopes = np.asarray(activation.derivative(jnp.asarray(fields[:, 2:])))
    error = sigma[:, :2].mean(1) - sigma[:, 2:].mean(1)
    V = (slopes * (error * weights)[:, None]).T @ z
    return V @ V.T


@pytest.mark.parametrize(
    ("activation", "nodes", "accuracy"),
    [(Erf(), 32, 1e-9), (Linear(), 4, 1e-12), (Quadratic(), 6, 1e-12), (Relu(), 32, 2e-2)],
)
def test_the_mean_pulls_are_those_of_a_quadrature(activation, nodes, accuracy):
    found = jax.jit(pulls_together)(*map(jnp.asarray, (P, M0, Q0)), activation)
    np.testing.assert_allclose(found, by_quadrature(activation, nodes), rtol=accuracy, atol=accuracy)


def test_a_unit_of_no_length_has_finite_pulls():
    Q = np.diag([0.0, 1.0])
    found = pulls_together(jnp.eye(2), jnp.zeros((2, 2)), jnp.asarray(Q), Erf())
    assert np.isfinite(found).all()


TIMES = np.array([0.1, 0.2, 0.5])


class Leading(ExactODE):
    """The ODE without what samples do together."""

    def pulls(self, problem):
        return None


def of_batch(batch, **keys):
    given = {"d": 400, "p": 2, "k": 2, "gamma": 40.0, "noise": 0.1, "batch": batch} | keys
    return Committee(**given)


@pytest.mark.slow
def test_the_ode_follows_the_chain_at_a_batch_of_d():
    """gamma/p = 10, where a step is A dt = 0.05 long: the ODE of the leading order is off by 17 error bars."""
    problem = of_batch(200, d=200, gamma=20.0)
    tiles = run(problem, START, Chain(), TIMES, 2**10, theory=ExactODE())
    assert worst({name: z_from_theory(tiles, name) for name in ("M", "Q", "excess_risk")}) < 4.5
    tiles.theory["Q"][0, :] = solve_theory(problem, START, TIMES, Leading())["Q"]
    assert worst({"Q": z_from_theory(tiles, "Q")}) > 15


@pytest.mark.slow
def test_a_network_with_a_second_layer_has_the_terms_of_the_plain_one():
    """Outputs that are one and hardly move: the closed forms of `NetworkRule` and `MeanStep` at a batch of 100."""
    plain, network = of_batch(100), of_batch(100, second=SecondLayer(gamma_a=1e-12))
    assert not network.plain
    left, right = (solve_theory(problem, START, TIMES, ExactODE()) for problem in (plain, network))
    for name in ("M", "Q", "excess_risk"):
        np.testing.assert_allclose(left[name], right[name], rtol=1e-8, atol=1e-10)
    assert np.abs(solve_theory(plain, START, TIMES, Leading())["Q"] - left["Q"]).max() > 1e-3


@pytest.mark.slow
def test_equal_units_have_the_terms_of_all():
    """Three units taken as one, and one by one."""
    problem = of_batch(100, p=3)
    start = EqualStart(M0=[0.3, -0.1], diagonal=0.9, off_diagonal=0.2)
    initial = jax.tree.map(lambda part: part[0], start.draw(problem, np.random.default_rng(0), 1))
    curve = ExactODE().bind(problem)
    alone, together = eqx.filter_jit(curve)(initial, TIMES), curve.solve(initial, TIMES)
    for name in ("M", "Q", "excess_risk"):
        np.testing.assert_allclose(alone[name], together[name], rtol=0, atol=1e-8)


def test_one_sample_has_none_of_it():
    assert ExactODE().bind(of_batch(1)).pulls is None
    assert LimitODE().bind(of_batch(100)).pulls is None


def test_steps_that_are_too_large_have_none_of_it():
    """A dt = gamma/(p d) = 1.25 and 1.5: beyond, terms of order dt are no corrections."""
    assert ExactODE().bind(of_batch(100, gamma=1000.0)).pulls is not None
    assert ExactODE().bind(of_batch(100, gamma=1200.0)).pulls is None
