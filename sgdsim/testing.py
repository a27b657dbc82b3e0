"""The laws of the contract as checks that are executed, for the systems of sgdsim and for your own.

    from sgdsim.testing import check_system
    check_system(SYSTEM, MyProblem(d=10, noise=0.5), MyStart(), simulator=MySimulator())

Numbers are compared bit for bit, because results must not depend on how a run was divided; to rounding only where a
matrix product may add in another order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Initial, Kernel, Observables, Problem, Simulator, Start, System, Theory
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.errors import ArgumentError
from sgdsim.laws.catalogue import check_expectations
from sgdsim.rules.laws import RuleTrial, broken_laws
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.problem import RuleProblem
from sgdsim.rules.rule import Rule

ROUNDING = 1e-5
"""Relative size of what float32 leaves of an observable, after few steps and with room."""
WORST = 5.0
"""Errors of the mean that a start drawn at random may be from its law."""
TAKEN = ("time", "t", "step", "samples", "cell", "replica", "system", "axes", "title", "experiment")
"""Names that a data set has already."""


class BrokenContractError(AssertionError):
    """What a system promises and does not keep, a line for each law."""


@dataclass(frozen=True)
class Trial:
    """One problem of a system with all that its laws speak of; `check_system` says what each field is."""

    system: System
    problem: Problem
    start: Start
    simulator: Simulator
    theory: Theory | None
    replicas: int
    seed: int

    @cached_property
    def ensemble(self) -> Ensemble:
        """The ensemble from t = 0 to the end of the paths below, checked at the door."""
        bound = self.simulator.outline(self.problem, self.replicas, self.problem.dt)
        final = float(4 * int(bound.segment) * self.problem.dt)
        times = np.array([0.0, final])
        return Ensemble(self.problem, self.start, self.simulator, self.theory, times, self.replicas, self.seed)

    @cached_property
    def kernel(self) -> Kernel:
        """The simulator bound to the problem."""
        return self.ensemble.kernel

    @cached_property
    def steps(self) -> tuple[int, int]:
        """A whole segment, and what goes beyond the end of the next."""
        segment = int(self.kernel.segment)
        return segment, segment + 1

    def tile(self, number: int) -> tuple[Initial, UInt32[np.ndarray, "2 lanes"]]:
        """Starts and keys of a tile of the ensemble, which may be beyond its last."""
        piece = self.ensemble.begin(range(number, number + 1))
        initial = jax.tree.map(lambda part: part[0], piece.initials) if piece.own else piece.initials
        return initial, piece.keys[0]

    def path(self, initial: Initial, keys: UInt32[np.ndarray, "2 lanes"], *steps: int) -> tuple[Any, Observables]:
        """The state at the end, and what is observed after each of these numbers of steps, times first."""
        return jax.device_get(_path(self.kernel, initial, jnp.asarray(keys), jnp.asarray(steps, jnp.int64)))

    def own(self, seen: Observables) -> Observables:
        """The observables that a replica has by itself."""
        return {name: value for name, value in seen.items() if name not in self.kernel.joint}


@jax.jit
def _path(
    kernel: Kernel, initial: Initial, keys: UInt32[Array, "2 lanes"], steps: Int[Array, " times"]
) -> tuple[Any, Observables]:
    def to(state: Any, count: Int[Array, ""]) -> tuple[Any, Observables]:
        state = kernel.advance(state, count)
        return state, kernel.observe(state)

    return jax.lax.scan(to, kernel.init(initial, keys), steps)


def check_system(
    system: System,
    problem: Problem,
    start: Start,
    *,
    simulator: Simulator | None = None,
    theory: Theory | None = None,
    compare: bool = True,
    replicas: int = 64,
    seed: int = 0,
) -> None:
    """Checks the laws of `sgdsim.contracts` on one problem; a few seconds, most of them to compile.

    - `problem`: a small one, in which there is noise: replicas that cannot differ break the law of keys.
    - `start`: of the problem. - `simulator`, `theory`: by default the system's, where there is such a theory.
    - `compare`: False for a simulator without theory.
    - `replicas`: of the comparison at t = 0, and what tiles are cut for.

    **Raises:** ArgumentError where something does not pass the door; BrokenContractError with a line for each law that
    does not hold: `segments`, `lanes`, `company`, `keys`, `purity`, `draws`, `parameters`, `start` and, of a problem
    that is a rule, `rule` with those of `check_rule`.
    """
    if problem.system != system.name:
        raise ArgumentError("problem", f"be of the system {system.name!r}", problem.system)
    check_expectations(system)
    if theory is None and compare:
        default = system.default_theory
        theory = default if default is not None and default.exists(problem) else None
    trial = Trial(system, problem, start, simulator or system.default_simulator, theory, replicas, seed)
    lines = [f"{law.__name__.removeprefix('_')}: {said}" for law in LAWS if (said := law(trial))]
    if lines:
        raise BrokenContractError("\n".join(lines))


def check_rule(rule: Rule, d: int, start: Overlaps, *, batch: int = 3, replicas: int = 2**15, seed: int = 0) -> None:
    """Checks the laws of `sgdsim.rules.rule.Rule`; some twenty seconds, most of them to compile.

    - `d`: small, as steps of order 1/d should move the overlaps; `start`: of the vectors that the rule is given, with
      a leading axis of one replica, and not symmetric: M of different rows, no zeros.
    - `batch`: of the comparison beside that of single samples.
    - `replicas`: of every simulation; a difference is seen that is five of its errors.

    **Raises:** BrokenContractError with a line for each difference. `lanes`, `blocks`: mean or variance of something
    observed differ between a form of the chain and the full vectors; `step`: the mean of one step is not that of the
    ODE; `moments`: closed forms are not the averages of `step`.
    """
    lines = broken_laws(RuleTrial(rule, d, start, batch, replicas, seed))
    if lines:
        raise BrokenContractError("\n".join(lines))


def _segments(trial: Trial) -> str:
    """advance(advance(s, n1), n2) = advance(s, n1 + n2), and advance(s, 0) = s."""
    (first, second), tile = trial.steps, trial.tile(0)
    parts, whole = trial.path(*tile, 0, first, second), trial.path(*tile, 0, 0, first + second)
    name = _name(trial.kernel)
    if not _same(_at(parts[1], 0), _at(whole[1], 1)):
        return f"{name}.advance by no step changes what is observed"
    if _same(_at(parts[1], -1), _at(whole[1], -1)) and _same(parts[0], whole[0]):
        return ""
    return f"{name}.advance by {first} and {second} steps is not advance by {first + second}: is `segment` right?"


def _lanes(trial: Trial) -> str:
    """A permutation of starts and keys permutes the observables."""
    (initial, keys), (first, second) = trial.tile(0), trial.steps
    kept = np.arange(int(trial.kernel.leads))
    order = np.concatenate([kept, np.roll(np.arange(len(kept), trial.kernel.lanes), 1)])
    moved = jax.tree.map(lambda part: part[order], initial) if trial.start.per_replica else initial
    there = trial.own(trial.path(initial, keys, 0, first, second)[1])
    here = trial.path(moved, keys[:, order], 0, first, second)[1]
    wrong = [name for name, value in there.items() if not _close(value[..., order], here[name])]
    return f"{_name(trial.kernel)}: {_listed(wrong)} of a replica depends on its lane" if wrong else ""


def _company(trial: Trial) -> str:
    """Other keys and starts in the other lanes do not change a replica."""
    (initial, keys), (others, foreign), (first, second) = trial.tile(0), trial.tile(1), trial.steps
    keys_beside = np.concatenate([keys[:, :1], foreign[:, 1:]], axis=1)
    beside = initial
    if trial.start.per_replica:
        beside = jax.tree.map(lambda mine, theirs: np.concatenate([mine[:1], theirs[1:]]), initial, others)
    alone = trial.own(trial.path(initial, keys, 0, first, second)[1])
    with_them = trial.path(beside, keys_beside, 0, first, second)[1]
    wrong = _unlike({name: value[..., 0] for name, value in alone.items()}, _lane(with_them, 0))
    return f"{_name(trial.kernel)}: {_listed(wrong)} of a replica depends on others of its tile" if wrong else ""


def _keys(trial: Trial) -> str:
    """Replicas whose keys differ, be it in one word only, have different numbers."""
    initial, keys = trial.tile(0)
    first, second = trial.steps
    lanes, same = keys.shape[1], initial
    if trial.start.per_replica:  # the start alone would tell them apart
        same = jax.tree.map(lambda part: np.repeat(part[:1], lanes, axis=0), initial)
    for word in (0, 1):
        rows = []
        for tile in (0, 1):
            numbered = np.repeat(keys[:, :1], lanes, axis=1)
            numbered[word] = keys[word, 0] ^ (np.arange(lanes, dtype=np.uint32) + np.uint32(tile * lanes))
            rows.append(_flat(trial.own(_at(trial.path(same, numbered, 0, first, second)[1], -1))))
        if len(np.unique(np.concatenate(rows), axis=0)) < 2 * lanes:
            return f"{_name(trial.kernel)}: replicas are equal whose keys differ in word {word}: is there noise at all?"
    return ""


def _purity(trial: Trial) -> str:
    """Observing twice, also by a program that was traced anew, gives the same, and has no effect."""
    tile = trial.tile(0)
    state, _ = trial.path(*tile, 0, *trial.steps)
    state = jax.tree.map(jnp.asarray, state)
    if jax.make_jaxpr(trial.kernel.observe)(state).effects:
        return f"{_name(trial.kernel)}.observe has an effect: it must only compute"
    # A new lambda each time: one that is known would not be traced again.
    once, again = (jax.device_get(jax.jit(lambda state: trial.kernel.observe(state))(state)) for _ in range(2))
    wrong = _unlike(once, again)
    return f"{_name(trial.kernel)}.observe gives another {_listed(wrong)} when it is called again" if wrong else ""


def _draws(trial: Trial) -> str:
    """A shared start depends on nothing but itself; one per replica on its generator."""

    def drawn(seed: int, size: int) -> Initial:
        return trial.start.draw(trial.problem, np.random.default_rng(seed), size)

    name = _name(trial.start)
    if trial.start.per_replica:
        return "" if _same(drawn(1, 1), drawn(1, 1)) else f"{name}.draw differs for equal generators"
    rows = jax.tree.map(lambda part: np.repeat(part, 3, axis=0), drawn(1, 1))
    return "" if _same(rows, drawn(2, 3)) else f"{name}.draw depends on the generator, but is shared by all replicas"


def _parameters(trial: Trial) -> str:
    """Plain, finite values under names that a data set has not taken."""
    name = f"{_name(trial.problem)}.parameters"
    for key, value in trial.problem.parameters().items():
        if type(value) not in (int, float, str) or (isinstance(value, float) and not np.isfinite(value)):
            return f"{name} must give plain finite numbers and words, but {key} is {value!r}, {type(value).__name__}"
        if key in TAKEN or key in trial.system.variables:
            return f"{name} must not use the name {key}, which a data set has already"
    return ""


def _start(trial: Trial) -> str:
    """Theory and the mean over replicas agree at t = 0, exactly or, of a random start, within its error."""
    if trial.theory is None:
        return ""
    tiles = [trial.tile(number) for number in range(max(1, trial.replicas // trial.kernel.lanes))]
    seen = [_at(trial.path(*tile, 0, 0, 0)[1], 0) for tile in tiles]
    expected = [_theory_at_start(trial, initial) for initial, _ in tiles]
    wrong = []
    for name in expected[0]:
        if name in seen[0]:
            apart = np.concatenate([here[name] - there[name] for here, there in zip(seen, expected, strict=True)], -1)
            if not _within_error(apart, expected[0][name]):
                wrong.append(name)
    return f"{_name(trial.theory)} and {_name(trial.kernel)} differ at t = 0 in {_listed(wrong)}" if wrong else ""


def _rule(trial: Trial) -> str:
    """Chain, full vectors, mean step and closed forms of a rule tell the same story."""
    problem = trial.problem
    if not isinstance(problem, RuleProblem):
        return ""
    start = trial.start.draw(problem, np.random.default_rng(trial.seed), 1)
    return "; ".join(broken_laws(RuleTrial(problem.rule, problem.d, start, 3, 2**15, trial.seed)))


def _within_error(apart: Float[np.ndarray, "*dims n"], size: Float[np.ndarray, "*dims _"]) -> bool:
    """Whether the mean of differences is 0 within `WORST` of its errors, and rounding."""
    error = apart.std(axis=-1, ddof=1) / apart.shape[-1] ** 0.5 if apart.shape[-1] > 1 else 0.0
    room = WORST * error + ROUNDING * np.maximum(1.0, abs(size).max(axis=-1))
    return bool((abs(apart.mean(axis=-1)) <= room).all())


def _theory_at_start(trial: Trial, initial: Initial) -> Observables:
    """What theory says of t = 0, (*dims, 1) or, for starts of their own, (*dims, lanes)."""
    if trial.ensemble.theory_curve is not None:
        return {name: np.asarray(value)[0][..., None] for name, value in trial.ensemble.theory_curve.items()}
    assert trial.theory is not None
    curve, times = trial.theory.bind(trial.problem), jnp.asarray(trial.ensemble.realised_times)
    solved = jax.jit(jax.vmap(lambda start: curve(start, times)))(initial)
    return {name: np.moveaxis(np.asarray(value)[:, 0], 0, -1) for name, value in solved.items()}


LAWS: Sequence[Callable[[Trial], str]] = (
    _segments,
    _lanes,
    _company,
    _keys,
    _purity,
    _draws,
    _parameters,
    _start,
    _rule,
)
"""Each returns what is wrong, in words, or nothing."""


def _name(thing: object) -> str:
    return type(thing).__name__


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _at(seen: Observables, time: int) -> Observables:
    return {name: value[time] for name, value in seen.items()}


def _lane(seen: Observables, lane: int) -> Observables:
    return {name: value[..., lane] for name, value in seen.items()}


def _flat(seen: Observables) -> Float[np.ndarray, "lanes numbers"]:
    """All observables of each replica in a row."""
    return np.concatenate([value.reshape(-1, value.shape[-1]) for value in seen.values()]).T


def _unlike(left: Observables, right: Observables) -> list[str]:
    """The names of `left` whose values differ from those in `right`."""
    return [name for name, value in left.items() if not _same(value, right[name])]


def _close(left: np.ndarray, right: np.ndarray) -> bool:
    """Whether two arrays of numbers are equal to rounding of the largest of them."""
    return bool((abs(left - right) <= ROUNDING * np.nanmax(abs(left))).all()) or _same(left, right)


def _same(left: Any, right: Any) -> bool:
    """Whether two trees are equal bit for bit; nan is equal to nan."""
    pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)
