"""Learning rates that change with time: factors of the rates, as functions of t = nu dt."""

import abc
from collections.abc import Callable
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.checks import check_fields, lenient, row
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.rules.rule import KickMoments, Move, Sample
from sgdsim.rules.units import Units
from sgdsim.rules.wrapped import Wrapped
from sgdsim.tracing import any_traced, is_traced

SCALE = Parameter("t_0", "time scale of a schedule", above=0)


class Schedule(eqx.Module):
    """s(t), a factor of a learning rate, elementwise in any array of times, by operations of JAX."""

    @property
    def name(self) -> str:
        """As in an experiment file."""
        return type(self).__name__.removesuffix("Schedule").lower()

    @property
    def plain(self) -> bool:
        """Whether it is 1 at all times."""
        return False

    @abc.abstractmethod
    def value(self, time: Any) -> Any:
        """The factor s(t) at an array of times, in their shape and precision."""


class Constant(Schedule):
    """The schedule s(t) = 1, which leaves a rate as it is."""

    @property
    def plain(self) -> bool:
        """A constant is the schedule that changes nothing."""
        return True

    def value(self, time: Any) -> Any:
        """s(t) = 1 at every time."""
        return jnp.ones_like(time)


@lenient
class PowerSchedule(Schedule):
    """s(t) = (1 + t/t0)^-exponent."""

    t0: Annotated[float, SCALE]
    exponent: Annotated[float, Parameter("x", "exponent of a power", least=0)]

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def plain(self) -> bool:
        """Whether the exponent is 0, so that nothing decays."""
        return isinstance(self.exponent, float) and self.exponent == 0

    def value(self, time: Any) -> Any:
        """s(t) = (1 + t/t0)^-exponent at an array of times."""
        return jnp.exp(-self.exponent * jnp.log1p(time / self.t0))


@lenient
class Cosine(Schedule):
    """s(t) = last + (1 - last) (1 + cos(pi t/t0))/2 up to t0, and `last` from there on."""

    t0: Annotated[float, SCALE]
    last: Annotated[float, Parameter("", "the factor that a cosine ends at", least=0)] = 0.0

    def __post_init__(self) -> None:
        check_fields(self)

    def value(self, time: Any) -> Any:
        """last + (1 - last) (1 + cos(pi min(t/t0, 1)))/2."""
        wave = 0.5 * (1 + jnp.cos(jnp.pi * jnp.minimum(time / self.t0, 1)))
        return self.last + (1 - self.last) * wave


class Piecewise(Schedule):
    """s(t) = factors[i] from breaks[i-1] on, up to breaks[i]: one factor more than breaks, which increase."""

    breaks: tuple[Any, ...]
    factors: tuple[Any, ...]

    def __init__(self, breaks: Any, factors: Any) -> None:
        at = row("breaks", breaks)
        of = list(factors) if any_traced(factors, *factors) else row("factors", factors).tolist()
        if not (np.isfinite(at).all() and (at > 0).all() and (np.diff(at) > 0).all()):
            raise ArgumentError("breaks", "increase, from above 0", at.tolist())
        if len(of) != len(at) + 1:
            raise ArgumentError("factors", f"be one more than the breaks, {len(at) + 1}", len(of))
        if any(not is_traced(factor) and not 0 <= factor < np.inf for factor in of):
            raise ArgumentError("factors", "be finite and >= 0", of)
        self.breaks, self.factors = tuple(at.tolist()), tuple(of)

    def value(self, time: Any) -> Any:
        """The factor of the interval that t is in."""
        found = jnp.full_like(time, self.factors[0])
        for at, factor in zip(self.breaks, self.factors[1:], strict=True):
            found = jnp.where(time < at, found, factor)
        return found


@lenient
class WarmUp(Schedule):
    """s(t) = min(t/warm_up, 1) times another schedule of the same t."""

    warm_up: Annotated[float, Parameter("", "time over which the rate rises from 0", above=0)]
    then: Schedule = Constant()

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def name(self) -> str:
        """That of the other."""
        return self.then.name

    def value(self, time: Any) -> Any:
        """min(t/warm_up, 1) s(t) at an array of times."""
        return jnp.minimum(time / self.warm_up, 1) * self.then.value(time)


