"""One step of the mean-field theory of signal recovery from a coarse memory of the past; see `dmft_step.step`."""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from sgdsim.recovery.coarse_memory import LatestRows, Memory
from sgdsim.recovery.observables import distance

_NEGATIVE = -1e-8
"""What rounding, and interpolation near the signal, may make of a mean square that is 0."""


@dataclass(frozen=True)
class Now:
    """The last step: m(t), e2(t), and the rows of the two-time functions. C(t,t) is the last entry of that of C."""

    m: float
    e2: float
    rows: LatestRows

    @property
    def distance(self) -> float:
        """Delta = 1 - 2 |m| + C(t,t)."""
        return distance(self.m, float(self.rows.C[-1]))

    def ended(self) -> "Now":
        """One that is no solution any more: m and e2 are NaN."""
        return replace(self, m=math.nan, e2=math.nan)

    def thinned(self, memory: Memory) -> "Now":
        """The same, once the memory has dropped old times."""
        return replace(self, rows=memory.thinned(self.rows))


@dataclass(frozen=True)
class CoarseRates:
    """The constants of the equations."""

    alpha: float
    eta: float
    b: float
    temperature: float


def begin(rates: CoarseRates, m0: float, C00: float) -> Now:
    """Step 0: r(0) = xi(0), so that e2(0) = Q(0,0) and Lambda_R(0,0) = 1."""
    e2 = 0.5 * (1 - 2 * m0**2 + C00**2)
    return Now(m0, e2, LatestRows(np.array([C00]), np.zeros(1), np.array([e2 / rates.b]), np.ones(1)))


def step(rates: CoarseRates, memory: Memory, now: Now) -> Now:
    """From step t, the last of the memory, to t + 1.

    The equations of `dmft_step.step`, whose sums over the past are over the kept times.
    """
    g, n, whole = rates.eta * rates.alpha, len(memory.times), memory.weights[0]
    C, R, LC, LR = now.rows.C, now.rows.R, now.rows.LC, now.rows.LR
    A, B = LR * C - rates.eta * LC * R, rates.eta * LC * C
    AC, AR, RB = (_sums(by, memory.past[at]) for by, at in ((A, 0), (A, 2), (B, 4)))
    drift = float(LR @ whole) * now.m
    m = now.m + g * (drift - float((A * whole) @ memory.m))
    R = np.append(R - g * AR, 0.0)
    R[n - 1] += 1.0  # a push acts at once
    C = C + g * (drift * memory.m - AC + RB)
    # C(t+1,t+1) from the same formula, with the new row in the place of C(s,t+1) and R(t+1,s).
    norm = float(C[-1]) + g * float(drift * m - (A * whole) @ C + (B * whole) @ R[:n])
    norm += 2 * rates.temperature * rates.eta
    K = R[:n] * C
    Q = 0.5 * (1 - m**2 - np.append(memory.m, m) ** 2 + np.append(C, norm) ** 2)
    KLC, KLR, LRQ = (_sums(by, memory.past[at]) for by, at in ((K, 1), (K, 3), (Q[:n], 5)))
    LR, LC = np.append(-rates.eta * KLR, 1.0), LRQ - rates.eta * KLC
    e2 = float((LR * np.append(whole, 1.0)) @ Q - rates.eta * ((K * whole) @ LC))
    # Near recovery it may round to -1e-17.
    now = Now(m, max(e2, 0.0), LatestRows(np.append(C, norm), R, np.append(LC, max(e2, 0.0) / rates.b), LR))
    return now.ended() if e2 < _NEGATIVE else now  # no mean square: from here on there is no solution


def _sums(by: Float[np.ndarray, " times"], past: Float[np.ndarray, "times times"]) -> Float[np.ndarray, " times"]:
    # Not by BLAS, whose threads wait longer for one another than they multiply, and round by how many they are.
    return np.einsum("i,ij->j", by, past)
