"""What the mean-field theory of signal recovery remembers of a long past: two-time functions at few old times.

Six matrices hold what the equations sum over, at pairs of kept times; see `old_times` for what becomes of a time that
is dropped. The first index of each is that of a sum, weighted with the interpolating functions phi_j, the second one a
point. A pinned time that is dropped stays as a point and is no part of sums any more: among times that are thinned
evenly it would stand out of line, and interpolation through it be unstable.

    C, Lambda_C, R, Lambda_R    of the first argument:   sum_s A(t,s) R(s,t') = sum_j A(t,s_j) R[j,t']
    R, Lambda_R transposed      of the second:           sum_u R(t',u) B(u) = sum_j B(u_j) R^T[j,t']
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sgdsim.recovery.old_times import most_times, thin

MATRICES = 6
"""Square arrays of a memory."""


@dataclass(frozen=True)
class LatestRows:
    """C(t,s), R(t,s), Lambda_C(t,s) and Lambda_R(t,s) at the kept times s <= t, the last of which is t."""

    C: Float[np.ndarray, " times"]
    R: Float[np.ndarray, " times"]
    LC: Float[np.ndarray, " times"]
    LR: Float[np.ndarray, " times"]

    def at(self, kept: Int[np.ndarray, " kept"]) -> "LatestRows":
        """Those of some times, by position."""
        return LatestRows(self.C[kept], self.R[kept], self.LC[kept], self.LR[kept])


class Memory:
    """The past at kept times, float64. It changes as time goes on.

    - `times`, `m`: the kept and the pinned times s_j in steps, and m(s_j).
    - `weights`: sum_s phi_j(s) over all past steps s, and in a row for each pinned time over those from it on.
    - `past`: the six matrices in the order above.
    """

    def __init__(self, steps: int, spacing: float, pinned: tuple[int, ...]) -> None:
        room = most_times(steps, spacing) + len(pinned)
        self._spacing, self._count, self._pinned = spacing, 0, np.array(pinned, np.int64)
        self._times, self._m = np.zeros(room, np.int64), np.zeros(room)
        self._summed = np.zeros(room, bool)
        self._weights, self._past = np.zeros((1 + len(pinned), room)), np.zeros((MATRICES, room, room))

    @property
    def times(self) -> Int[np.ndarray, " times"]:
        """The kept times in steps, increasing."""
        return self._times[: self._count]

    @property
    def m(self) -> Float[np.ndarray, " times"]:
        """m at the kept times."""
        return self._m[: self._count]

    @property
    def weights(self) -> Float[np.ndarray, "sums times"]:
        """The weights of the kept times in sums over the whole past, and over what follows each pinned time."""
        return self._weights[:, : self._count]

    @property
    def past(self) -> Float[np.ndarray, "matrices times times"]:
        """The six matrices: C, Lambda_C, R, Lambda_R, and R and Lambda_R transposed."""
        return self._past[:, : self._count, : self._count]

    def places(self, steps: Int[np.ndarray, " pinned"]) -> Int[np.ndarray, " pinned"]:
        """The positions of pinned times among the kept ones; of one that is yet to come, the last."""
        return np.minimum(np.searchsorted(self.times, steps), self._count - 1)

    def append(self, m: float, rows: LatestRows) -> None:
        """The step after the last one, or step 0: its rows of all functions, which include the step itself."""
        n = self._count
        step = int(self._times[n - 1]) + 1 if n else 0
        self._count, self._times[n], self._m[n] = n + 1, step, m
        self._summed[n], self._weights[:, n] = True, np.concatenate([[1.0], step >= self._pinned])
        new, whole = self.past, self.weights[0]
        new[:, n, :] = new[:, :, n] = 0.0
        new[:4, n, :] = rows.C, rows.LC, rows.R, rows.LR
        # Sums over older steps up to the new one: the functions are smooth there.
        new[0, :, n], new[1, :, n] = rows.C * whole, rows.LC * whole
        new[4, :, n], new[5, :, n] = rows.R * whole, rows.LR * whole

    def thinned(self, rows: LatestRows) -> LatestRows:
        """Drops old times; the rows of the step at hand without them."""
        own = np.flatnonzero(self._summed[: self._count])
        chosen = thin(self.times[own], self._spacing)
        for place, phi in zip(own[chosen.dropped], chosen.phi, strict=True):
            near = np.flatnonzero(phi)  # few of many
            to = own[chosen.kept[near]]
            self.past[:, to] += phi[near, None] * self.past[:, place, None]
            self.weights[:, to] += self.weights[:, place, None] * phi[near]
            self.past[:, place] = self.weights[:, place] = 0.0
            self._summed[place] = False
        stays = np.flatnonzero(self._summed[: self._count] | np.isin(self.times, self._pinned))
        self._compress(stays)
        return rows.at(stays)

    def _compress(self, stays: Int[np.ndarray, " stays"]) -> None:
        left = len(stays)
        self._past[:, :left, :left] = self.past[:, stays[:, None], stays]
        self._weights[:, :left], self._summed[:left] = self.weights[:, stays], self._summed[stays]
        self._times[:left], self._m[:left], self._count = self.times[stays], self.m[stays], left
