"""What a step of SGD does to vectors and numbers: the contract from which chain, weights and theory follow.

Vectors v_a in R^d: k fixed ones (teachers, means) and n moving ones (students, velocities, averages). Fresh inputs
x_s ~ N(0, I_d), s = 1 ... batch, have fields lambda_as = v_a.x_s/sqrt(d). A rule is any update of the form

    v_a <- v_a + (D v)_a + sqrt(d) (rate/batch) sum_s error_s slopes_as x_s,    theta <- theta + (1/batch) sum_s Theta_s

whose parts depend on fields, |x_s|^2, theta, fresh normals and time only. Then G = V V^T/d and theta are a Markov
chain, since the fields of a sample are N(0, G) and |x_s|^2 is |z_s|^2 plus an independent chi^2: exact at every d, at a
cost that does not depend on it.
"""

import abc
from typing import Any, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.contracts import Observables
from sgdsim.rules.clusters import Clusters
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.units import UnitArray, UnitList, Units

AnyModule = TypeVar("AnyModule", bound=eqx.Module)


class Sizes(NamedTuple):
    """How many vectors, numbers and normals a rule has."""

    fixed: int
    """k: vectors that stay, whose fields a step sees."""
    moving: int
    """n: vectors that a step moves."""
    numbers: int = 0
    """Numbers theta, e.g. the second layer."""
    normals: int = 1
    """Fresh standard normals of a sample, e.g. of its label's noise."""


class Sample(NamedTuple):
    """What a step sees of a sample."""

    fixed: Units
    """Fields of the fixed vectors."""
    moving: Units
    """Fields of the moving vectors, as the steps before have left them."""
    normals: Units
    """Fresh standard normals."""
    numbers: Units
    """theta."""
    time: Any
    """t = nu dt; 0 where the rule is not `timed`."""


class Move(NamedTuple):
    """What a sample does: the moving vectors go by sqrt(d) rate error slopes_a x, theta by `numbers`."""

    error: Any
    """One number, common to all vectors."""
    slopes: Units
    """One number for each moving vector."""
    numbers: Units | None = None
    """Theta; None where no number moves."""


class KickMoments(NamedTuple):
    """Averages over a sample of the kick K_a = error slopes_a, at given overlaps, float64."""

    with_fixed: Float[Array, "n k"]
    """E[K_a lambda*_r]."""
    with_moving: Float[Array, "n n"]
    """E[K_a lambda_b]."""
    squares: Float[Array, "n n"]
    """E[K_a K_b |x|^2]/d; its leading part E[K_a K_b] where averages are closed forms."""
    numbers: Float[Array, " q"]
    """E[Theta]."""
    slopes: Float[Array, "n k+n"] | None = None
    """J = E[dK_a/dl_j] with respect to the fields of all vectors, fixed ones first. Closed forms without it serve
    neither batches nor inputs that are not N(0, I)."""


