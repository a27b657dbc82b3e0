"""What a system hands over is looked at once, before anything is compiled: class and remedy are named."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim import simulate, solve
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.theory_alone import TheoryAlone
from sgdsim.errors import ArgumentError
from tests.toy import SYSTEM, Decay, DecayTheory, Origin, Walk, Walker, WalkKernel

TIMES = np.array([0.5, 1.0])
PROBLEM = Walk(d=20, p=3)


class Strange(WalkKernel):
    """A walk that is observed in another way."""

    change: Callable[[dict[str, Any]], Any] = eqx.field(static=True, default=lambda seen: seen)

    def observe(self, state):
        return self.change(super().observe(state))


@dataclasses.dataclass(frozen=True)
class StrangeWalker(Walker):
    """Binds any kernel; the outline is that of the toy unless it is given too."""

    kernel: Any = None
    thin: Any = None

    def bind(self, problem, replicas, final):
        return self.kernel

    def outline(self, problem, replicas, final):
        return self.kernel if self.thin is None else self.thin


def kernel(change=lambda seen: seen, **fields):
    usual = {"dt": 0.05, "noise": 1.0, "lanes": 4, "segment": 1}
    return Strange(**usual | fields, change=change)


def edited(**values):
    """Observables some of which are made anew, from x with lanes last."""
    return lambda seen: seen | {name: make(seen["x"]) for name, make in values.items()}


def without(*names):
    return lambda seen: {name: value for name, value in seen.items() if name not in names}


KERNELS = {
    "three lanes": (kernel(lanes=3), "Strange.lanes", "be a power of two, but got 3. Let StrangeWalker.bind choose"),
    "no lanes": (kernel(lanes=0), "Strange.lanes", "be a power of two, but got 0"),
    "lanes in a float": (kernel(lanes=4.0), "Strange.lanes", "be a power of two"),
    "no segment": (kernel(segment=0), "Strange.segment", "be an integer >= 1, but got 0"),
    "half a segment": (kernel(segment=1.5), "Strange.segment", "be an integer >= 1, but got 1.5"),
    "no kernel": ("fast", "StrangeWalker.bind", "return a Kernel, but got 'fast'"),
    "float32": (kernel(edited(x=lambda x: x.astype(jnp.float32))), "Strange.observe", "value.astype(jnp.float64)"),
    "lanes first": (kernel(edited(x=lambda x: x.T)), "Strange.observe", "with the lanes, 4, as the last axis"),
    "an axis too many": (kernel(edited(risk=lambda x: x)), "Strange.observe", "give 'risk' with 1 axes"),
    "an unknown name": (kernel(edited(y=lambda x: x)), "Strange.observe", "variables of the system walk are x, risk"),
    "no order parameter": (kernel(without("x")), "Strange.observe", "Walk.order_parameters"),
    "a tuple": (kernel(lambda seen: tuple(seen.values())), "Strange.observe", "a dict of observables by name"),
}


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_that_is_none(name):
    made, argument, words = KERNELS[name]
    with pytest.raises(ArgumentError) as caught:
        simulate(PROBLEM, Origin(), TIMES, replicas=8, simulator=StrangeWalker(kernel=made))
    assert caught.value.argument == argument
    assert words in str(caught.value)


def test_a_kernel_that_is_one():
    """The same detour with nothing changed."""
    data = simulate(PROBLEM, Origin(), TIMES, replicas=8, simulator=StrangeWalker(kernel=kernel()))
    assert int(data["n_replicas"]) == 8


def test_three_lanes_gave_a_wrong_mean():
    """Why it is refused: by halves, tiles of three lose a lane."""
    from sgdsim.ensemble.statistics import tree_sum

    assert float(tree_sum(jnp.array([1.0, 2.0, 3.0]))) != 6.0


def test_an_outline_of_other_lanes():
    walker = StrangeWalker(kernel=kernel(lanes=8), thin=kernel(lanes=4))
    with pytest.raises(ArgumentError, match=r"`Strange.lanes` must be those of the outline, 4, but got 8"):
        Ensemble(PROBLEM, Origin(), walker, None, TIMES, 8, 0).prepare()


@dataclasses.dataclass(frozen=True)
class Flat(Origin):
    """A start without a replica axis."""

    def draw(self, problem, rng, size):
        return np.full(problem.p, self.height)


@dataclasses.dataclass(frozen=True)
class FlatEach(Flat):
    per_replica: ClassVar[bool] = True


@pytest.mark.parametrize("start", [Flat(), FlatEach()])
def test_a_start_without_replicas(start):
    words = rf"`{type(start).__name__}.draw` must give arrays with a leading replica axis.*got \(3,\)"
    with pytest.raises(ArgumentError, match=words):
        simulate(PROBLEM, start, TIMES, replicas=8)
    with pytest.raises(ArgumentError, match=words if not start.per_replica else "shared by all"):
        solve(PROBLEM, start, TIMES)


class Bent(Decay):
    change: Callable[[dict[str, Any]], Any] = eqx.field(static=True)

    def __call__(self, initial, times):
        return self.change(super().__call__(initial, times))


@dataclasses.dataclass(frozen=True)
class BentTheory(DecayTheory):
    change: Any = None

    def bind(self, problem):
        return Bent(self.change)


CURVES = {
    "float32": (edited(x=lambda x: x.astype(jnp.float32)), "give 'x' in float32", "float32"),
    "time last": (edited(x=lambda x: x.T), "as the first axis", "(3, "),
    "of two components": (edited(x=lambda x: x[:, :2]), "the shape that the simulator observes, (3,)", "(2,)"),
    "without x": (without("x"), "all order parameters of the problem", "['x']"),
    "an unknown name": (edited(y=lambda x: x), "variables of its system only", "'y'"),
}


@dataclasses.dataclass(frozen=True)
class Each(Origin):
    """A start of its own for every replica, of equal height."""

    per_replica: ClassVar[bool] = True


@pytest.mark.parametrize("start", [Origin(), Each()])
@pytest.mark.parametrize("name", CURVES)
def test_a_theory_of_another_form(name, start):
    """For a shared start it is seen when it is solved, for starts of their own before it is compiled."""
    change, words, got = CURVES[name]
    with pytest.raises(ArgumentError) as caught:
        simulate(PROBLEM, start, TIMES, replicas=8, theory=BentTheory(change))
    assert caught.value.argument == (
        "Bent.__call__" if name == "time last" and not start.per_replica else "BentTheory.bind"
    )
    assert words.replace("float32", "float64") in str(caught.value)
    assert got in str(caught.value)


def test_a_theory_alone_is_looked_at_too():
    theory = BentTheory(CURVES["an unknown name"][0])
    for look in (
        lambda: solve(PROBLEM, Origin(), TIMES, theory=theory),
        TheoryAlone(PROBLEM, Origin(), theory, TIMES).run,
    ):
        with pytest.raises(ArgumentError, match=r"`BentTheory.bind` must give variables of its system only"):
            look()


def test_a_theory_alone_need_not_give_what_only_a_simulation_is_measured_by():
    theory = BentTheory(CURVES["without x"][0])
    assert set(solve(PROBLEM, Origin(), TIMES, theory=theory).data_vars) >= {"risk"}


class Instant(Walk):
    """A walk whose steps take a time of their own choice."""

    step: float = 0.1

    @property
    def dt(self):
        return self.step


@pytest.mark.parametrize("step", [0.0, -0.1, np.inf, np.nan, "0.1"])
def test_a_step_that_takes_no_time(step):
    with pytest.raises(ArgumentError, match=r"`Instant.dt` must be"):
        simulate(Instant(d=20, step=step), Origin(), TIMES, replicas=8)
    with pytest.raises(ArgumentError, match=r"`Instant.dt` must be"):
        TheoryAlone(Instant(d=20, step=step), Origin(), DecayTheory(), TIMES)


class Foreign(Walk):
    """A walk that does not carry its system."""

    system: ClassVar[str] = "foreign"

    def own_system(self):
        return None


class Mistaken(Walk):
    """A walk that carries a system of another name."""

    system: ClassVar[str] = "mistaken"


def test_a_problem_of_a_system_that_nobody_knows():
    with pytest.raises(ArgumentError, match=r"`Foreign.system` must be one of committee, .*own_system") as caught:
        simulate(Foreign(d=20), Origin(), TIMES, replicas=8)
    assert caught.value.got == "foreign"
    with pytest.raises(ArgumentError, match=r"`Mistaken.own_system` must return the System of the name 'mistaken'"):
        solve(Mistaken(d=20), Origin(), TIMES)


def test_a_problem_carries_its_system():
    assert SYSTEM.name == "walk"  # which no registry knows
    data = simulate(PROBLEM, Origin(), TIMES, replicas=8)
    assert data.attrs["system"] == "walk"


def test_memory_that_nobody_counted_is_that_of_the_state():
    """Four copies of (x, keys, done): 3 numbers and one key a replica, and the number of steps, of 4 lanes."""

    @dataclasses.dataclass(frozen=True)
    class Careless(Walker):
        def bytes_per_replica(self, problem):
            return 0

    found = Ensemble(PROBLEM, Origin(), Careless(), None, TIMES, 8, 0)
    counted = Ensemble(PROBLEM, Origin(), Walker(), None, TIMES, 8, 0)
    assert found.bytes_per_replica - counted.bytes_per_replica == 4 * (4 * (3 * 8 + 2 * 4) + 8) // 4 - 3 * 8
