"""The laws of a rule as checks that are executed: chain, full vectors and mean step tell the same story.

Numbers of two simulations are compared by their means and variances over replicas, in units of the errors of these.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.contracts import Kernel
from sgdsim.ensemble.random import replica_keys
from sgdsim.rules.blocks import RuleBlocks
from sgdsim.rules.chain import WIDEST_LANES
from sgdsim.rules.lanes import RuleLanes
from sgdsim.rules.linear_algebra import batched_root
from sgdsim.rules.mean_step import ROOT_RTOL, MeanStep, Point, is_closed
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.rule import KickMoments, Rule
from sgdsim.rules.sample_points import Normals, Samples, mixed, samples_of
from sgdsim.rules.weights import RuleWeights

WORST = 5.0
"""Errors that two means or variances may be apart."""
ROUNDING = 1e-6
"""Of what is observed after few steps in float32."""
STEPS = 12
"""Of the simulations that are compared."""
POINTS_LOG2 = 14
"""2^14 points of the mean step."""

MANY_LOG2 = 17
"""2^17 points for closed forms: their errors are well below those of as many independent samples, of which one is the
limit here."""

Seen = dict[str, Float[np.ndarray, "numbers replicas"]]


@dataclass(frozen=True)
class RuleTrial:
    """One rule with all that its laws speak of; `sgdsim.testing.check_rule` says what each field is."""

    rule: Rule
    d: int
    start: Overlaps
    batch: int
    replicas: int
    seed: int

    @cached_property
    def weights(self) -> dict[int, Seen]:
        """What is observed of full vectors, by the batch."""
        return {b: self.seen(self._weights(b), STEPS, b) for b in self.batches}

    @property
    def batches(self) -> tuple[int, ...]:
        """One sample a step, and several where there is room for them."""
        return (1, self.batch) if 1 < self.batch <= self.room else (1,)

    @property
    def room(self) -> int:
        """Samples of a block."""
        return self.d - self.rule.sizes.fixed - self.rule.sizes.moving

    def blocks(self, batch: int) -> RuleBlocks:
        """The chain by products, with blocks that end within the steps of a simulation."""
        return RuleBlocks.of(self.rule, self.d, batch, "float32", self.replicas, min(5, self.room // batch))

    def seen(self, kernel: Kernel, steps: int, seed: int) -> Seen:
        """All that is observed after so many steps, less the start."""
        keys = jnp.asarray(replica_keys(self.seed, seed, 0, self.replicas))
        begun, ended = jax.device_get(_ends(kernel, self.start, keys, jnp.asarray(steps)))
        return {name: (ended[name] - begun[name]).reshape(-1, self.replicas) for name in ended}

    def _weights(self, batch: int) -> RuleWeights:
        return RuleWeights.of(self.rule, self.d, batch, "float32", self.replicas, max(1, 4 // batch))


@eqx.filter_jit
def _ends(kernel: Kernel, start: Overlaps, keys: Array, steps: Array) -> Any:
    state = kernel.init(start, keys)
    return kernel.observe(state), kernel.observe(kernel.advance(state, steps))


def broken_laws(trial: RuleTrial) -> list[str]:
    """A line for every law of a rule that does not hold: `lanes`, `blocks`, `step`, `moments`."""
    return [f"{law.__name__.removeprefix('_')}: {said}" for law in LAWS for said in law(trial)]


def _lanes(trial: RuleTrial) -> Iterator[str]:
    """The unrolled chain has the law of the full vectors."""
    if max(trial.rule.sizes.fixed, trial.rule.sizes.moving) <= WIDEST_LANES:
        kernel = RuleLanes.of(trial.rule, trial.d, 1.0, "float32", trial.replicas)
        yield from _apart("the unrolled chain", trial.seen(kernel, STEPS, 11), trial.weights[1])


def _blocks(trial: RuleTrial) -> Iterator[str]:
    """The chain by products has the law of the full vectors."""
    for b in trial.batches:
        name = f"the chain by products at batch {b}"
        yield from _apart(name, trial.seen(trial.blocks(b), STEPS, 20 + b), trial.weights[b])


def _apart(name: str, chain: Seen, weights: Seen) -> Iterator[str]:
    """What differs, in words: the mean or the variance of each observable."""
    for key, one in chain.items():
        other = weights[key]
        for what, of in (("mean", lambda x: x), ("variance", lambda x: (x - x.mean(axis=1, keepdims=True)) ** 2)):
            left, right = of(one), of(other)
            error = np.sqrt((left.var(axis=1) + right.var(axis=1)) / left.shape[1])
            away = np.abs(left.mean(axis=1) - right.mean(axis=1)) / (error + ROUNDING)
            if not (away < WORST).all():
                yield f"the {what} of {key} differs by {_worst(away)} errors between {name} and full vectors"


def _step(trial: RuleTrial) -> Iterator[str]:
    """One step of the chain has the mean that the ODE is made of."""
    rule = trial.rule
    # Of a batch that is used again the ODE leaves out what its other samples do to a field, of order 1/d; one whose
    # length is limited as a whole has none.
    for b in (1,) if rule.visits > 1 or rule.limits else trial.batches:
        moved, expected = trial.seen(trial.blocks(b), 1, 30 + b), _mean_step(trial, b)
        for name, value in moved.items():
            error = value.std(axis=1) / trial.replicas**0.5 + ROUNDING
            away = np.abs(value.mean(axis=1) - expected[name].ravel()) / error
            if not (away < WORST).all():
                yield f"one step at batch {b} moves {name} in the mean by what is {_worst(away)} errors from the ODE"


def _mean_step(trial: RuleTrial, batch: int) -> dict[str, np.ndarray]:
    """What one step adds in the mean to all that is observed, to first order in it."""
    begun, ended = jax.device_get(_before_and_after(*_curve(trial, batch)))
    return {name: np.asarray(ended[name] - begun[name]) for name in ended}


@eqx.filter_jit
def _before_and_after(curve: MeanStep, P: Float[Array, "k k"], point: Point) -> Any:
    step = curve.step(P, point)
    here = (point.M, point.Q, point.numbers)
    there = tuple(a + b for a, b in zip(here, (step.M, step.Q, step.numbers), strict=True))
    return curve.rule.observe(P, *here), curve.rule.observe(P, *there)


def _curve(trial: RuleTrial, batch: int) -> tuple[MeanStep, Float[Array, "k k"], Point]:
    """The mean step over points, also where there are closed forms."""
    normals = Normals.of(trial.rule, POINTS_LOG2)
    dt, d = (jnp.asarray(number, jnp.float64) for number in (1.0, trial.d))
    curve = MeanStep(trial.rule, dt, d, normals, batch=batch, rtol=1e-8, atol=1e-10, stiff=False)
    return curve, *curve.begin(jax.tree.map(lambda part: part[0], trial.start))


def _moments(trial: RuleTrial) -> Iterator[str]:
    """Closed forms are the averages of the step; `squares` with |x|^2/d or, its leading part, without."""
    if not is_closed(trial.rule):
        return
    normals = Normals.of(trial.rule, MANY_LOG2)
    closed, means, errors, leading = jax.device_get(_closed_and_sampled(*_curve(trial, 1), normals))
    for name in KickMoments._fields:
        if getattr(closed, name) is None:
            continue
        value, mean, error = (np.asarray(getattr(part, name)) for part in (closed, means, errors))
        away = np.abs(value - mean)
        if name == "squares":
            away = np.minimum(away, np.abs(value - leading))
        away = away / (error + ROUNDING * np.abs(mean).max(initial=1e-9))
        if not (away < 1).all():
            yield f"`moments` gives {name} that are {_worst(away)} errors from the average of `step`"


@eqx.filter_jit
def _closed_and_sampled(
    curve: MeanStep, P: Float[Array, "k k"], point: Point, normals: Normals
) -> tuple[KickMoments | None, KickMoments, KickMoments, Float[Array, "n n"]]:
    """KickMoments in closed form; mean and error of them over normals; and of E[K_a K_b] the mean."""
    root = batched_root(jnp.block([[P, point.M.T], [point.M, point.Q]])[None])[0]
    parts = [_sampled(curve, samples, root, point) for samples in samples_of(curve.rule, normals, root)]
    closed = curve.rule.moments(P, point.M, point.Q, point.numbers, point.time)
    return closed, *mixed(curve.rule, parts)


def _sampled(
    curve: MeanStep, samples: Samples, root: Float[Array, "fields fields"], point: Point
) -> tuple[KickMoments, KickMoments, Float[Array, "n n"]]:
    """Of samples alike: mean and error of KickMoments, and of E[K_a K_b] with |x|^2/d = scale^2 the mean."""
    k, count, fields, length = point.M.shape[1], len(samples.z), samples.z @ root.T, samples.length(curve.d)
    kicks, moves = curve.kicks(samples.own, fields[:, :k], fields[:, k:], length, point)
    pairs = kicks[:, :, None] * kicks[:, None, :]
    fixed, moving = (kicks[:, :, None] * part[:, None, :] for part in (fields[:, :k], fields[:, k:]))
    slopes = kicks[:, :, None] * (samples.z @ jnp.linalg.pinv(root, rtol=ROOT_RTOL))[:, None, :]  # by Stein's lemma
    numbers = (fixed, moving, pairs * (length / curve.d)[:, None, None], moves, slopes)
    means = KickMoments(*(jnp.mean(part, axis=0) for part in numbers))
    errors = KickMoments(*(jnp.std(part, axis=0) / count**0.5 for part in numbers))
    return means, errors, samples.scale**2 * jnp.mean(pairs, axis=0)


LAWS: tuple[Callable[[RuleTrial], Iterator[str]], ...] = (_lanes, _blocks, _step, _moments)
"""Each says what is wrong, in words."""


def _worst(away: Float[np.ndarray, "..."]) -> str:
    return f"{np.max(away):.1f}"
