"""E max |Omega - Omega_bar| over all entries of M and Q of equal units, from the law of their modes.

Up to `MOST_SAMPLED` units whole paths of all entries are sampled. For more, the p (p - 1)/2 entries Q_ij are
integrated: given the parts that units have of their own,

    dQ_ij = s_ij + g_ij,    s_ij = a_c + u_ic + u_jc,    g_ij independent and Gaussian of variance G

    P(max_ij |dQ_ij| <= y | s) = prod_ij P(|s_ij + g_ij| <= y) = exp(sum_ij [L(y - s_ij) + L(y + s_ij)])

where L(y) = log Phi(y/sqrt G), up to products of two tails. The sum over pairs is one over s_ij on a grid: its
histogram is that of u convolved with itself, and the sum for all y is another convolution, both by FFT. p = 10^4 takes
as long as 10^3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Complex, Float

from sgdsim.committee.problem import Committee
from sgdsim.committee.theory.equal_fluctuations import ModeLaw, mode_law, risk_gradients
from sgdsim.committee.theory.equal_units import EqualCurve, EqualUnits, expand
from sgdsim.contracts import Spread
from sgdsim.ensemble.sobol import sobol_normals
from sgdsim.rules.linear_noise import square_root

MOST_SAMPLED = 64
"""Width up to which `mean_largest` samples all entries. Integrating gives 0.6 % too much at 32, 0.4 % from 64 on."""

NUMBERS, MOST, FEWEST = 2**26, 2**13, 2**6
"""Of the Gaussian entries of all sampled paths, and of the paths: p^2 entries at every save time each.

