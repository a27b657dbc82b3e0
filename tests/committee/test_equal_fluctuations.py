"""Predicted fluctuations of equal units: against those of all units one by one, and against simulations."""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erfc

from sgdsim.api import simulate, solve
from sgdsim.committee.averages.activations import Erf, Quadratic, Relu
from sgdsim.committee.equal_start import EqualStart
from sgdsim.committee.problem import Committee
from sgdsim.committee.starts import OverlapStart
from sgdsim.committee.theory.equal_fluctuations import ModeLaw, mode_law
from sgdsim.committee.theory.equal_step import EqualStep
from sgdsim.committee.theory.fluctuations import predict_spread
from sgdsim.committee.theory.largest import integrated, sampled
from sgdsim.committee.theory.modes import jacobian
from sgdsim.committee.theory.ode import ExactODE, GradientFlow, LimitODE
from sgdsim.committee.theory.step_covariance import StepCovariance
from sgdsim.errors import ArgumentError
from sgdsim.rules.entries import full, independent
from sgdsim.rules.linear_noise import Deviations

THEORY = ExactODE(fluctuations=True)
TIMES = np.array([0.25, 0.5, 0.75, 1.0])
TABLE = {8: (0.524, 0.008), 16: (0.571, 0.006), 32: (0.617, 0.007), 64: (0.665, 0.007)}
"""Measured sup_deviation/sqrt(dt) and its error, from the start below: 256 replicas of the chain."""


def problem(p=8, k=1, **options):
    return Committee(**{"d": 400, "p": p, "k": k, "gamma": float(p), "noise": 0.01} | options)


def start(k=1, off_diagonal=0.25):
    return EqualStart((0.5, -0.3)[:k], 1.0, off_diagonal)


def one(given, problem):
    given.check(problem)
    return jax.tree.map(lambda part: jnp.asarray(part[0]), given.draw(problem, np.random.default_rng(), 1))


def embeddings(p, k):
    """The directions in (M, Q) of the modes: of all units, of unit 1 against unit 2, and of four pairs."""

    def entries(M, Q):
        return np.asarray(independent(jnp.asarray(M), jnp.asarray(Q)))

    def of(u):
        Ms = [entries(u[:, None] * np.eye(k)[r], np.zeros((p, p))) for r in range(k)]
        between = (u[:, None] + u[None, :]) * (1 - np.eye(p))
        return np.stack([*Ms, entries(np.zeros((p, k)), np.diag(u)), entries(np.zeros((p, k)), between)], axis=1)

    w = np.zeros((p, p))
    for i, j, sign in ((0, 1, 1), (2, 3, 1), (0, 2, -1), (1, 3, -1)):
        w[i, j] = w[j, i] = sign
    together = of(np.ones(p)) @ np.diag([1.0] * (k + 1) + [0.5])
    return together, of(np.eye(p)[0] - np.eye(p)[1]), entries(np.zeros((p, k)), w)[:, None]


def averaged(covariance, p, k):
    """The mean over renamed units: what is alike for all of them has less of the error of the points."""
    M, Q = (np.asarray(part) for part in full(jnp.arange(len(covariance), dtype=float), p, k))
    names = [np.random.default_rng(seed).permutation(p) for seed in range(50)]
    places = [np.asarray(independent(jnp.asarray(M[n]), jnp.asarray(Q[np.ix_(n, n)]))).astype(int) for n in names]
    return np.mean([covariance[np.ix_(place, place)] for place in places], axis=0)


def in_modes(covariance, p, k):
    """The diagonal blocks of a covariance of (M, Q) that is alike for all units."""
    covariance = averaged(covariance, p, k)
    parts = [np.linalg.pinv(basis) for basis in embeddings(p, k)]
    together, single, pair = (part @ covariance @ part.T for part in parts)
    return jax.scipy.linalg.block_diag(together, 2 * single, 4 * pair)  # of unit 1 less 2, halved; of w_12 of four


@eqx.filter_jit
def all_jacobian(curve, P, M, Q):
    p, k = M.shape
    return jax.jacfwd(lambda x: independent(*curve.velocity(P, *full(x, p, k))))(independent(M, Q))


