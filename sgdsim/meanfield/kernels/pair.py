"""A system of particles beside its limit: each particle and its limit share the start and the noise.

    W^{k,N} follows its own empirical law,   W^{k,*} the law of the limit,   W_0^{k,*} = W_0^{k,N}

beta < 1: the limit is the drift along m*(t). beta = 1, independent noise: the same noise along m*(t). beta = 1, common
noise: the limit is random; it is followed on weighted nodes that are driven by the same data, or the same noise.
"""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Kernel, Observables
from sgdsim.ensemble.loops import steps_loop
from sgdsim.ensemble.pin import Pin
from sgdsim.ensemble.random import fold
from sgdsim.ensemble.sobol import sobol_normals
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.features import dot
from sgdsim.meanfield.kernels.particle import DRIVEN, ParticleKernel, ParticleState
from sgdsim.meanfield.limits.drives import DriftAlone, Drive, minus
from sgdsim.meanfield.limits.limit import solve_limit
from sgdsim.meanfield.limits.solution import Limit
from sgdsim.meanfield.observables import Positions
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import Given

NODES = 150
"""Gauss-Hermite nodes that carry a random limit of particles with one weight."""
POINTS_LOG2 = 10
"""Sobol points, as a power of 2, that carry it where they have more."""


class PairState(eqx.Module):
    """`system`: the particles; `star`: their limits; `peak`: max |W^N - W^*|^2 so far; `nodes`: of a random limit."""

    system: ParticleState
    star: Positions
    peak: Float[Array, "N lanes"]
    nodes: tuple[Float[Array, "nodes lanes"], ...] | None


