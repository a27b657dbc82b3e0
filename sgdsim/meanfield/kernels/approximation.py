"""SGD beside its SDE from one start: how far the laws of a particle are apart, by three couplings.

A replica is a start W_0 and, from it, 2 COPIES runs of SGD and as many of the SDE, each with data or noise of its own,
in two folds. With Q the sorted positions of a particle over the copies of a fold, Q_i for i/COPIES of its law,

    apart:     mean |W_sde - W_sgd|^2 of a run of each               neither knows of the other
    assigned:  mean (Q_sde - Q_sgd)^2 particle by particle           the best assignment: W_2^2 of the laws given W_0
    laws:      the same of all particles of all copies together      W_2^2 of the law of a particle picked at random

Positions of so many copies fluctuate, so that both of the latter are not 0 for equal laws: this is their floor, what
two folds of one dynamics are apart. Multiplying the difference of one fold with that of the other leaves it out,

    E (Q_sde - Q_sgd)_1 (Q_sde - Q_sgd)_2 = (E Q_sde - E Q_sgd)^2,

as folds are independent given W_0. What is left of W_2^2 then is smoothed over neighbouring quantiles.

The SDE takes a step for each of SGD, with Heun's scheme for the drift and noise of the step's beginning: for small
noise its law is right to eps^2 (Milstein & Tretyakov 1997), where that of SGD is off by eps.
"""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Kernel, Observables
from sgdsim.ensemble.loops import steps_loop
from sgdsim.ensemble.pin import Pin
from sgdsim.ensemble.random import fold
from sgdsim.meanfield.kernels.copies import copy_keys
from sgdsim.meanfield.kernels.particle import DRIVEN, ParticleKernel, ParticleState, sde_of
from sgdsim.meanfield.limits.drives import DriftAlone, Drive, atoms_of
from sgdsim.meanfield.observables import Positions, predictions
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import Given

COPIES = 2048
"""Runs of a fold: of Gaussian laws that differ in width, the smoothed W_2^2 is 2 % too small, of others in mean, 0."""
FOLDS = 2


class ApproximationState(eqx.Module):
    """Runs of SGD, and of the SDE: (N, folds copies lanes)."""

    sgd: ParticleState
    sde: ParticleState


class ApproximationKernel(Kernel):
    """One problem's SGD and its SDE on a tile of replicas; `system` has lanes for all runs of SGD."""

    kept: ClassVar[tuple[str, ...]] = (
        "excess_risk",
        "m",
        "mean",
        "variance",
        "apart",
        "assigned",
        "assigned_raw",
        "assigned_floor",
        "laws",
        "laws_raw",
        "laws_floor",
        "second_moment",
        "fourth_moment",
    )

    lanes: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    system: ParticleKernel
    sde: Drive
    drift: DriftAlone

    @classmethod
    def of(cls, problem: MeanField, dtype: Any, lanes: int) -> "ApproximationKernel":
        """The kernel of a problem whose dynamics are SGD."""
        system = ParticleKernel.of(problem, dtype, FOLDS * COPIES * lanes)
        sgd = system.drive
        same: dict[str, Any] = {"dt": sgd.dt, "noise": sgd.noise, "scale": sgd.scale, "batch": sgd.batch}
        return cls(lanes=lanes, segment=1, system=system, sde=sde_of(problem)(**same), drift=DriftAlone(**same))

    def init(self, initial: Given, keys: UInt32[Array, "2 lanes"]) -> ApproximationState:
        """All runs of a replica at its start."""
        count = FOLDS * COPIES
        system = self.system.init(initial, keys)
        W = tuple(jnp.tile(w, (1, count)) for w in system.W)
        runs = (range(count), range(count, 2 * count))
        return ApproximationState(*(ParticleState(W, copy_keys(keys, copies), system.step) for copies in runs))

    def advance(self, state: ApproximationState, n_steps: Int[Array, ""]) -> ApproximationState:
        """n_steps of SGD, and as many of the SDE."""
        sgd, sde, model = self.system.advance(state.sgd, n_steps), state.sde, self.system.model
        pin, key = Pin.of(n_steps, self.system.dtype), fold((sde.keys[0], sde.keys[1]), DRIVEN)
        points, scale = atoms_of(model).points, self.system.scale

        def step(number: Array, W: Positions) -> Positions:
            drawn = self.sde.draw(model, key, number, self.system.N, self.system.dtype, pin)
            outputs = predictions(model, W, scale, points)
            moved, ahead = self.sde.move(model, W, outputs, drawn), self.drift.move(model, W, outputs, None)
            twice = self.drift.move(model, ahead, predictions(model, ahead, scale, points), None)
            # Half of the drift at the beginning is replaced by half of that at the end.
            parts = zip(moved, W, ahead, twice, strict=True)
            return tuple(m + ((c - b) - (b - a)) / 2 for m, a, b, c in parts)

        W = steps_loop(sde.step, sde.step + n_steps, step, sde.W)
        return ApproximationState(sgd, ParticleState(W, sde.keys, sde.step + n_steps))

    def observe(self, state: ApproximationState) -> Observables:
        """What is observed of one run of SGD, and how far the laws are apart."""
        W, keys = state.sgd.W, state.sgd.keys
        first = ParticleState(tuple(w[:, : self.lanes] for w in W), keys[:, : self.lanes], state.sgd.step)
        sgd, sde = (self._folds(part.W[0].astype(jnp.float64)) for part in (state.sgd, state.sde))
        together = [part.reshape(1, FOLDS, -1, self.lanes) for part in (_first(sgd), _first(sde))]
        seen = self.system.observe(first) | {"apart": jnp.mean((sde - sgd) ** 2, axis=(0, 1, 2))}
        for name, power in (("second_moment", 2), ("fourth_moment", 4)):
            seen[name] = jnp.mean(sgd**power - sde**power, axis=(0, 1, 2))
        for name, pair in (("assigned", (sgd, sde)), ("laws", together)):
            parts = zip(("", "_raw", "_floor"), transported(*pair), strict=True)
            seen |= {f"{name}{ending}": value for ending, value in parts}
        return seen

    def _folds(self, w: Float[Array, "N _"]) -> Float[Array, "N folds copies lanes"]:
        return w.reshape(len(w), FOLDS, COPIES, self.lanes)


def _first(folds: Float[Array, "N folds copies lanes"]) -> Float[Array, "folds N copies lanes"]:
    """With the folds first, so that particles and copies are neighbours."""
    return jnp.swapaxes(folds, 0, 1)


def transported(
    a: Float[Array, "N 2 copies lanes"], b: Float[Array, "N 2 copies lanes"]
) -> tuple[Float[Array, " lanes"], Float[Array, " lanes"], Float[Array, " lanes"]]:
    """W_2^2 of two laws of which there are two folds each, the mean over N: without bias, as it is, and its floor."""
    a, b = jnp.sort(a, axis=2), jnp.sort(b, axis=2)
    apart = b - a
    crossed = apart[:, 0] * apart[:, 1]
    raw = jnp.mean(apart**2, axis=1)
    floor = sum((one[:, 0] - one[:, 1]) ** 2 for one in (a, b)) / 2
    means = (jnp.mean(jnp.asarray(each), axis=(0, 1)) for each in (crossed, raw, floor))
    return tuple(means)  # type: ignore[return-value]