@pytest.mark.slow
@pytest.mark.parametrize(("p", "k", "off_diagonal", "activation"), [(8, 2, 0.3, Erf()), (5, 1, 0.4, Relu())])
def test_the_jacobian_is_that_of_all_units(p, k, off_diagonal, activation):
    given = problem(p, k, activation=activation, gamma=0.8 * p)
    initial, curve = one(start(k, off_diagonal), given), ExactODE().bind(given)
    J = np.asarray(all_jacobian(curve, initial.P, initial.M, initial.Q))
    modes = np.asarray(
        eqx.filter_jit(jacobian)(curve.of_equal_units(), initial.P, start(k, off_diagonal).units(given).state)
    )
    basis = np.concatenate(embeddings(p, k), axis=1)
    np.testing.assert_allclose(J @ basis, basis @ modes, rtol=0, atol=1e-5 * np.abs(J).max())


def test_moments_of_the_error_are_those_of_a_sum_over_units():
    """p = 6: two others and the label noise, on a grid of their three normals."""
    step = EqualStep.of(problem(6), 4)
    known, x, spread = jnp.array([0.3]), jnp.array([0.4]), jnp.array(0.8)
    nodes, weights = np.polynomial.hermite_e.hermegauss(30)
    grids = np.meshgrid(nodes, nodes, nodes, indexing="ij")
    weight = np.einsum("i,j,k->ijk", *[weights / weights.sum()] * 3)
    outputs = [np.asarray(Erf().value(jnp.asarray(0.4 + 0.8 * eps))) for eps in grids[:2]]
    e = 0.3 - sum(outputs) / 6 + 0.1 * grids[2]
    expected = [float((weight * e**n).sum()) for n in (1, 2, 3, 4)]
    np.testing.assert_allclose(step._given_all(known, x, spread)[:, 0], expected, rtol=1e-8)