class PairKernel(Kernel):
    """One problem's particles and their limits on a tile of replicas.

    - `follow`: the drive of the limits; `limit`: m*(t), None where it is random.
    - `nodes`, `weights`: of the limit's law at t = 0, (nodes, 1), where it is random.
    """

    kept: ClassVar[tuple[str, ...]] = (
        "excess_risk",
        "m",
        "mean",
        "variance",
        "distance",
        "coupling",
        "pair_covariance",
    )

    lanes: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    system: ParticleKernel
    follow: Drive
    limit: Limit | None
    nodes: tuple[Float[Array, "nodes 1"], ...]
    weights: Float[Array, "nodes 1"]

    @classmethod
    def of(cls, problem: MeanField, dtype: Any, lanes: int, final: float) -> "PairKernel":
        """The kernel of a problem up to the time `final`."""
        system = ParticleKernel.of(problem, dtype, lanes)
        drive = system.drive
        # Below beta = 1 the noise of a step vanishes with N, and the limit follows the drift alone.
        noiseless = problem.beta < 1
        follow = noiseless_drive(drive) if noiseless else drive
        nodes, weights = law_nodes(problem)
        return cls(
            lanes=lanes,
            segment=1,
            system=system,
            follow=follow,
            limit=None if problem.random_limit else solve_limit(problem, final),
            nodes=tuple(jnp.asarray(node)[:, None] for node in nodes),
            weights=jnp.asarray(weights)[:, None],
        )

    @classmethod
    def outline(cls, problem: MeanField, dtype: Any, lanes: int) -> "PairKernel":
        """The kernel without a limit: good for `init` and `observe`, but not for `advance`."""
        system, nobody = ParticleKernel.of(problem, dtype, lanes), jnp.zeros((0, 1))
        return cls(lanes=lanes, segment=1, system=system, follow=system.drive, limit=None, nodes=(), weights=nobody)

    def init(self, initial: Given, keys: UInt32[Array, "2 lanes"]) -> PairState:
        """Both at the same start, which the limit is solved from. **Raises:** ArgumentError for given particles."""
        if initial.particles is not None:
            remedy = "A law of one's own, also that of one point, is the model's: Model(law=GaussianLaw(mean, std))."
            raise ArgumentError("start", "be the model's law beside the limit", "given particles", remedy)
        system = self.system.init(initial, keys)
        dtype = self.system.dtype
        nodes = tuple(jnp.broadcast_to(node.astype(dtype), (len(node), self.lanes)) for node in self.nodes)
        return PairState(
            system=system,
            star=system.W,
            peak=jnp.zeros(system.W[0].shape, dtype),
            nodes=nodes if self.limit is None else None,
        )

    def advance(self, state: PairState, n_steps: Int[Array, ""]) -> PairState:
        """n_steps of the drive, of the system by its own law and of its limits by theirs."""
        keys, first = state.system.keys, state.system.step
        pin, key = Pin.of(n_steps, self.system.dtype), fold((keys[0], keys[1]), DRIVEN)

        def step(number: Array, carry: Any) -> Any:
            W, star, peak, nodes = carry
            model, N = self.system.model, self.system.N
            drive, follow = self.system.drive.at(number, pin), self.follow.at(number, pin)
            drawn = drive.draw(model, key, number, N, self.system.dtype, pin)
            outputs = drive.outputs(model, W, self.system.scale, drawn)
            star_outputs = self._limit_outputs(number, nodes, drawn)
            W, star = drive.step(model, W, outputs, drawn), follow.step(model, star, star_outputs, drawn)
            if nodes is not None:
                nodes = follow.step(model, nodes, star_outputs, drawn)
            apart = minus(W, star)
            # At every step, not at save times only: the theorems bound the largest distance over all of [0, T].
            return W, star, jnp.maximum(peak, dot(apart, apart)), nodes

        carry = (state.system.W, state.star, state.peak, state.nodes)
        W, star, peak, nodes = steps_loop(first, first + n_steps, step, carry)
        return PairState(ParticleState(W=W, keys=keys, step=first + n_steps), star, peak, nodes)

    def _limit_outputs(self, number: Array, nodes: Positions | None, drawn: Any) -> Float[Array, "J #lanes"]:
        """What a step needs to know of the limit's law, at the step's beginning."""
        if self.limit is not None:
            # From the number of the step: a time that is added up step by step would collect rounding.
            return self.limit.m_at(number * self.system.drive.dt).astype(self.system.dtype)[:, None]
        assert nodes is not None
        return self.system.drive.outputs(self.system.model, nodes, self.weights, drawn)

    def observe(self, state: PairState) -> Observables:
        """What is observed of the particles, and their deviations from their limits."""
        wide = (tuple(w.astype(jnp.float64) for w in W) for W in (state.system.W, state.star))
        apart = minus(*wide)
        return self.system.observe(state.system) | {
            "distance": jnp.mean(dot(apart, apart), axis=0),
            "coupling": jnp.mean(state.peak.astype(jnp.float64), axis=0),
            "pair_covariance": sum(pair_product(deviation) for deviation in apart),
        }


def noiseless_drive(drive: Drive) -> DriftAlone:
    """The drift of a drive, without its noise."""
    same: dict[str, Any] = {"noise": drive.noise, "scale": drive.scale, "batch": drive.batch}
    return DriftAlone(dt=drive.dt, schedule=drive.schedule, decay=drive.decay, **same)


def pair_product(D: Float[Array, "N lanes"]) -> Float[Array, " lanes"]:
    """The mean of D_k D_l over all pairs k != l."""
    N = len(D)
    # Of N numbers, not of N^2 pairs: sum_{k != l} D_k D_l = (sum D)^2 - sum D^2.
    return (jnp.sum(D, axis=0) ** 2 - jnp.sum(D**2, axis=0)) / (N * (N - 1))


def law_nodes(problem: MeanField) -> tuple[Float[np.ndarray, "dim nodes"], Float[np.ndarray, " nodes"]]:
    """Weighted points of the law at t = 0: Gauss-Hermite nodes where particles have one weight, else Sobol points."""
    law = problem.model.law
    if law.dim == 1:
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        normals, weights = nodes[None], weights / weights.sum()
    else:
        normals = sobol_normals(law.dim, POINTS_LOG2).T
        weights = np.full(normals.shape[1], 1 / normals.shape[1])
    return np.asarray(law(jnp.asarray(normals))), weights