class FunctionSchedule(Schedule):
    """Any function of t by operations of JAX, elementwise or of one number: a schedule of optax, whose count is t here.

    - `label`: its name in results; by default the function's own.

    **Raises:** ArgumentError where it is no such function.
    """

    function: Callable[[Any], Any] = eqx.field(static=True)
    label: str = eqx.field(static=True)

    def __init__(self, function: Callable[[Any], Any], label: str | None = None) -> None:
        self.label = getattr(function, "__name__", "function") if label is None else label
        # Some are made for one number: of an array they would make something else, with luck an error.
        with jax.numpy_rank_promotion("raise"):
            if _shape_of(function, (3, 2)) == (3, 2):
                self.function = function
            elif _shape_of(function, ()) == ():
                self.function = jnp.vectorize(function)
            else:
                remedy = "Write it with jax.numpy, e.g. lambda t: jnp.exp(-t), and jnp.where for `if`."
                raise ArgumentError(
                    "schedule", "be made of JAX operations, and give a number for a time", function, remedy
                )

    @property
    def name(self) -> str:
        """The label."""
        return self.label

    def value(self, time: Any) -> Any:
        """function(t) at an array of times, in their shape and precision."""
        return jnp.broadcast_to(jnp.asarray(self.function(time), jnp.result_type(time)), jnp.shape(time))


def _shape_of(function: Callable[[Any], Any], times: tuple[int, ...]) -> tuple[int, ...] | None:
    """Of what a function gives for times of a shape; None where that is no array, or an error."""
    try:
        made = jax.eval_shape(function, jax.ShapeDtypeStruct(times, np.float32))
    except (TypeError, ValueError):
        return None
    return getattr(made, "shape", None)


def as_schedule(given: Any) -> Schedule:
    """A schedule as it is, and a function as one. **Raises:** ArgumentError for anything else."""
    if isinstance(given, Schedule):
        return given
    if not callable(given) or isinstance(given, type):
        raise ArgumentError("schedule", "be a Schedule, or a function of t", given)
    return FunctionSchedule(given)


class Timed(Wrapped):
    """A rule whose rates are multiplied by schedules: `vectors` multiplies every kick and drift, `theta` the numbers.

    A rule of limited lengths goes inside: lengths are limited first and then multiplied.
    """

    vectors: Schedule
    theta: Schedule

    @property
    def timed(self) -> bool:
        """A rule with a schedule looks at the time."""
        return True

    def step(self, at: Sample) -> Move:
        """The inner rule's, multiplied."""
        move = self.inner.step(at)
        numbers = None if move.numbers is None else move.numbers * self.theta.value(at.time)
        return move._replace(error=move.error * self.vectors.value(at.time), numbers=numbers)

    def drift(self, vectors: Units, time: Any) -> Units:
        """The inner rule's, multiplied."""
        return self.inner.drift(vectors, time) * self.vectors.value(time)

    def limit(self, squares: Units, time: Any) -> Units:
        """The inner rule's, of kicks that are not yet multiplied."""
        s = self.vectors.value(time)
        return self.inner.limit(squares * (1 / jnp.where(s > 0, s * s, 1)), time)

    def moments(
        self,
        P: Float[Array, "k k"],
        M: Float[Array, "n k"],
        Q: Float[Array, "n n"],
        numbers: Float[Array, " q"],
        time: Any,
    ) -> KickMoments | None:
        """The inner rule's, multiplied."""
        inner = self.inner.moments(P, M, Q, numbers, time)
        if inner is None:
            return None
        s = self.vectors.value(time)
        own = (inner.with_fixed * s, inner.with_moving * s, inner.squares * (s * s))
        slopes = None if inner.slopes is None else inner.slopes * s
        return KickMoments(*own, inner.numbers * self.theta.value(time), slopes)