STEPS = [
    pytest.param(5, 1, 0.3, Erf(), 3.0, marks=pytest.mark.slow),
    pytest.param(8, 2, 0.3, Erf(), 1.0, marks=pytest.mark.slow),
    pytest.param(8, 1, 0.15, Erf(), 1.0, marks=pytest.mark.slow),
    pytest.param(8, 1, 0.5, Relu(), 0.5, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("p", "k", "off_diagonal", "activation", "rate"), STEPS)
def test_the_noise_of_a_step_is_that_of_all_units(p, k, off_diagonal, activation, rate):
    """d = 40 and 6, where the law of |x|^2 is felt, and units that repel one another nearly as much as 8 can (0.1429).

    Relative to the standard deviations: 0.3 % is the error of the points of all units, and 1 % that for relu.
    """
    given = problem(p, k, d=40 if p == 8 else 6, gamma=rate * p, noise=0.05, batch=2, activation=activation)
    initial = one(start(k, off_diagonal), given)
    each = np.asarray(eqx.filter_jit(StepCovariance.of(given, 16))(initial.P, initial.M, initial.Q))
    noise = EqualStep.of(given, 17)
    modes = np.asarray(eqx.filter_jit(noise)(initial.P, start(k, off_diagonal).units(given).state))
    expected = np.asarray(in_modes(each, p, k))
    scale = np.sqrt(np.diag(expected))
    error = np.abs(modes - expected) / (scale[:, None] * scale[None, :])
    assert error.max() < (0.02 if isinstance(activation, Relu) else 0.008)


def like(values):
    """Means over units of M (times, k), over diagonal and other entries of Q (times, 2), or the risk itself."""
    if values.ndim < 3:
        return values
    if values.shape[1] != values.shape[2]:
        return values.mean(axis=1)
    p = values.shape[1]
    own = np.trace(values, axis1=1, axis2=2)
    return np.stack([own / p, (values.sum(axis=(1, 2)) - own) / (p * (p - 1))], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize(("p", "k", "off_diagonal"), [(8, 2, 0.4), (16, 1, 0.25)])
def test_the_spread_is_that_of_all_units(p, k, off_diagonal):
    """Means over like entries within 0.6 %, of points here and there; deviations within 1 %, of sampled paths too."""
    given, times = problem(p, k), np.array([0.5, 1.0])
    curve = ExactODE().bind(given)
    each = predict_spread(given, curve, curve, one(start(k, off_diagonal), given), times)
    equal = THEORY.spread(given, start(k, off_diagonal), times)
    assert equal is not None
    for name, std in each.std.items():
        assert equal.std[name].shape == std.shape
        np.testing.assert_allclose(like(equal.std[name]), like(std), rtol=6e-3)
        np.testing.assert_allclose(equal.std[name], std, rtol=2e-2)
    np.testing.assert_allclose(equal.deviation, each.deviation, rtol=1e-2)
    assert equal.sup_deviation == pytest.approx(each.sup_deviation, rel=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("p", [8, 16, 32, 64])
def test_measured_deviations_are_as_predicted(p):
    spread = THEORY.spread(problem(p), start(), TIMES)
    assert spread is not None
    mean, error = TABLE[p]
    assert abs(spread.sup_deviation / problem(p).dt ** 0.5 - mean) < 3 * error


@pytest.mark.slow
def test_a_simulation_has_the_predicted_spread():
    """2048 replicas: 1.6 % of a standard deviation each, less of their means over units, and 0.5 % of a deviation."""
    given = problem(12, 2, d=300, noise=0.1)
    measured = simulate(given, start(2, 0.5), np.array([0.5, 1.0]), replicas=2048, seed=2, theory=THEORY)
    for name, dims in (("M", ("student",)), ("Q", ("student", "student_2")), ("excess_risk", ())):
        square = (measured[f"{name}_std"] ** 2).mean(dims) / (measured[f"{name}_predicted_std"] ** 2).mean(dims)
        assert float(np.abs(square**0.5 - 1).max()) < 0.05
    for name in ("sup_deviation", "final_deviation"):
        sample = measured[name].to_numpy()
        predicted = float(measured[f"{name}_predicted"])
        assert abs(sample.mean() - predicted) < 5 * sample.std() / 2048**0.5 + 0.01 * predicted


def plain_law(p, together, singles, pairs, shift):
    """One save time, with C the given covariances."""
    C = np.asarray(jax.scipy.linalg.block_diag(together, singles, np.array([[pairs]])))[None]
    return ModeLaw(Deviations(np.zeros_like(C), C), np.asarray(shift)[None], p)


def brute_force(law, paths):
    """E|delta + shift|_inf from the covariance of all entries, by its root."""
    p, n = law.p, law.k + 2
    a, u, w = law.blocks(law.modes.covariances)
    row, column = np.triu_indices(p)
    size = p + row.size
    place = {(int(i), int(j)): p + m for m, (i, j) in enumerate(zip(row, column, strict=True))}
    covariance = np.zeros((size, size))
    # delta = A a + sum_i U_i u_i + W w, each with its covariance.
    A = np.zeros((size, n))
    A[:p, 0] = 1
    for (i, j), m in place.items():
        A[m, 1 if i == j else 2] = 1
    covariance += A @ a[0] @ A.T
    U = np.zeros((size, p, n))
    for i in range(p):
        U[i, i, 0] = 1
    for (i, j), m in place.items():
        if i == j:
            U[m, i, 1] = 1
        else:
            U[m, i, 2] += 1
            U[m, j, 2] += 1
    centred = np.einsum("mia,ij->mja", U, np.eye(p) - 1 / p)
    covariance += np.einsum("mia,ab,nib->mn", centred, u[0], centred, optimize=True)
    between = [place[pair] for pair in place if pair[0] != pair[1]]
    spanned = np.stack([U[between, i, 2] for i in range(p)], axis=1)
    projector = np.eye(len(between)) - spanned @ np.linalg.pinv(spanned)
    covariance[np.ix_(between, between)] += w[0] * projector
    root = np.linalg.cholesky(covariance + 1e-9 * np.eye(size))
    draws = np.random.default_rng(5).standard_normal((paths, size)) @ root.T
    return np.abs(draws + A @ law.shift[0]).max(axis=1).mean(), covariance, place


LAWS = [
    (np.diag([1.0, 0.5, 0.3]), np.diag([0.2, 0.4, 0.3]), 1.5, (0.0, 0.0, 0.0)),
    (0.3 + np.diag([0.2, 0.4, 0.1]), 0.2 + np.diag([0.2, 0.4, 0.3]), 0.5, (0.2, -0.5, 1.5)),
    (0.3 * np.eye(3), 0.05 * np.eye(3), 2.0, (0.0, 0.0, -1.0)),
]


@pytest.mark.parametrize(
    ("p", "case"),
    [(8, 0), (8, 1), (8, 2), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((16, 0), (16, 1), (32, 1)))],
)
def test_the_largest_of_all_entries_against_brute_force(p, case):
    """Every route draws at random: 1 % is 3 of their errors together.

    The pairs of a few units are not integrated as well: tails are taken as independent, and in the last law units have
    less in common than independent pairs would.
    """
    law = plain_law(p, *LAWS[case])
    expected, covariance, place = brute_force(law, 20_000 if p < 32 else 8000)
    assert sampled(law)[0][0] == pytest.approx(expected, rel=0.01)
    assert sampled(law)[1] == sampled(law)[0][0]
    if p > 8:
        assert integrated(law)[0] == pytest.approx(expected, rel=0.01)
    std_M, own, between = law.std()
    for std, m in ((std_M[0, 0], 0), (own[0], place[1, 1]), (between[0], place[2, 5])):
        assert std == pytest.approx(covariance[m, m] ** 0.5, rel=1e-12)


def test_the_largest_of_the_pairs_of_ten_thousand_units():
    """Units that are alike and still: E max |x| over the 5 10^7 pairs, which are independent, by quadrature."""
    law = plain_law(10_000, np.zeros((3, 3)), np.zeros((3, 3)), 1.5, (0.0, 0.0, 0.0))
    x = np.linspace(1e-6, 20, 200_001)
    above = -np.expm1(10_000 * 9999 / 2 * np.log1p(-erfc(x / (2 * 1.5) ** 0.5)))
    assert integrated(law)[0] == pytest.approx(np.trapezoid(above, x), rel=1e-3)


@pytest.mark.slow
def test_ten_thousand_units_take_seconds():
    """On the line of the logarithm: each doubling of p adds about as much, and the predictions join at 64 and 65."""
    wide = {p: problem(p, d=10**6, gamma=float(p)) for p in (64, 65, 1000, 10_000)}
    deviation = {64: THEORY.predicted_deviation(wide[64], start(), TIMES)}
    before = time.process_time()
    for p in (65, 1000, 10_000):
        deviation[p] = THEORY.predicted_deviation(wide[p], start(), TIMES)
        assert (np.diff(deviation[p]) > 0).all()
    assert time.process_time() - before < 30
    np.testing.assert_allclose(deviation[65], deviation[64], rtol=0.015)
    first, second = (deviation[b][-1] - deviation[a][-1] for a, b in ((65, 1000), (1000, 10_000)))
    assert second / np.log(10) == pytest.approx(first / np.log(1000 / 65), rel=0.25)


@pytest.mark.slow
@pytest.mark.parametrize(("theory", "delta"), [(LimitODE, 0.3), (GradientFlow, 0.0)])
def test_about_another_theory_its_distance_from_the_ode_counts(theory, delta):
    """d = 10^8: nearly all there is."""
    given = Committee.from_scaling(d=10**8, k=1, p0=8.0, delta=delta, noise=0.1)
    paths = [solve(given, start(), TIMES, theory=kind) for kind in (ExactODE(), theory())]
    distance = max(float(np.abs(paths[0][name] - paths[1][name])[-1].max()) for name in ("M", "Q"))
    assert theory().predicted_deviation(given, start(), TIMES)[-1] == pytest.approx(distance, rel=0.1)
    assert ExactODE().predicted_deviation(given, start(), TIMES)[-1] < 0.2 * distance


@pytest.mark.slow
def test_any_number_of_equal_units_and_no_other():
    with pytest.raises(ArgumentError, match=r"more than 400 independent.*Start from equal units"):
        THEORY.check_start(problem(30), OverlapStart(0.5))
    THEORY.check_start(problem(30), start())
    with pytest.raises(ArgumentError, match="for d < k"):
        ExactODE().predicted_deviation(problem(500), start(), TIMES)
    with pytest.raises(ArgumentError, match="`off_diagonal` must be at least"):
        ExactODE().predicted_deviation(problem(8), start(off_diagonal=0.1), TIMES)
    few = ExactODE().predicted_deviation(problem(3), start(), TIMES)
    assert 0.38 < few[-1] / problem(3).dt ** 0.5 < 0.44


def test_a_path_that_is_not_reached_is_told():
    wild = problem(8, activation=Quadratic(), gamma=16.0)
    curve = ExactODE().bind(wild).of_equal_units()
    with pytest.raises(ArgumentError, match="end where the ODE still has a solution"):
        mode_law(wild, curve, curve, start().units(wild), np.array([50.0]))
