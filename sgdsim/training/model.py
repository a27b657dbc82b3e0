"""What is trained, on which data: a student and the task that it is set, as functions of a tile of replicas."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

from sgdsim.contracts import Initial, Observables
from sgdsim.ensemble.random import Key
from sgdsim.training.inputs import InputLaw, LabelLaw


class Begun(NamedTuple):
    """A model at t = 0: pytrees of arrays whose leading axis is the tile's lanes, in the precision of the loop."""

    parameters: Any
    """What is trained."""
    fixed: Any
    """What labels are made by, e.g. the weights of a teacher."""


class TrainedModel(eqx.Module):
    """A student theta with outputs f(x), on data (x, y): it descends on half the mean square of y - f.

        R(theta) = (1/2n) sum_s (y_s - f(x_s))^2,    theta <- theta + rates(t) U(gradient, state, theta)

    with U that of an `Optimiser`, -gradient for plain SGD. Numbers that are not static are traced, so that one program
    serves a whole axis of a grid.
    """

    d: eqx.AbstractVar[int]
    """Dimension of the inputs."""
    inputs: eqx.AbstractVar[InputLaw]
    labels: eqx.AbstractVar[LabelLaw]
    """The law of the labels' noise, of variance 1."""

    @abc.abstractmethod
    def begin(self, initial: Initial, keys: UInt32[Array, "2 lanes"], dtype: Any) -> Begun:
        """Parameters at t = 0 and what stays fixed, from the start of the problem, or from the replicas' keys."""

    @abc.abstractmethod
    def label(
        self, fixed: Any, x: Float[Array, "lanes rows d"], zeta: Float[Array, "lanes rows"]
    ) -> Float[Array, "lanes rows"]:
        """y of every datum, with its noise, from a number zeta of the law `labels`."""

    @abc.abstractmethod
    def output(self, parameters: Any, x: Float[Array, "lanes rows d"]) -> Float[Array, "lanes rows"]:
        """f(x) of every replica on its own data."""

    def gradient(self, parameters: Any, x: Float[Array, "lanes rows d"], y: Float[Array, "lanes rows"]) -> Any:
        """The gradient of R on these data, like `parameters`, times whatever makes entries of one datum O(1).

        Here by differentiation of `output`, and times 1.
        """

        def risk(parameters: Any) -> Float[Array, ""]:
            # A replica's output depends on its own parameters only: the gradient of the sum is that of each.
            return 0.5 * jnp.sum(jnp.mean((y - self.output(parameters, x)) ** 2, axis=1))

        return jax.grad(risk)(parameters)

    @abc.abstractmethod
    def rates(self, time: Float[Array, ""]) -> Any:
        """The learning rate of every leaf of `parameters`, or of all of them, at the time t; schedules are in it."""

    @property
    def scales(self) -> tuple[Any, Any]:
        """`unit` and `root` of `Named`: lengths of R's own gradient, and decay, in the scale of `gradient`."""
        return 1.0, 1.0

    @abc.abstractmethod
    def observe(self, parameters: Any, fixed: Any, key: Key) -> Observables:
        """What is observed whatever the data are, float64, lanes last; `excess_risk` among it where it is known.

        - `key`: of the replica's step, for means over test inputs.
        """

    @property
    def noise_risk(self) -> Any:
        """What the noise of the labels adds to the risk: half its variance."""
        return 0.0

    def distance(self, parameters: Any, start: Any) -> Float[Array, " lanes"]:
        """How far the parameters are from those at t = 0: the root of the mean square of all entries, float64."""
        pairs = zip(jax.tree.leaves(parameters), jax.tree.leaves(start), strict=True)
        squares = [jnp.square((new - old).astype(jnp.float64)).reshape(new.shape[0], -1) for new, old in pairs]
        return jnp.sqrt(jnp.mean(jnp.concatenate(squares, axis=1), axis=1))
