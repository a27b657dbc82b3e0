"""The deterministic limit of a rule: the ODE of the mean step at the actual d.

With the moments of a sample's kick K (see `KickMoments`), D of the drift, A = 1 + D, c = rate, and

    G = (1/batch) E[K K^T |x|^2]/d + (1 - 1/batch) V V^T/d,    V = E[K z^T]

where z are the standard normals of the fields, a step changes the overlaps by, in the mean,

    dM = D M + c E[K lambda*^T]
    dQ = A Q A^T - Q + c (C A^T + A C^T) + c^2 d G,    C = E[K lambda^T]

and then, where a rule sets lengths anew, by what that does to the mean. The ODE divides by dt. Two different samples of
a batch pull along V alone: a part batch/d of the noise term. Closed forms have V V^T = J C J^T, by Stein's lemma, with
J = E[dK/dl] and C the covariance of all fields.

The chain makes the mean step f dt and not the flow of dy/dt = f, whose second-order term it lacks. Where samples are
many, this is all that is left between them at order dt beside V V^T, and the flow follows the steps of

    dy/dt = f - (1 - 1/batch) (dt/2) f' f

to O(dt/batch): what single samples do to each other's noise is as small as that. With one sample it is the plain ODE.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.contracts import Curve, Observables
from sgdsim.errors import ArgumentError
from sgdsim.rules.linear_algebra import batched_root
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.rule import KickMoments, Rule, Sample, in_arrays
from sgdsim.rules.sample_points import Normals, Samples, mixed, samples_of
from sgdsim.rules.solver import integrate
from sgdsim.rules.units import UnitArray, values_of

POINTS_RTOL, POINTS_ATOL = 1e-6, 1e-9
"""Least tolerances of the solver beside averages over points, which are right to 1e-4 at best: the average of a step
with a kink, such as a clipped gradient, has a kink at every point, and a solver would follow them all."""

STIFF = 300.0
"""Relaxation rate, in 1/t, from which the ODE is solved by an implicit method: an explicit one takes a step for every 3
relaxation times, or so."""

ROOT_RTOL = 1e-6
"""Singular values of the fields' root below this part of the largest are zero: less than points resolve."""


class Point(NamedTuple):
    """Where the means are: overlaps, numbers, and the time; a path of them has the times in front."""

    M: Float[Array, "*times n k"]
    Q: Float[Array, "*times n n"]
    numbers: Float[Array, "*times q"]
    time: Float[Array, "*times"]


