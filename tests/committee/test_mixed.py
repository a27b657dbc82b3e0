"""Averages of a teacher whose units are of another kind than the student's."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from sgdsim.committee.averages import network as averages
from sgdsim.committee.averages.activations import Custom, Erf, Linear, Quadratic, Relu, check_activation
from sgdsim.committee.averages.mixed import Mixed
from sgdsim.committee.chain import Chain
from sgdsim.committee.problem import Committee
from sgdsim.committee.second_layer import SecondLayer
from sgdsim.committee.starts import OverlapStart
from sgdsim.committee.target import UnitMean
from sgdsim.committee.theory.ode import ExactODE
from sgdsim.errors import ArgumentError
from tests.helpers import run, worst, z_from_theory

ROOT = np.array([[0.9, 0.0, 0.0], [0.3, 0.8, 0.0], [-0.4, 0.2, 0.6]])
C, S, NOISE = ROOT @ ROOT.T, np.array([0.7, -0.5, -0.3]), 0.2
"""One teacher and two students."""
FUNCTIONS = {
    "erf": (lambda x: erf(x / np.sqrt(2)), lambda x: np.sqrt(2 / np.pi) * np.exp(-(x**2) / 2)),
    "linear": (lambda x: x, np.ones_like),
    "quadratic": (lambda x: x**2, lambda x: 2 * x),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
}
KINDS = {"erf": Erf(), "linear": Linear(), "quadratic": Quadratic(), "tanh": Custom(jnp.tanh)}
PAIRS = [("linear", "erf"), ("erf", "linear"), ("quadratic", "erf"), ("erf", "tanh")]
WITHIN = {"tanh": 1e-4}


def by_quadrature(teacher, student):
    """The four averages by Gauss and Hermite over the three fields."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    z = np.array(list(product(nodes, repeat=3)))
    weight = np.prod(np.array(list(product(weights / weights.sum(), repeat=3))), axis=1)
    fields = z @ ROOT.T
    sigma = np.stack([FUNCTIONS[kind][0](fields[:, i]) for i, kind in enumerate((teacher, student, student))], axis=1)
    slopes = FUNCTIONS[student][1](fields[:, 1:])
    error = sigma @ S
    return (
        np.einsum("z,zi,z,zj->ij", weight, slopes, error, fields),
        np.einsum("z,zi,zj,z->ij", weight, slopes, slopes, error**2 + NOISE),
        np.einsum("z,zi,z->i", weight, sigma[:, 1:], error),
        0.5 * weight @ error**2,
    )


@pytest.mark.parametrize(
    ("teacher", "student"),
    [pytest.param(*pair, marks=[pytest.mark.slow] * (pair != ("erf", "tanh"))) for pair in PAIRS],
)
def test_all_averages_are_those_of_a_quadrature(teacher, student):
    mixed = Mixed(KINDS[teacher], KINDS[student], 1)

    @jax.jit
    def found_at(C, S):
        return (
            averages.with_fields(C, S, 1, mixed),
            averages.with_errors(C, S, 1, NOISE, mixed),
            averages.with_outputs(C, S, 1, mixed),
            averages.half_square(C[..., None], S[:, None], mixed)[0],
        )

    found = found_at(jnp.asarray(C), jnp.asarray(S))
    for one, other in zip(found, by_quadrature(teacher, student), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=WITHIN.get(student, 1e-6))


@pytest.mark.slow
def test_the_chain_follows_the_ode_of_a_linear_teacher():
    """p = 2, k = 3 and an oblique second layer of the teacher, d = 10^4."""
    layer = SecondLayer(a0=[0.5, 1.5], gamma_a=0.5, a_star=[1.0, 2.0, -0.5])
    problem = Committee(d=10**4, p=2, k=3, gamma=1.0, noise=0.01, teacher_activation=Linear(), second=layer)
    tiles = run(problem, OverlapStart(0.5, 1), Chain(kernel="xla"), [0.5, 1.0], 512, seed=3, theory=ExactODE())
    assert worst({name: z_from_theory(tiles, name) for name in ("M", "Q", "a", "excess_risk")}) < 4.5


def test_relu_beside_another_is_no_pair_of_series():
    """It is a target like any other then: its risk within 0.2 %, against independent normals."""
    relu = Committee(d=100, p=2, k=2, gamma=1.0, noise=0.01, teacher_activation=Relu())
    start = jax.tree.map(lambda part: part[0], OverlapStart(0.5, 1).draw(relu, np.random.default_rng(0), 1))
    curve = ExactODE().bind(relu)
    assert Mixed.known(Erf(), Linear())
    assert not Mixed.known(Erf(), Relu())
    nodes = (
        np.random.default_rng(1).standard_normal((2**18, 4))
        @ np.linalg.cholesky(np.block([[start.P, start.M.T], [start.M, start.Q]]) + 1e-12 * np.eye(4)).T
    )
    losses = 0.5 * (np.maximum(nodes[:, :2], 0).mean(1) - erf(nodes[:, 2:] / np.sqrt(2)).mean(1)) ** 2
    error = losses.std() / len(losses) ** 0.5
    overlaps = (jnp.asarray(part) for part in (start.P, start.M, start.Q))
    seen = jax.jit(lambda rule, *at: rule.observe(*at))(curve.rule, *overlaps, jnp.zeros(0))
    assert float(seen["excess_risk"]) == pytest.approx(losses.mean(), abs=4.5 * error + 2e-3 * losses.mean())


def test_the_teachers_activation_is_checked():
    with pytest.raises(ArgumentError, match="`teacher_activation` must be an activation"):
        check_activation("relu", "teacher_activation")
    with pytest.raises(ArgumentError, match="`teacher_activation` must not be given beside a target"):
        Committee(d=100, p=2, k=2, gamma=1.0, teacher_activation=Relu(), target=UnitMean(Erf(), jnp.ones(2)))
    same = Committee(d=100, p=2, k=2, gamma=1.0, teacher_activation=Erf())
    assert same.plain
    assert same.parameters()["teacher_activation"] == "erf"
