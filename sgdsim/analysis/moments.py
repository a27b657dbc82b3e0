"""Mean, spread and standard error of an ensemble, from the statistics of its tiles."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sgdsim.ensemble.tiles import Tiles


@dataclass(frozen=True)
class Moments:
    """Statistics of one ensemble over its replicas, per observable.

    - `count`: replicas averaged (finite at every save time).
    - `diverged`: replicas left out.
    - `mean`: average over the replicas, shape (times, *dims); NaN when count is 0.
    - `std`: standard deviation (divisor count - 1), shape (times, *dims); NaN when count < 2.
    - `sem`: standard error of the mean, std / sqrt(count), shape (times, *dims).
    - `theory`: the theory's curve averaged over the same replicas, shape (times, *dims); empty without a theory.
    """

    count: int
    diverged: int
    mean: dict[str, Float[np.ndarray, "times ..."]]
    std: dict[str, Float[np.ndarray, "times ..."]]
    sem: dict[str, Float[np.ndarray, "times ..."]]
    theory: dict[str, Float[np.ndarray, "times ..."]]


def merge(tiles: Tiles) -> Moments:
    """The moments of all replicas of `tiles`, in float64.

    A left fold over the tiles, in their order, of the pairwise update of Chan, Golub & LeVeque (1983):

        delta = mean_b - mean_a,   n = n_a + n_b
        mean  = mean_a + delta n_b / n
        m2    = m2_a + m2_b + delta^2 n_a n_b / n

    The numbers depend on the tiles and their order only, so they are bitwise the same however the tiles were grouped
    into blocks. Tiles without a finite replica are passed over.
    """
    count = int(tiles.count.sum())
    fold = {name: _fold(tiles.count, tiles.mean[name], tiles.m2[name]) for name in tiles.mean}
    std = {name: _spread(m2, count) for name, (_, m2) in fold.items()}
    return Moments(
        count=count,
        diverged=int(tiles.diverged.sum()),
        mean={name: mean for name, (mean, _) in fold.items()},
        std=std,
        sem={name: value / np.sqrt(max(count, 1)) for name, value in std.items()},
        theory={name: _curve(tiles, curve) for name, curve in tiles.theory.items()},
    )


def _curve(tiles: Tiles, curve: Float[np.ndarray, "tiles times ..."]) -> Float[np.ndarray, "times ..."]:
    """The theory averaged over the replicas; the curve itself where none was simulated."""
    if not tiles.mean:
        return curve[0]
    return _fold(tiles.count, curve, np.zeros_like(curve))[0]


def _fold(counts: np.ndarray, means: np.ndarray, m2s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sum of squared deviations over all tiles, each of the shape of one tile's."""
    total = 0
    mean = np.full(means.shape[1:], np.nan)
    m2 = np.full(means.shape[1:], np.nan)
    for count, tile_mean, tile_m2 in zip(counts.tolist(), means, m2s, strict=True):
        if count == 0:
            continue
        if total == 0:
            mean, m2 = tile_mean.astype(np.float64), tile_m2.astype(np.float64)
        else:
            delta = tile_mean - mean
            mean = mean + delta * (count / (total + count))
            m2 = m2 + tile_m2 + delta**2 * (total * count / (total + count))
        total += count
    return mean, m2


def _spread(m2: np.ndarray, count: int) -> np.ndarray:
    """Standard deviation, NaN where fewer than two replicas leave it undefined."""
    return np.sqrt(m2 / (count - 1)) if count > 1 else np.full(m2.shape, np.nan)