class MeanStep(Curve):
    """The ODE of one rule. All constants are traced: one compilation serves all problems of its form.

    - `dt`: time of a step. - `d`: dimension. - `normals`: None where the moments are closed forms.
    """

    rule: Rule
    dt: Float[Array, ""]
    d: Float[Array, ""]
    normals: Normals | None
    batch: int = eqx.field(static=True)
    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)
    stiff: bool = eqx.field(static=True)

    @classmethod
    def of(
        cls, rule: Rule, d: int, dt: float, batch: int, rtol: float, atol: float, log2: int, sloped: bool = False
    ) -> "MeanStep":
        """The curve of a rule in dimension d; averages that have no closed form are taken over 2^log2 points.

        `sloped` says that slopes are needed, as for a batch.

        **Raises:** ArgumentError where the length of a whole batch's kick is limited: it depends on all of it.
        """
        if rule.limits and batch > 1:
            remedy = "Take batches of one sample, or simulate without a theory."
            raise ArgumentError("batch", "be 1 where lengths of gradients are limited, for an ODE", batch, remedy)
        own_dt, own_d = (jnp.asarray(number, jnp.float64) for number in (dt, d))
        normals = None if is_closed(rule, sloped or batch > 1) else Normals.of(rule, log2)
        if normals is not None:
            rtol, atol = max(rtol, POINTS_RTOL), max(atol, POINTS_ATOL)
        return cls(rule, own_dt, own_d, normals, batch, rtol, atol, stiff=rule.relaxation > STIFF * dt)

    def __call__(self, initial: Overlaps, times: Float[Array | np.ndarray, " times"]) -> Observables:
        """What the rule observes at increasing times >= 0, from `initial` at 0; NaN from where the solver stopped."""
        P, path = self.path(initial, times)
        observe = jax.vmap(self.rule.observe, in_axes=(None, 0, 0, 0))
        return observe(P, path.M, path.Q, path.numbers)

    def path(self, initial: Overlaps, times: Float[Array | np.ndarray, " times"]) -> tuple[Float[Array, "k k"], Point]:
        """P, and the means at increasing times, as `__call__` observes them: every part has a leading time axis."""
        times = jnp.asarray(times, jnp.float64)
        P, point = self.begin(initial)
        rate = self.rule.rate / self.dt
        first_step = 0.01 / (rate + rate * self.rule.rate * self.d)
        return P, integrate(lambda y: self.velocity(P, y), point, times, first_step, self.rtol, self.atol, self.stiff)

    def begin(self, initial: Overlaps) -> tuple[Float[Array, "k k"], Point]:
        """P, and the means at t = 0."""
        start, numbers = self.rule.begin(initial)
        P, M, Q, numbers = (jnp.asarray(part, jnp.float64) for part in (start.P, start.M, start.Q, numbers))
        return P, Point(M, Q, numbers, jnp.zeros(()))

    def velocity(self, P: Float[Array, "k k"], point: Point) -> Point:
        """The mean step over dt, less half of what it gains along itself where batches are averaged over."""

        def mean(point: Point) -> Point:
            return jax.tree.map(lambda change: change / self.dt, self.step(P, point)._replace(time=self.dt))

        return mean(point) if self.batch == 1 else stepwise(mean, point, (1 - 1 / self.batch) * self.dt / 2)

    def step(self, P: Float[Array, "k k"], point: Point) -> Point:
        """What one step changes, in the mean."""
        moments, rate = self.moments(P, point), self.rule.rate
        squares = moments.squares / self.batch
        if self.batch > 1:
            squares = squares + (1 - 1 / self.batch) * together(moments, covariance(P, point.M, point.Q)) / self.d
        with_fields = rate * moments.with_fixed, rate * moments.with_moving
        dM, dQ = changes(self.linear(point), point.M, point.Q, *with_fields, rate**2 * self.d * squares)
        if self.rule.rescales:
            gained = self.rescaled(point.M + dM, point.Q + dQ, point.Q)
            dM, dQ = dM + gained[0], dQ + gained[1]
        return Point(dM, dQ, moments.numbers, jnp.zeros(()))

    def linear(self, point: Point) -> Float[Array, "n n"]:
        """D of a whole step, whose samples may be used several times."""
        one = jnp.eye(self.rule.sizes.moving)
        return jnp.linalg.matrix_power(one + self.drift(point), self.rule.visits) - one

    def rescaled(
        self, M: Float[Array, "n k"], Q: Float[Array, "n n"], before: Float[Array, "n n"]
    ) -> tuple[Float[Array, "n k"], Float[Array, "n n"]]:
        """What new lengths add to M and Q after a step from Q = `before`."""
        g = self.relengthening(jnp.diagonal(Q), jnp.diagonal(before))
        return g[:, None] * M, pairs_of(g) * Q

    def relengthening(self, squares: Float[Array, " n"], before: Float[Array, " n"]) -> Float[Array, " n"]:
        """Factors less one of vectors whose lengths are set anew after a step, from their squares and those before it.

        Lengths are what they were set to up to the solver's error, and are set to what they were before the step. A
        pull back to what they should be, within a step of SGD, would make the ODE stiff; with less than this factor
        an error grows, as exp(A t) where steps lengthen the vectors.
        """
        had = self.lengths(before)
        return (self.lengths(squares) - had) / (1 + had)

    def lengths(self, squares: Float[Array, " n"]) -> Float[Array, " n"]:
        """Factors less one of vectors whose lengths are set anew, from their squares."""
        return values_of(self.rule.rescale(UnitArray(squares[None, None])))[0, 0]

    def moments(self, P: Float[Array, "k k"], point: Point) -> KickMoments:
        """Those of one sample's kick, in closed form or over points."""
        if self.normals is None:
            closed = self.rule.moments(P, point.M, point.Q, point.numbers, point.time)
            assert closed is not None
            return closed
        return self._averaged(self.normals, P, point)

    def _averaged(self, normals: Normals, P: Float[Array, "k k"], point: Point) -> KickMoments:
        root = batched_root(covariance(P, point.M, point.Q)[None])[0]
        return mixed(self.rule, [self._over(part, root, point) for part in samples_of(self.rule, normals, root)])

    def _over(self, samples: Samples, root: Float[Array, "fields fields"], point: Point) -> KickMoments:
        z, k, count = samples.z, point.M.shape[1], len(samples.z)
        fields, length = z @ root.T, samples.length(self.d)
        kicks, moves = self.kicks(samples.own, fields[:, :k], fields[:, k:], length, point)
        alone = (kicks * length[:, None]).T @ kicks / (count * self.d)
        mean = kicks.T @ z / count
        return KickMoments(
            with_fixed=kicks.T @ fields[:, :k] / count,
            with_moving=kicks.T @ fields[:, k:] / count,
            squares=alone,
            numbers=jnp.mean(moves, axis=0),
            slopes=mean @ jnp.linalg.pinv(root, rtol=ROOT_RTOL),
        )

    def kicks(
        self,
        own: Float[Array, "points r"],
        fixed: Float[Array, "points k"],
        moving: Float[Array, "points n"],
        length: Float[Array, " points"],
        point: Point,
    ) -> tuple[Float[Array, "points n"], Float[Array, "points q"]]:
        """The sum of the kicks of all visits, in units of the rate, and what the numbers gain."""
        rule, n = in_arrays(self.rule, jnp.float64), self.rule.sizes.moving
        total, gained = jnp.zeros_like(moving), jnp.zeros((len(moving), self.rule.sizes.numbers))
        D = self.drift(point)
        for _ in range(rule.visits):
            numbers = (point.numbers[None] + gained)[None]
            time = jnp.reshape(point.time, (1, 1))
            seen = [UnitArray(part[None]) for part in (fixed, moving, own)]
            move = rule.step(Sample(seen[0], seen[1], seen[2], UnitArray(numbers), time))
            kicks = move.slopes * move.error
            if rule.limits:
                kicks = kicks * rule.limit(kicks * kicks * (rule.rate**2 * length)[None], time)
            new = jnp.broadcast_to(values_of(kicks), (1, len(moving), n))[0]
            total = total + total @ D.T + new
            # The other samples of a batch pull on a field by O(1/sqrt(d)), at random: as little as the ODE leaves out.
            moving = moving + moving @ D.T + (rule.rate / self.batch) * length[:, None] * new
            if move.numbers is not None:
                gained = gained + values_of(move.numbers)[0]
        return total, gained

    def drift(self, point: Point) -> Float[Array, "n n"]:
        """The matrix D of w <- w + D w, which a step does before its kicks."""
        one = jnp.eye(self.rule.sizes.moving)
        if not self.rule.drifts:
            return jnp.zeros_like(one)
        # Every row is a vector of units: that of unit a has D_ba at b.
        rule = in_arrays(self.rule, jnp.float64)
        return values_of(rule.drift(UnitArray(one[None]), jnp.reshape(point.time, (1, 1))))[0].T


