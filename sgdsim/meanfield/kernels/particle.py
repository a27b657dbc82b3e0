"""N particles per replica under one drive: SGD, or its SDE, at finite width."""

from functools import partial
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Kernel, Observables
from sgdsim.ensemble.loops import steps_loop
from sgdsim.ensemble.pin import Pin
from sgdsim.ensemble.random import Key, fold
from sgdsim.meanfield.dynamics import Sgd
from sgdsim.meanfield.entropy import ENTROPIES, free_energy, spacing_entropy
from sgdsim.meanfield.limits.drives import (
    CommonSde,
    Drive,
    OwnScalarSde,
    OwnSde,
    OwnSgd,
    SharedSgd,
    drift_and_covariance,
)
from sgdsim.meanfield.model import Model
from sgdsim.meanfield.observables import Positions, observe_particles
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import Given, start_particles

DRIVEN = 1
"""What a replica's key is folded with to draw its data points or its noise; the start takes 0."""


def drive_of(problem: MeanField) -> Drive:
    """The drive of a problem's dynamics."""
    own = SharedSgd if problem.dynamics.common else OwnSgd
    kind = own if isinstance(problem.dynamics, Sgd) else sde_of(problem)
    batch = problem.dynamics.batch
    scale, noise = problem.N ** (problem.a - 1), problem.eps / batch
    extras: dict[str, Any] = {"schedule": problem.schedule, "decay": problem.decay}
    return kind(dt=problem.dt, noise=noise, scale=scale, batch=batch, **extras)


def sde_of(problem: MeanField) -> type[Drive]:
    """The drive of the SDE with the problem's noise, common to all particles or their own."""
    if problem.dynamics.common:
        return CommonSde
    # With one weight Sigma is a number, whose root needs one normal; else there is one for every atom.
    return OwnScalarSde if problem.model.dim == 1 else OwnSde


class ParticleState(eqx.Module):
    """A tile of replicas, in the precision of the loop. `step` counts the steps made."""

    W: Positions
    keys: UInt32[Array, "2 lanes"]
    step: Int[Array, ""]


class ParticleKernel(Kernel):
    """One problem's particles on a tile of replicas.

    - `scale`: N^(-a), the factor of the output; `edges`: of the histogram's bins; `neighbours`: of the entropy.
    """

    kept: ClassVar[tuple[str, ...]] = ("excess_risk", "mean", "variance", "m", "histogram", *ENTROPIES)

    lanes: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    N: int = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)
    model: Model
    drive: Drive
    scale: float
    edges: Float[Array, " edges"]
    neighbours: int | None = eqx.field(static=True)

    @classmethod
    def of(cls, problem: MeanField, dtype: Any, lanes: int) -> "ParticleKernel":
        """The kernel of a problem."""
        return cls(
            lanes=lanes,
            segment=1,
            N=problem.N,
            dtype=jnp.dtype(dtype),
            model=problem.model,
            drive=drive_of(problem),
            scale=problem.N**-problem.a,
            edges=jnp.asarray(problem.bin_edges),
            neighbours=problem.neighbours,
        )

    def init(self, initial: Given, keys: UInt32[Array, "2 lanes"]) -> ParticleState:
        """Particles of the start."""
        # Drawn in float64 and rounded once.
        W = start_particles(self.model, self.N, initial, (keys[0], keys[1]))
        W = tuple(w.astype(self.dtype) for w in W)
        W = jnp.stack(W) if self.model.joined else W
        return ParticleState(W=W, keys=keys, step=jnp.zeros((), jnp.int64))

    def advance(self, state: ParticleState, n_steps: Int[Array, ""]) -> ParticleState:
        """n_steps of the drive; the law of the particles is that of the step's beginning."""
        pin, key = Pin.of(n_steps, self.dtype), fold((state.keys[0], state.keys[1]), DRIVEN)
        W = steps_loop(state.step, state.step + n_steps, partial(self.step, key, pin), state.W)
        return ParticleState(W=W, keys=state.keys, step=state.step + n_steps)

    def step(self, key: Key, pin: Pin, number: Array, W: Positions) -> Positions:
        """The particles after one step, under the key that the replica drives them with."""
        drive = self.drive.at(number, pin)
        drawn = drive.draw(self.model, key, number, self.N, self.dtype, pin)
        outputs = drive.outputs(self.model, W, self.scale, drawn)
        return drive.step(self.model, W, outputs, drawn)

    def observe(self, state: ParticleState) -> Observables:
        """What is observed of the particles."""
        seen = observe_particles(self.model, state.W, self.scale, self.edges)
        return seen if self.neighbours is None else seen | self._entropies(state.W[0].astype(jnp.float64), seen)

    def _entropies(self, w: Float[Array, "N lanes"], seen: Observables) -> Observables:
        """Entropy, temperature and free energy of particles of one weight."""
        assert self.neighbours is not None
        entropy, drive = spacing_entropy(w, self.neighbours), self.drive
        temperature = drive.noise / 2 * jnp.mean(drift_and_covariance(self.model, w, seen["m"])[1], axis=0)
        decay = 0.0 if drive.decay is None else drive.decay
        return free_energy(seen["excess_risk"], jnp.mean(w**2, axis=0), entropy, temperature, decay)
