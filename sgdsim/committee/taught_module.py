"""A student of one's own as a model that is trained on data, taught by a committee."""

from dataclasses import KW_ONLY
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from sgdsim.committee.frame import Frame, spread_frame
from sgdsim.committee.observables import recovery
from sgdsim.committee.problem import Committee
from sgdsim.committee.rule_of import network_of
from sgdsim.committee.sampled_risk import sum_over_inputs
from sgdsim.committee.student import TaughtModel
from sgdsim.contracts import Observables
from sgdsim.ensemble.random import Key, fold
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.rule import in_arrays
from sgdsim.rules.schedule import Constant, Schedule
from sgdsim.rules.units import UnitArray
from sgdsim.training.inputs import InputLaw, NormalInputs, NormalNoise
from sgdsim.training.model import Begun
from sgdsim.training.module import ModuleStudent, Skeleton, first_layer, skeleton_of

START = np.uint64(2**64 - 5)
"""What a replica's key is folded with for its module at t = 0: beyond the number of any step, and of no other use."""


class TaughtModule(TaughtModel):
    """theta <- theta + gamma s(t) U(grad R), of all parameters theta of a module, and U = -grad R for plain SGD.

        R(theta) = (1/2 batch) sum_s (y_s - f(x_s))^2

    The gradient is that of R as it is, by differentiation, and so are lengths of gradients and decay: an optimiser is
    what optax makes of it at the learning rate gamma s(t). Teachers lie in a frame of which no direction is marked, as
    a module may know coordinates.
    """

    _: KW_ONLY
    student: ModuleStudent = eqx.field(static=True)
    p: int = eqx.field(static=True)
    gamma: Any
    schedule: Schedule
    frame: Frame
    test_inputs: int = eqx.field(static=True)

    @classmethod
    def of(cls, problem: Committee, test_inputs: int, native: bool = False) -> "TaughtModule":
        """The student of a problem; the risk is observed over so many test inputs.

        - `native`: as in `NormalInputs`.
        """
        assert problem.student is not None
        d, law = problem.d, problem.inputs if isinstance(problem.inputs, InputLaw) else NormalInputs(native)
        first, _ = problem.schedules or (Constant(), Constant())
        return cls(
            d=d,
            network=network_of(problem),
            inputs=law.at(d),
            labels=problem.label_noise or NormalNoise(),
            student=problem.student,
            p=problem.p,
            gamma=problem.gamma,
            schedule=first,
            frame=spread_frame(problem.k, d),
            test_inputs=test_inputs,
        )

    @property
    def skeleton(self) -> Skeleton:
        """What all replicas have in common."""
        return skeleton_of(self.student, self.d, self.p)

    def begin(self, initial: Overlaps, keys: UInt32[Array, "2 lanes"], dtype: Any) -> Begun:
        """The module that the function makes of every replica's key, and teachers with exactly the given overlaps."""
        words = jnp.stack(fold((keys[0], keys[1]), START), axis=-1)

        def made(key: Any) -> Any:
            return eqx.filter(self.student.make(self.d, self.p, key), eqx.is_inexact_array)

        parameters = jax.vmap(made)(jax.random.wrap_key_data(words, impl="threefry2x32"))
        roots = self.d**0.5 * jnp.linalg.cholesky(jnp.asarray(initial.P))
        teacher = roots @ jnp.asarray(self.frame)
        teacher = jnp.broadcast_to(teacher.astype(dtype), (keys.shape[1], *teacher.shape[1:]))
        return Begun(jax.tree.map(lambda part: part.astype(dtype), parameters), teacher)

    def output(self, parameters: Any, x: Float[Array, "lanes rows d"]) -> Float[Array, "lanes rows"]:
        """f(x), x by x."""
        static = self.skeleton.static

        def of_replica(parameters: Any, x: Float[Array, "rows d"]) -> Float[Array, " rows"]:
            return jax.vmap(eqx.combine(parameters, static))(x)

        return jax.vmap(of_replica)(parameters, x).astype(x.dtype)

    def rates(self, time: Float[Array, ""]) -> Any:
        """gamma s, of all parameters."""
        return in_arrays(self.schedule, time.dtype).value(time) * jnp.asarray(self.gamma, time.dtype)

    def observe(self, parameters: Any, fixed: Float[Array, "lanes k d"], key: Key) -> Observables:
        """excess_risk and, of a first layer, M, Q and the largest overlap."""
        return self._layer(parameters, fixed) | {"excess_risk": self._risk(parameters, fixed, key)}

    def _risk(self, parameters: Any, fixed: Float[Array, "lanes k d"], key: Key) -> Float[Array, " lanes"]:
        """(1/n) sum_s (E[y|x_s] - f(x_s))^2/2 over fresh test inputs."""
        network = in_arrays(self.network, jnp.float64)

        def squares(x: Float[Array, "lanes rows d"]) -> Float[Array, "lanes rows"]:
            fields = UnitArray(jnp.einsum("lsd,lkd->lsk", x, fixed).astype(jnp.float64) * self.d**-0.5)
            clean = jnp.broadcast_to(network.target.value(fields), x.shape[:2])
            best = network.made.mean(clean, network.noise_root)
            return (best - self.output(parameters, x).astype(jnp.float64)) ** 2

        count = self.test_inputs
        return sum_over_inputs(self.inputs, self.d, count, fixed.dtype, key, squares) / (2 * count)

    def _layer(self, parameters: Any, fixed: Float[Array, "lanes k d"]) -> Observables:
        """M, Q and overlaps of the first layer, where the module has one."""
        skeleton = self.skeleton
        if skeleton.rows is None:
            return {}

        def of_replica(own: Any) -> Any:
            return first_layer(eqx.combine(own, skeleton.static), self.d)

        W, teacher = jax.vmap(of_replica)(parameters).astype(jnp.float64), fixed.astype(jnp.float64)
        pairs = ((teacher, teacher), (W, teacher), (W, W))
        P, M, Q = (jnp.einsum("lid,ljd->ijl", left, right) / self.d for left, right in pairs)
        return {"M": M, "Q": Q} | recovery(P, M, Q)
