"""The chain: one step by hand, its law against full weights, precision, and independence of d."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from sgdsim.committee.averages.activations import Erf
from sgdsim.committee.chain import Chain
from sgdsim.committee.chain_blocks import chain_blocks
from sgdsim.committee.chain_lanes import chain_lanes
from sgdsim.committee.problem import Committee
from sgdsim.committee.risk import excess_risk
from sgdsim.committee.starts import CombinationStart, ExplicitStart, OverlapStart, SphereStart
from sgdsim.committee.weights import Weights
from sgdsim.ensemble.random import lane_normals, replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.rules.bartlett import below_diagonal
from sgdsim.rules.radius import chi_square, quantile_coefficients
from tests.compiled import advance, begin, folded, observe
from tests.helpers import run, worst, z_between, z_of_variances

BATCH = 2048
"""Replicas at once: as many as the smaller ensembles have, so that they share compiled programs."""


class BlockedChain(Chain):
    """The chain by matrix products also where the unrolled form would be chosen; short blocks compile fast."""

    def bind(self, problem, replicas, final):
        return chain_blocks(problem, jnp.dtype(self.precision), 32, 4)


inputs_of = jax.jit(lambda kernel, key: tuple(kernel.inputs.draw(key)))


def start_state(kernel, problem, seed=3):
    initial = SphereStart(seed=seed).draw(problem, np.random.default_rng(0), kernel.lanes)
    return initial, begin(kernel, initial, replica_keys(11, 0, 0, kernel.lanes))


def sgd_by_hand(W, teacher, inputs, label_noise, problem):
    """Plain SGD on explicit weights; the inputs and weights live in any dimension, the problem's d sets the scales."""
    W, scale = W.copy(), 1 / np.sqrt(problem.d)
    for xs, noises in zip(inputs, label_noise, strict=True):
        change = np.zeros_like(W)
        for x, zeta in zip(xs, noises, strict=True):
            field = W @ x * scale
            y = np.mean(erf(teacher @ x * scale / np.sqrt(2))) + np.sqrt(problem.noise) * zeta
            error = y - np.mean(erf(field / np.sqrt(2)))
            change += np.outer(np.sqrt(2 / np.pi) * np.exp(-(field**2) / 2) * error, x)
        W += problem.gamma / (problem.p * np.sqrt(problem.d)) / problem.batch * change
    return W


def weights_in_frame(m, S, root, d, extra):
    """Weights with the given overlaps, in coordinates (teacher's span, student's span, extra directions)."""
    k, p = root.shape[0], len(m)
    pad = np.zeros((p, extra))
    W = np.sqrt(d) * np.hstack([m, np.linalg.cholesky(S), pad])
    teacher = np.sqrt(d) * np.hstack([root, np.zeros((k, p + extra))])
    return W, teacher


def test_one_step_of_the_unrolled_chain_by_hand():
    """The step in coordinates: x = (z_t, z_s, sqrt(chi^2)), then ordinary SGD on explicit weights."""
    problem = Committee(d=1000, p=3, k=2, gamma=0.7, noise=0.05)
    kernel = chain_lanes(problem, jnp.float64, 8)
    _, state = start_state(kernel, problem)
    after = advance(kernel, state, jnp.asarray(1))
    key = folded(state.keys, state.step)
    z = np.stack(lane_normals(key, jnp.uint32(0), 2 + 3 + 2, jnp.float64))
    freedom = np.array([1000 - 5])
    coefficients = [jnp.asarray(row[0]) for row in quantile_coefficients(freedom)]
    chi2 = np.asarray(chi_square(jnp.asarray(z[6]), jnp.asarray(995.0), coefficients))
    for lane in range(8):
        m, S, root = (np.asarray(part)[..., lane] for part in (state.m, state.S, state.teacher_root))
        W, teacher = weights_in_frame(m, S, root, problem.d, 1)
        x = np.concatenate([z[:5, lane], [np.sqrt(chi2[lane])]])
        W1 = sgd_by_hand(W, teacher, [[x]], [[z[5, lane]]], problem)
        new_m = W1[:, :2] / np.sqrt(problem.d)
        new_S = W1[:, 2:] @ W1[:, 2:].T / problem.d
        np.testing.assert_allclose(after.m[..., lane], new_m, rtol=0, atol=1e-14)
        np.testing.assert_allclose(after.S[..., lane], new_S, rtol=0, atol=1e-14)