class Rule(eqx.Module):
    """The update of one problem. A small module: its sizes and functions are static, its constants are traced.

    A field that is a number comes to `step` as a number, one that is an array (units,) as `Units`. All methods are
    written with `Units` and elementwise functions of JAX, so that the unrolled chain, matrix products and, in float64,
    averages take the same lines.

    Laws, checked by `sgdsim.testing.check_rule`: the chain has the law of the full weights, and E of one step is
    the right-hand side of the ODE.
    """

    @property
    def timed(self) -> bool:
        """Whether a step depends on the time."""
        return False

    @property
    def drifts(self) -> bool:
        """Whether `drift` is something else than zero."""
        return False

    @property
    def limits(self) -> bool:
        """Whether `limit` is something else than one."""
        return False

    @property
    def rescales(self) -> bool:
        """Whether `rescale` is something else than zero."""
        return False

    @property
    def clusters(self) -> Clusters | None:
        """Those that inputs are drawn from, by the last of a sample's `normals`; None of x ~ N(0, I)."""
        return None

    @property
    @abc.abstractmethod
    def sizes(self) -> Sizes:
        """The numbers of vectors, numbers and normals."""

    @property
    @abc.abstractmethod
    def rate(self) -> Any:
        """The rate of a kick, e.g. gamma/(p d) for w_i <- w_i + (gamma/(p sqrt(d))) error slope_i x."""

    @property
    def dt(self) -> Any:
        """Time of a step, where the rule is `timed`."""
        return 0.0

    @property
    def relaxation(self) -> float:
        """The fastest rate per step at which anything relaxes whatever the inputs are, e.g. 1 - mu of a velocity."""
        return 0.0

    @property
    def visits(self) -> int:
        """How often a step uses its samples, one update after the other. Static."""
        return 1

    @property
    def given(self) -> int:
        """p: moving vectors whose overlaps a problem starts with, the first ones; `begin` makes the others."""
        return self.sizes.moving

    def begin(self, initial: Overlaps) -> tuple[Overlaps, Float[Array | np.ndarray, "*replicas q"]]:
        """Overlaps of all vectors, and theta, at t = 0, from those that the problem starts with.

        Velocities begin at zero, an average at its vector: see `Overlaps.with_copies` and `with_zeros`.
        """
        return initial, np.zeros((*initial.Q.shape[:-2], 0))

    @abc.abstractmethod
    def step(self, at: Sample) -> Move:
        """What one sample does."""

    def drift(self, vectors: Units, time: Any) -> Units:
        """(D v) of a step: a linear map of a number for each moving vector, e.g. -decay * vectors. Needs `drifts`."""
        raise NotImplementedError

    def limit(self, squares: Units, time: Any) -> Units:
        """Factors of a step's kicks g_a from |g_a|^2/d, e.g. those of clipped gradients. Needs `limits`."""
        raise NotImplementedError

    def rescale(self, squares: Units) -> Units:
        """Factors less one of the vectors after a step, from Q_aa = |v_a|^2/d then. Needs `rescales`.

        `begin` hands over vectors whose lengths are set already: their factors are zero.
        """
        raise NotImplementedError

    @abc.abstractmethod
    def observe(
        self,
        P: Float[Array, "k k *batch"],
        M: Float[Array, "n k *batch"],
        Q: Float[Array, "n n *batch"],
        numbers: Float[Array, "q *batch"],
    ) -> Observables:
        """Observables at given overlaps, with any trailing axes (replicas, times), float64."""

    def moments(
        self,
        P: Float[Array, "k k"],
        M: Float[Array, "n k"],
        Q: Float[Array, "n n"],
        numbers: Float[Array, " q"],
        time: Any,
    ) -> KickMoments | None:
        """The averages in closed form; None where they are to be taken over points."""
        return None


def constants_of(rule: Rule) -> list[Array]:
    """The numbers of a rule in a row, as scalars, for a loop that carries them.

    Its fields are numbers or (units,) arrays.
    """
    return [jnp.ravel(jnp.asarray(leaf))[i] for leaf in jax.tree.leaves(rule) for i in range(jnp.size(leaf))]


def constant_count(rule: Rule) -> int:
    """How many these are."""
    return sum(jnp.size(leaf) for leaf in jax.tree.leaves(rule))


def with_constants(rule: Rule, constants: list[Any]) -> Rule:
    """The rule with these numbers in place of its own, and a list of them as `Units`."""
    given = iter(constants)

    def taken(leaf: Any) -> Any:
        return UnitList([next(given) for _ in range(jnp.size(leaf))]) if jnp.ndim(leaf) else next(given)

    return jax.tree.map(taken, rule)


def in_arrays(rule: AnyModule, dtype: Any) -> AnyModule:
    """The rule, or a part of it, with numbers of a precision.

    In place of (units,) arrays it has `Units` beside (lanes, samples, units).
    """

    def made(leaf: Any) -> Any:
        value = jnp.asarray(leaf, dtype)
        return UnitArray(value[None, None]) if value.ndim else value

    return jax.tree.map(made, rule)