An error of 0.3 % at p = 8 and of 0.5 % at p = 128 with 4 save times: the largest entry varies by 13 to 25 % from path
to path.
"""

HALF = 2**11
"""Values of an entry on either side of 0, on a grid."""
LENGTH = scipy.fft.next_fast_len(4 * HALF + 1, real=True)
"""Of the transforms: as long as the kernel. What wraps around falls on values that are not used."""
CHUNK = 32
"""Draws that are transformed at once."""

DRAWS, MOST_DRAWS, FEWEST_DRAWS = 2**11, 2**9, 2**7
"""Of the parts of single units: at all save times together, and at one. An error of 0.5 % with 4 save times."""

REACH = 9.0
"""Standard deviations beyond which no entry lies."""


def mean_largest(law: ModeLaw) -> Float[np.ndarray, " times"]:
    """E |delta + shift|_inf at every save time, for any width."""
    return sampled(law)[0] if law.p <= MOST_SAMPLED else integrated(law)


def mean_sizes(law: ModeLaw) -> tuple[Float[np.ndarray, " times"], float]:
    """E |delta + shift|_inf at every save time, and E of its maximum over them.

    The latter is sampled for every width, at a cost of p^2. Beyond `MOST_SAMPLED` the sample says how much larger it is
    than the largest of the former.
    """
    at_times, supremum = sampled(law)
    if law.p <= MOST_SAMPLED:
        return at_times, supremum
    better = integrated(law)
    return better, supremum * float(better.max() / at_times.max())


def sampled(law: ModeLaw) -> tuple[Float[np.ndarray, " times"], float]:
    """E |delta + shift|_inf at every save time, and E of its maximum over them, over sampled paths of all entries."""
    per_path = len(law.shift) * law.p**2
    paths = int(np.clip(NUMBERS // per_path, FEWEST, MOST))
    at_once = max(1, 2**21 // law.p**2)
    rng = np.random.default_rng(0)
    sizes = np.concatenate([_paths(law, rng, min(at_once, paths - n)) for n in range(0, paths, at_once)])
    return sizes.mean(axis=0), float(sizes.max(axis=1).mean())


def _paths(law: ModeLaw, rng: np.random.Generator, paths: int) -> Float[np.ndarray, "paths times"]:
    """|delta + shift|_inf of that many paths at every save time."""
    p, n = law.p, law.k + 2
    a, u, w = np.zeros((paths, 1, n)), np.zeros((paths, p, n)), np.zeros((paths, p, p), np.float32)
    sizes = []
    steps = zip(*law.blocks(law.modes.transitions), *law.blocks(law.modes.kicks), law.shift, strict=True)
    for Phi_a, Phi_u, phi_w, C_a, C_u, C_w, shift in steps:
        a = a @ Phi_a.T + rng.standard_normal(a.shape) @ square_root(C_a).T
        u = u @ Phi_u.T + _centred(rng.standard_normal(u.shape)) @ square_root(C_u).T
        w = np.float32(phi_w) * w + np.float32(max(C_w, 0.0) ** 0.5) * _pairs(rng, paths, p)
        own = a + u + shift[None, None, :]
        between = w + _plus(u[:, :, -1], a[:, 0, -1] + shift[-1]).astype(np.float32)
        between[:, np.arange(p), np.arange(p)] = 0.0
        largest = np.abs(own[:, :, :-1]).max(axis=(1, 2))
        sizes.append(np.maximum(largest, np.abs(between).max(axis=(1, 2))))
    return np.stack(sizes, axis=1)


def _plus(u: Float[np.ndarray, "paths p"], a: Float[np.ndarray, " paths"]) -> Float[np.ndarray, "paths p p"]:
    """a + u_i + u_j."""
    return u[:, :, None] + u[:, None, :] + a[:, None, None]


def _centred(values: Float[np.ndarray, "paths p n"]) -> Float[np.ndarray, "paths p n"]:
    return values - values.mean(axis=1, keepdims=True)


def _pairs(rng: np.random.Generator, paths: int, p: int) -> Float[np.ndarray, "paths p p"]:
    """Symmetric normals, less the part in their row sums without the diagonal: off it, w for a variance of 1."""
    square = rng.standard_normal((paths, p, p), np.float32)
    g = np.tril(square, -1)
    g = g + np.swapaxes(g, 1, 2)
    rows = g.sum(axis=2)
    return g - _plus(rows, -rows.sum(axis=1) / (p - 1)) / np.float32(p - 2)


def integrated(law: ModeLaw) -> Float[np.ndarray, " times"]:
    """E |delta + shift|_inf at every save time, with the pairs of units integrated."""
    draws = int(np.clip(DRAWS // len(law.shift), FEWEST_DRAWS, MOST_DRAWS))
    parts = zip(*law.blocks(law.modes.covariances), law.shift, strict=True)
    return np.array([_mean(law.p, *part, draws) for part in parts])


def _mean(
    p: int,
    together: Float[np.ndarray, "modes modes"],
    singles: Float[np.ndarray, "modes modes"],
    pairs: float,
    shift: Float[np.ndarray, " modes"],
    draws: int,
) -> float:
    """E |delta + shift|_inf at one time: a mean over draws of the parts a and u.

    With w replaced by independent g_ij of the same variance, what these add to means is taken from a and u.
    """
    rng, first = np.random.default_rng(0), sobol_normals(len(shift), int(np.log2(draws)))
    same, own = together.copy(), singles.copy()
    same[-1, -1] -= 2 * pairs / (p * (p - 1))
    own[-1, -1] -= pairs / (p - 2)
    centres = shift + first @ square_root(same).T
    root, sigma = square_root(own), max(pairs, 0.0) ** 0.5
    # The grid is one for all draws, so that one kernel serves them: beyond 7 standard deviations there is no unit.
    bins = _Bins.of(2 * 7.0 * max(own[-1, -1], 0.0) ** 0.5 + REACH * sigma + 1e-300, sigma)
    means = []
    for some in np.array_split(centres, max(1, len(centres) // CHUNK)):
        units = [_centred(rng.standard_normal((1, p, len(shift))))[0] @ root.T for _ in some]
        others = [float(np.abs(a + u)[:, :-1].max()) for a, u in zip(some, units, strict=True)]
        means += bins.means_given(some[:, -1], np.stack([u[:, -1] for u in units]), others)
    return float(np.mean(means))


@dataclass(frozen=True)
class _Bins:
    """A grid of 2 half + 1 values of an entry, and L(y) = log Phi(y/sigma) on it, transformed."""

    width: float
    kernel: Complex[np.ndarray, " frequencies"]

    @classmethod
    def of(cls, reach: float, sigma: float) -> "_Bins":
        """The grid up to `reach`, for pairs whose own part has the standard deviation `sigma`."""
        width = reach / HALF
        # A pair that is below with probability e^-50 decides alone; squares of large numbers would drown the others.
        below = scipy.special.log_ndtr(np.arange(-2 * HALF, 2 * HALF + 1) * (width / max(sigma, width)))
        return cls(width, scipy.fft.rfft(np.maximum(below, -50.0), LENGTH))

    def means_given(
        self, a: Float[np.ndarray, " draws"], u: Float[np.ndarray, "draws p"], others: Sequence[float]
    ) -> list[float]:
        """E max(others, max_(i<j) |a + u_i + u_j + g_ij|) of every draw, for g_ij ~ N(0, sigma^2)."""
        counts = self._pair_counts(u)
        # Forwards for s, backwards for -s: the same counts on a grid that is symmetric about 0.
        both = scipy.fft.rfft(np.concatenate([counts, counts[:, ::-1]]), LENGTH, workers=-1)
        log_below = scipy.fft.irfft(both * self.kernel, LENGTH, workers=-1)[:, 2 * HALF : 4 * HALF + 1]
        y = np.arange(-HALF, HALF + 1) * self.width
        rows = zip(a.tolist(), *np.split(log_below, 2), others, strict=True)
        return [_beyond(centre, y, below, above, other) for centre, below, above, other in rows]

    def _pair_counts(self, u: Float[np.ndarray, "draws p"]) -> Float[np.ndarray, "draws bins"]:
        """How many pairs i < j have u_i + u_j at the values of the grid; each u is shared between two neighbours."""
        single = np.stack([_shared(row / self.width) for row in u])
        twice = np.stack([_shared(2 * row / self.width) for row in u])
        spectrum = scipy.fft.rfft(single, LENGTH, workers=-1)
        both = scipy.fft.irfft(spectrum * spectrum, LENGTH, workers=-1)[:, HALF : 3 * HALF + 1]
        return np.maximum((both - twice) / 2, 0.0)


def _beyond(
    a: float,
    y: Float[np.ndarray, " bins"],
    below: Float[np.ndarray, " bins"],
    above: Float[np.ndarray, " bins"],
    others: float,
) -> float:
    """others + int_others^inf P(max_(i<j) |a + s_ij + g_ij| > y) dy, from log P(s + g <= y) and log P(-s - g <= y)."""
    width = y[1] - y[0]
    grid = np.arange(0.0, y[-1] + abs(a) + width, width)
    log = np.interp(grid - a, y, below) + np.interp(grid + a, y, above)
    beyond = -np.expm1(np.minimum(log, 0.0))
    cumulative = np.concatenate([[0.0], np.cumsum((beyond[1:] + beyond[:-1]) / 2) * width])
    return others + float(cumulative[-1] - np.interp(others, grid, cumulative))


def _shared(values: Float[np.ndarray, " p"]) -> Float[np.ndarray, " bins"]:
    """How many values, in units of a bin, are at -HALF ... HALF."""
    low = np.floor(values).astype(np.int64)
    upper = values - low
    size = 2 * HALF + 1
    return np.bincount(low + HALF, 1 - upper, size)[:size] + np.bincount(low + HALF + 1, upper, size)[:size]


def predict_equal_spread(
    problem: Committee, flow: EqualCurve, theory: EqualCurve, units: EqualUnits, times: Float[np.ndarray, " times"]
) -> Spread:
    """`predict_spread` for equal units of any width. **Raises:** ArgumentError; see `mode_law`."""
    modes = mode_law(problem, flow, theory, units, times)
    M, own, between = modes.std()
    std = expand({"m": M, "q": own, "c": between}, problem.p)
    std["excess_risk"] = modes.std_along(risk_gradients(flow, units, times))
    return Spread(std, *mean_sizes(modes))