def covariance(P: Float[Array, "k k"], M: Float[Array, "n k"], Q: Float[Array, "n n"]) -> Float[Array, "fields fields"]:
    """C of all fields."""
    return jnp.block([[P, M.T], [M, Q]])


def together(moments: KickMoments, C: Float[Array, "fields fields"]) -> Float[Array, "n n"]:
    """J C J^T: how two samples of a batch pull alike."""
    assert moments.slopes is not None
    return moments.slopes @ C @ moments.slopes.T


def changes(
    D: Float[Array, "n n"],
    M: Float[Array, "n k"],
    Q: Float[Array, "n n"],
    with_fixed: Float[Array, "n k"],
    with_moving: Float[Array, "n n"],
    noise: Float[Array, "n n"],
) -> tuple[Float[Array, "n k"], Float[Array, "n n"]]:
    """dM and dQ of a step, from c E[K lambda*^T], c E[K lambda^T] and c^2 d G."""
    cross = with_moving + with_moving @ D.T
    half = Q + D @ Q
    return D @ M + with_fixed, D @ Q + half @ D.T + cross + cross.T + noise


def pairs_of(g: Float[Array, " n"]) -> Float[Array, "n n"]:
    """(1 + g_a) (1 + g_b) - 1."""
    return g[:, None] + g[None, :] + g[:, None] * g[None, :]


def stepwise(velocity: Callable[[Any], Any], point: Any, half: Float[Array, ""] | float) -> Any:
    """f - half f' f at a point: at half = dt/2, to second order, the flow that goes through steps of f dt."""
    f = velocity(point)
    _, along = jax.jvp(velocity, (point,), (f,))
    return jax.tree.map(lambda own, more: own - half * more, f, along)


def is_closed(rule: Rule, sloped: bool = False) -> bool:
    """Whether the rule's moments have closed forms, with slopes where they are needed."""
    sizes = rule.sizes
    shapes = [(sizes.fixed,) * 2, (sizes.moving, sizes.fixed), (sizes.moving,) * 2, (sizes.numbers,), ()]
    arrays: list[Any] = [jax.ShapeDtypeStruct(shape, np.float64) for shape in shapes]
    moments = jax.eval_shape(rule.moments, *arrays)
    return moments is not None and (moments.slopes is not None or not sloped)
