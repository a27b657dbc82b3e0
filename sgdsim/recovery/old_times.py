"""The old times that a coarse memory keeps, and how what it drops goes on through those that stay.

A function f of the past that is smooth at old times is interpolated between those that are kept, so that

    sum_s f(s) g(s) = sum_j f(s_j) [ sum_s phi_j(s) g(s) ]

with phi_j the interpolating function of the kept time s_j. Of g, which need not be smooth, the sums in brackets are
stored. A time that is dropped hands its own to its neighbours, g(k) <- g(k) + phi_k(dropped) g(dropped).

Modes of a descent fall by factors 1 - eta lambda a step, which are slow near 1 and, at the edge of stability, near -1:
functions of old times are smooth on the even steps and on the odd ones, each apart, and are interpolated so.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

RECENT = 32
"""Youngest steps that are all kept."""
PERIOD = 16
"""Steps after which old times are dropped."""
_STENCIL = 8
"""Times that a dropped one is interpolated from, half of them on either side. Errors go as spacing^8."""


@dataclass(frozen=True)
class Thinning:
    """What is kept of some times, by position, what is dropped, and phi_k of the kept ones at each dropped time."""

    kept: Int[np.ndarray, " kept"]
    dropped: Int[np.ndarray, " dropped"]
    phi: Float[np.ndarray, "dropped kept"]


def thin(times: Int[np.ndarray, " times"], spacing: float) -> Thinning:
    """Drops times whose neighbours are no farther apart than the spacing times their distance from both ends.

    These are the start and the oldest of the youngest steps, so that what is kept becomes coarser by and by: where the
    distance between neighbours leaps, interpolation soon grows unstable.

    `times` are steps, increasing, and the last one is now. Neighbours are those among the even, or among the odd ones.
    Of two neighbours one is dropped at most.
    """
    stays = np.ones(len(times), dtype=bool)
    for parity in (0, 1):
        own = np.flatnonzero(times % 2 == parity)
        stays[own[_spare(times[own], int(times[-1]), spacing)]] = False
    kept, dropped = np.flatnonzero(stays), np.flatnonzero(~stays)
    phi = np.zeros((len(dropped), len(kept)))
    for parity in (0, 1):
        rows, columns = (np.flatnonzero(times[part] % 2 == parity) for part in (dropped, kept))
        phi[np.ix_(rows, columns)] = _interpolation(times[kept[columns]], times[dropped[rows]])
    return Thinning(kept, dropped, phi)


def _spare(times: Int[np.ndarray, " times"], now: int, spacing: float) -> Int[np.ndarray, " spare"]:
    """The places of times that may be dropped, no two of them neighbours."""
    wide, before, after = times[2:] - times[:-2], times[:-2], now - RECENT - times[2:]
    may = wide <= spacing * np.minimum(before, after)
    places = np.flatnonzero(may) + 1
    begins = np.diff(places, prepend=-2) > 1
    # Every other one of each row of neighbours, from its first on.
    first = np.maximum.accumulate(np.where(begins, np.arange(len(places)), 0))
    return places[(np.arange(len(places)) - first) % 2 == 0]


def _interpolation(
    kept: Int[np.ndarray, " kept"], dropped: Int[np.ndarray, " dropped"]
) -> Float[np.ndarray, "dropped kept"]:
    """Lagrange's polynomials of the kept times about each dropped one, zero for all others."""
    first = np.clip(np.searchsorted(kept, dropped) - _STENCIL // 2, 0, max(len(kept) - _STENCIL, 0))
    about = first[:, None] + np.arange(min(_STENCIL, len(kept)))
    nodes = kept[about].astype(np.float64)
    own = np.eye(about.shape[1], dtype=bool)
    above = np.where(own, 1.0, dropped[:, None, None] - nodes[:, None, :])
    below = np.where(own, 1.0, nodes[:, :, None] - nodes[:, None, :])
    phi = np.zeros((len(dropped), len(kept)))
    np.put_along_axis(phi, about, (above / below).prod(axis=2), axis=1)
    return phi


def most_times(steps: int, spacing: float) -> int:
    """A bound of how many times are kept at once over so many steps.

    All of the first 4/spacing, of the youngest and of 4/spacing before these, and between them those of either parity
    no closer than half of the spacing times their distance from the nearer end; a quarter more for those that wait for
    the next thinning.
    """
    early, half = 4 / spacing, max(steps, 1) / 2
    whole = 2 * early + RECENT + PERIOD + 2.5 * early * math.log(max(half / early, 1.0))
    return min(steps + 1, math.ceil(whole))
