"""What a step does beside its kick, on lanes: linear maps of all vectors, and their lengths set anew."""

from typing import Any

from sgdsim.ensemble.pin import Pinning
from sgdsim.rules.clusters import Clusters
from sgdsim.rules.lane_matrices import Numbered, added, dot
from sgdsim.rules.linear_algebra import Lanes
from sgdsim.rules.rule import Rule
from sgdsim.rules.units import UnitList


def placed(
    clusters: Clusters, root: Lanes, z_t: list[Any], z_s: list[Any], normal: Any, pin: Pinning
) -> tuple[list[Any], list[Any], Any]:
    """A sample's normals as those of its cluster, see `clusters`, and sqrt(s_c), from the normal that draws it."""
    members = clusters.members(normal)
    shifts, scale = clusters.shifts(members), (members * clusters.roots).sum()
    centre = [sum(shifts[s] * root[s][r] for s in range(r, len(z_t))) for r in range(len(z_t))]
    moved = pin([centre[r] + scale * z_t[r] for r in range(len(z_t))])
    return moved, pin([scale * z for z in z_s]), scale


def mapped(rule: Rule, vectors: list[Any], time: Any) -> list[Any]:
    """(D v) of a number for each moving vector."""
    moved = rule.drift(UnitList(vectors), time)
    return [moved[i] for i in range(len(vectors))]


def drifted(rule: Rule, now: Numbered, time: Any) -> tuple[Lanes, Lanes]:
    """What D adds to m and to the lower triangle of S: D m, and A S A^T - S = Y + D Y^T with Y = S A^T - S, A = 1 + D.

    Increments, which in float32 are not lost beside the state.
    """
    n, S = len(now.S), _full(now.S)
    columns = [mapped(rule, [row[r] for row in now.m], time) for r in range(len(now.m[0]))]
    dm = [[column[i] for column in columns] for i in range(n)]
    Y = [mapped(rule, row, time) for row in S]  # Y_ij = sum_l S_il D_jl
    left = [mapped(rule, [S[i][j] + Y[i][j] for i in range(n)], time) for j in range(n)]  # left[j][i] = (D S A^T)_ij
    return dm, [[Y[i][j] + left[j][i] for j in range(i + 1)] for i in range(n)]


def rescaled(rule: Rule, now: Numbered) -> tuple[Lanes, Lanes]:
    """What new lengths add to m and to the lower triangle of S, from Q_aa = S_aa + |m_a|^2."""
    n = len(now.S)
    factors = rule.rescale(UnitList([now.S[i][i] + dot(now.m[i], now.m[i]) for i in range(n)]))
    g = [factors[i] for i in range(n)]
    dm = [[g[i] * number for number in now.m[i]] for i in range(n)]
    dS = [[(g[i] + g[j] + g[i] * g[j]) * now.S[i][j] for j in range(i + 1)] for i in range(n)]
    return dm, dS


def with_parts(change: Numbered, parts: tuple[Lanes, Lanes]) -> Numbered:
    """A change of m and S added to another."""
    return change._replace(m=added(change.m, parts[0]), S=added(change.S, parts[1]))


def _full(S: Lanes) -> Lanes:
    """The whole of a symmetric matrix from its lower triangle."""
    return [[S[max(i, j)][min(i, j)] for j in range(len(S))] for i in range(len(S))]