BLOCKS = [(3, 8, 5), *(pytest.param(*case, marks=pytest.mark.slow) for case in [(1, 40, 37), (2, 21, 20)])]


@pytest.mark.parametrize(("batch", "block", "steps"), BLOCKS)
def test_a_block_of_steps_by_hand(batch, block, steps):
    """A part of one block, within and beyond a panel: the coordinates of the inputs are (Z_t, Z_s, T)."""
    problem = Committee(d=500, p=3, k=2, gamma=0.9, noise=0.05, batch=batch)
    kernel = chain_blocks(problem, jnp.float64, 4, block)
    _, state = start_state(kernel, problem)
    after = advance(kernel, state, jnp.asarray(steps))
    z_t, z_s, T, zeta = (np.asarray(part) for part in inputs_of(kernel, folded(state.keys, state.step)))
    X = np.concatenate([z_t, z_s, T], axis=2)
    for lane in range(4):
        m, S, root = (np.asarray(part)[lane] for part in (state.m, state.S, state.teacher_root))
        W, teacher = weights_in_frame(m, S, root, problem.d, T.shape[2])
        inputs, noises = X[lane].reshape(block, batch, -1)[:steps], zeta[lane].reshape(block, batch)[:steps]
        W1 = sgd_by_hand(W, teacher, inputs, noises, problem)
        np.testing.assert_allclose(after.m[lane], W1[:, :2] / np.sqrt(problem.d), rtol=0, atol=1e-13)
        np.testing.assert_allclose(after.S[lane], W1[:, 2:] @ W1[:, 2:].T / problem.d, rtol=0, atol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_every_entry_below_the_diagonal_is_a_number_of_its_own(n):
    rows = (n + 1) // 2
    folded = 1.0 + np.arange(2 * rows * n).reshape(2, rows, n)
    T = np.asarray(below_diagonal(jnp.asarray(folded), n))
    below = np.tril(np.ones((n, n), bool), -1)
    assert np.all(T[:, ~below] == 0)
    assert np.all(T[:, below] > 0)
    assert len(np.unique(T[:, below])) == T[:, below].size


@pytest.mark.parametrize("d", [64, 20])
def test_the_gram_matrix_of_a_block_has_the_law_of_inputs_in_d_dimensions(d):
    """E and variance of x_s.x_t/d: (1, 2/d) on the diagonal, (0, 1/d) off it; d = 20 leaves T 15 to 8 degrees."""
    problem = Committee(d=d, p=3, k=2, gamma=1.0)
    kernel = chain_blocks(problem, jnp.float64, 4096, 8)
    keys = replica_keys(2, 0, 0, 4096)
    z_t, z_s, T, _ = (np.asarray(part) for part in inputs_of(kernel, (keys[0], keys[1])))
    X = np.concatenate([z_t, z_s, T], axis=2)
    gram = X @ X.swapaxes(1, 2) / d
    n = len(gram)
    for s in range(8):
        for t in range(s + 1):
            values, mean, variance = gram[:, s, t], float(s == t), (2 if s == t else 1) / d
            assert abs(values.mean() - mean) < 5 * (variance / n) ** 0.5
            fourth = np.mean((values - mean) ** 4)
            assert abs(values.var() - variance) < 5 * ((fourth - variance**2) / n) ** 0.5


@pytest.mark.parametrize("d", [64, 20])
def test_the_numbers_of_a_block_are_independent(d):
    """Every coordinate of every sample and every label noise, by the correlations of values and of squares."""
    kernel = chain_blocks(Committee(d=d, p=3, k=2, gamma=1.0), jnp.float64, 4096, 8)
    keys = replica_keys(2, 0, 0, 4096)
    parts = [np.asarray(part).reshape(4096, -1) for part in inputs_of(kernel, (keys[0], keys[1]))]
    numbers = np.concatenate(parts, axis=1)
    numbers = numbers[:, numbers.std(axis=0) > 0]
    assert numbers.shape[1] == 8 * (2 + 3 + 1) + 8 * 9 // 2
    both = np.concatenate([numbers, numbers**2], axis=1)
    correlations = np.corrcoef(both.T) - np.eye(both.shape[1])
    own = np.abs(correlations[: numbers.shape[1], numbers.shape[1] :])
    np.fill_diagonal(own, 0.0)  # a chi and its own square go together
    for part in (
        correlations[: numbers.shape[1], : numbers.shape[1]],
        own,
        correlations[numbers.shape[1] :, numbers.shape[1] :],
    ):
        assert np.abs(part).max() < 6 / 4096**0.5


OBLIQUE = ExplicitStart(
    [[1.0, 0.5], [0.5, 0.8]],
    [[0.6, -0.1], [0.2, 0.4], [-0.3, 0.1]],
    [[1.1, -0.1, -0.25], [-0.1, 0.9, 0.1], [-0.25, 0.1, 0.7]],
)


@pytest.mark.parametrize(
    "kernel_of",
    [
        lambda problem: chain_lanes(problem, jnp.dtype("float64"), 8),
        lambda problem: chain_blocks(problem, jnp.dtype("float64"), 8, 4),
        lambda problem: Weights("float64", block=4).bind(problem, 8, 1.0),
    ],
    ids=["lanes", "blocks", "weights"],
)
def test_the_overlaps_of_an_oblique_teacher_are_observed_as_given(kernel_of):
    """P is not the identity: M = m L^T with P = L L^T, and not m L."""
    problem = Committee(d=100, p=3, k=2, gamma=1.0)
    kernel = kernel_of(problem)
    initial = OBLIQUE.draw(problem, np.random.default_rng(0), kernel.lanes)
    seen = observe(kernel, begin(kernel, initial, replica_keys(0, 0, 0, kernel.lanes)))
    M, Q = np.asarray(initial.M[0]), np.asarray(initial.Q[0])
    risk = jax.jit(excess_risk)(*(jnp.asarray(part[0]) for part in (initial.P, initial.M, initial.Q)), Erf())
    for lane in range(kernel.lanes):
        np.testing.assert_allclose(seen["M"][..., lane], M, rtol=0, atol=1e-12)
        np.testing.assert_allclose(seen["Q"][..., lane], Q, rtol=0, atol=1e-12)
        np.testing.assert_allclose(seen["excess_risk"][lane], risk, rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("start", [OverlapStart(0.5, 1), CombinationStart(seed=2)], ids=["overlap", "combination"])
def test_chain_and_full_weights_have_the_same_law(start):
    """Means and variances of every order parameter and of the risk: unrolled chain, blocked chain, full weights."""
    problem = Committee.from_scaling(d=60, k=2, p0=3, noise=0.5)
    times, replicas = [0.25, 0.5, 1.0], 2**15
    lanes = run(problem, start, Chain(), times, replicas, seed=1, batch=BATCH)
    weights = run(problem, start, Weights(block=4), times, replicas, seed=2, batch=BATCH)
    blocks = run(problem, start, BlockedChain(), times, replicas // 2, seed=3, batch=BATCH)
    for left, right in ((lanes, weights), (blocks, weights), (lanes, blocks)):
        assert worst(z_between(left, right)) < 5
        assert worst(z_of_variances(left, right)) < 5


@pytest.mark.slow
@pytest.mark.parametrize("change", ["step_size", "noise_root", "freedom"])
def test_that_comparison_sees_a_two_percent_error_of_a_coefficient(change):
    """The test above can fail: each constant of the step, 2 % off, is seen."""
    problem = Committee.from_scaling(d=60, k=2, p0=3, noise=0.5)

    class Wrong(Chain):
        def bind(self, problem, replicas, final):
            right = super().bind(problem, replicas, final)
            if change == "freedom":
                return dataclasses.replace(right, freedom=int(1.02 * right.freedom))
            rule = dataclasses.replace(right.rule, **{change: 1.02 * getattr(right.rule, change)})
            return dataclasses.replace(right, rule=rule)

    times, replicas = [0.25, 0.5, 1.0], 2**15
    right = run(problem, OverlapStart(0.5, 1), Weights(block=4), times, replicas, seed=2, batch=BATCH)
    wrong = run(problem, OverlapStart(0.5, 1), Wrong(), times, 2 * replicas, seed=1, batch=BATCH)
    assert max(worst(z_between(right, wrong)), worst(z_of_variances(right, wrong))) > 5


@pytest.mark.slow
def test_batches_have_the_law_of_full_weights():
    problem = Committee.from_scaling(d=60, k=2, p0=2, noise=0.1, batch=4)
    times, replicas = [0.25, 1.0], 2**14
    chain = run(problem, OverlapStart(0.5, 1), Chain(), times, replicas, seed=1)
    weights = run(problem, OverlapStart(0.5, 1), Weights(block=4), times, replicas, seed=2)
    assert worst(z_between(chain, weights)) < 5
    assert worst(z_of_variances(chain, weights)) < 5


@pytest.mark.slow
@pytest.mark.parametrize("d", [1000, 10**6])
def test_float32_follows_float64_path_by_path(d):
    """Both precisions draw the same bits, so every replica's path can be compared, not only the law."""
    problem = Committee.from_scaling(d=d, k=4, p0=4, noise=1e-3)
    initial = OverlapStart(0.5, 1).draw(problem, np.random.default_rng(0), 256)
    ends = []
    for precision in ("float32", "float64"):
        kernel = chain_lanes(problem, jnp.dtype(precision), 256)
        state = begin(kernel, initial, replica_keys(0, 0, 0, 256))
        seen = observe(kernel, advance(kernel, state, jnp.asarray(5000)))
        ends.append({name: np.asarray(value) for name, value in seen.items()})
    scatter = np.std(ends[1]["Q"], axis=-1).min()
    for name in ("M", "Q"):
        assert np.abs(ends[0][name] - ends[1][name]).max() < 0.02 * scatter


@pytest.mark.slow
def test_float32_agrees_with_float64_at_a_million_dimensions():
    """Independent seeds, 2e4 steps of 1e-6 each."""
    problem = Committee.from_scaling(d=10**6, k=2, p0=2, noise=1e-3)
    single = run(problem, OverlapStart(0.5, 1), Chain("float32"), [0.005, 0.01, 0.02], 2048, seed=1)
    double = run(problem, OverlapStart(0.5, 1), Chain("float64"), [0.005, 0.01, 0.02], 2048, seed=2)
    assert worst(z_between(single, double)) < 5


@pytest.mark.slow
def test_near_perfect_learning_float32_tracks_float64():
    """Noiseless, p = k = 2: the excess risk falls below 1e-8, where Q - M P^-1 M^T would have been lost to rounding."""
    problem = Committee.from_scaling(d=100, k=2, p0=2, gamma0=6, noise=0.0)
    start, times = ExplicitStart(np.eye(2), 0.9 * np.eye(2), np.eye(2)), [20.0, 60.0, 120.0]
    single, double = (run(problem, start, Chain(precision), times, 2048) for precision in ("float32", "float64"))
    assert double.mean["excess_risk"].mean(axis=0)[-1] < 1e-8
    ratio = single.mean["excess_risk"].mean(axis=0) / double.mean["excess_risk"].mean(axis=0)
    np.testing.assert_allclose(ratio, 1, atol=0.02)


@pytest.mark.slow
def test_a_singular_start_stays_finite_and_keeps_its_symmetry():
    """Duplicated neurons see the same gradient: their overlaps stay equal for ever, and nothing divides by zero."""
    Q0 = np.array([[1.0, 1.0, 0.2], [1.0, 1.0, 0.2], [0.2, 0.2, 1.0]])
    M0 = np.array([[0.5, 0.1], [0.5, 0.1], [0.0, 0.3]])
    problem = Committee.from_scaling(d=200, k=2, p0=3, noise=0.01)
    tiles = run(problem, ExplicitStart(np.eye(2), M0, Q0), Chain(), [0.5, 2.0], 256)
    assert tiles.diverged.sum() == 0
    np.testing.assert_allclose(tiles.mean["M"][:, :, 0], tiles.mean["M"][:, :, 1], atol=1e-5)


def test_cost_per_step_has_no_d_in_it():
    """d enters as traced numbers only: d = 10^3 and d = 10^9 run the very same program."""
    kernels = [chain_lanes(Committee(d=d, p=4, k=4, gamma=1.0), jnp.float32, 256) for d in (10**3, 10**9)]
    assert jax.tree.structure(kernels[0]) == jax.tree.structure(kernels[1])


def test_too_small_a_dimension_is_refused_with_the_remedy():
    with pytest.raises(ArgumentError, match=r"Argument `d` must be >= k \+ p = 8 .* got 7\. Use the simulator"):
        Chain().check(Committee(d=7, p=4, k=4, gamma=1.0))
