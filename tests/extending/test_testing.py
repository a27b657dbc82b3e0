"""The laws of the contract hold in every system, and each check sees a kernel that breaks its law."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim import classification, committee, meanfield, recovery
from sgdsim.errors import ArgumentError
from sgdsim.systems import load_system
from sgdsim.testing import BrokenContractError, check_system
from tests.toy import SYSTEM, Decay, DecayTheory, Origin, Walk, Walker, WalkKernel

COMMITTEE = committee.Committee(d=30, p=2, k=1, gamma=1.0, noise=0.1)
BATCHES = committee.Committee(d=60, p=3, k=2, gamma=1.0, noise=0.1, batch=2)
OVERLAP = committee.OverlapStart(0.3)
PARTICLES = meanfield.MeanField(model=meanfield.tanh_model(), N=40, gamma=0.1, beta=0.5)
LAZY = meanfield.MeanField(model=meanfield.tanh_model(), N=40, gamma=0.1, beta=0.5, a=0.5)
GLASSY = recovery.Recovery(alpha=2.0, eta=0.1, N=20, b=0.5, waiting=[0.1])
LINEAR = recovery.Recovery(alpha=2.0, eta=0.1, N=20, degree=1)
IMAGES = classification.Classification(N=10, gamma=1.0, beta=0.5)

HOLDS = {
    "chain": (COMMITTEE, OVERLAP, {"simulator": committee.Chain(kernel="xla")}),
    "chain, own starts": (
        COMMITTEE,
        committee.GaussianStart(per_replica=True),
        {"simulator": committee.Chain(kernel="xla")},
    ),
    "chain by products": (BATCHES, OVERLAP, {"simulator": committee.Chain(precision="float64")}),
    "weights": (COMMITTEE, OVERLAP, {"simulator": committee.Weights()}),
    "particles": (PARTICLES, meanfield.LawStart(), {}),
    "pair": (PARTICLES, meanfield.LawStart(), {"simulator": meanfield.Pair()}),
    "linearised": (LAZY, meanfield.LawStart(), {"simulator": meanfield.Linearised(), "compare": False}),
    "descent": (GLASSY, recovery.ExactStart(), {}),
    "descent, degree 1": (
        LINEAR,
        recovery.ExactStart(),
        {"simulator": recovery.Descent(response=True), "theory": recovery.LinearRegression()},
    ),
    "restarts": (
        GLASSY,
        recovery.ExactStart(),
        {"simulator": recovery.Descent(restarts=4, recovered_below=0.1), "compare": False},
    ),
    "network": (IMAGES, classification.RandomStart(), {}),
}


LONG = ("chain", "chain, own starts", "pair", "linearised", "descent, degree 1", "restarts")
"""Seconds to compile, of what is much like a neighbour."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in HOLDS])
def test_the_laws_hold(name):
    problem, start, options = HOLDS[name]
    check_system(load_system(problem.system), problem, start, **options)


@dataclasses.dataclass(frozen=True)
class Scattered(Origin):
    """x(0) of each replica is normal, about the height."""

    per_replica: ClassVar[bool] = True

    def draw(self, problem, rng, size):
        return self.height + rng.normal(size=(size, problem.p))


@pytest.mark.parametrize("start", [Origin(1.5), Scattered(1.5)])
def test_the_laws_hold_in_the_toy(start):
    check_system(SYSTEM, PROBLEM, start)


PROBLEM = Walk(d=20, p=3)


class Restless(WalkKernel):
    """Every call begins its noise anew."""

    def advance(self, state, n_steps):
        x, keys, done = state
        moved = super().advance((x, keys, jnp.zeros_like(done)), n_steps)
        return moved[0], keys, done + n_steps


class Drifting(WalkKernel):
    """No step is a step too."""

    def advance(self, state, n_steps):
        x, keys, done = super().advance(state, n_steps)
        return x * 0.99, keys, done


class Slanted(WalkKernel):
    """A lane of its own has every replica."""

    def advance(self, state, n_steps):
        x, keys, done = super().advance(state, n_steps)
        return x + 1e-3 * n_steps * jnp.arange(self.lanes)[None], keys, done


class Social(WalkKernel):
    """Every replica is seen from the middle of its tile."""

    def observe(self, state):
        seen = super().observe(state)
        return seen | {"risk": seen["risk"] - seen["risk"].mean()}


class Alike(WalkKernel):
    """Only one word of the key is used."""

    def advance(self, state, n_steps):
        x, keys, done = state
        moved = super().advance((x, keys.at[1].set(0), done), n_steps)
        return moved[0], keys, moved[2]


class Gambling(WalkKernel):
    """What is observed is drawn when the program is traced."""

    def observe(self, state):
        seen = super().observe(state)
        return seen | {"risk": seen["risk"] + np.random.default_rng().normal()}


class Talking(WalkKernel):
    """Observing has an effect."""

    def observe(self, state):
        jax.debug.callback(lambda x: None, state[0])
        return super().observe(state)


class Doubled(Decay):
    """A risk that is twice as large."""

    def __call__(self, initial, times):
        seen = super().__call__(initial, times)
        return seen | {"risk": 2 * seen["risk"]}


@dataclasses.dataclass(frozen=True)
class DoubledTheory(DecayTheory):
    def bind(self, problem):
        return Doubled()


@dataclasses.dataclass(frozen=True)
class Whim(Origin):
    """A shared start that is drawn anew for whoever asks."""

    def draw(self, problem, rng, size):
        return np.broadcast_to(rng.normal(size=problem.p), (size, problem.p))


@dataclasses.dataclass(frozen=True)
class Forgetful(Scattered):
    """A start of its own that is not the generator's."""

    def draw(self, problem, rng, size):
        return np.random.default_rng().normal(size=(size, problem.p))


class Told(Walk):
    """A walk with something to tell."""

    told: Any = 1.0
    name: str = "told"

    def parameters(self):
        return super().parameters() | {self.name: self.told}


@dataclasses.dataclass(frozen=True)
class Binder(Walker):
    """Binds a kernel of any class."""

    kind: Any = WalkKernel

    def bind(self, problem, replicas, final):
        return self.kind(dt=jnp.asarray(problem.dt), noise=jnp.asarray(problem.noise), lanes=4)


BROKEN = {
    "segments, restarted": ({"simulator": Binder(Restless)}, "segments", "Restless.advance by 1 and 2 steps is not"),
    "segments, by no step": ({"simulator": Binder(Drifting)}, "segments", "Drifting.advance by no step changes"),
    "lanes": ({"simulator": Binder(Slanted)}, "lanes", "Slanted: risk, x of a replica depends on its lane"),
    "company": ({"simulator": Binder(Social)}, "company", "Social: risk of a replica depends on others of its tile"),
    "keys, a word": ({"simulator": Binder(Alike)}, "keys", "Alike: replicas are equal whose keys differ in word 1"),
    "keys, no noise": ({"problem": Walk(d=20, p=3, noise=0.0)}, "keys", "differ in word 0: is there noise at all?"),
    "purity, at trace": ({"simulator": Binder(Gambling)}, "purity", "Gambling.observe gives another risk"),
    "purity, an effect": ({"simulator": Binder(Talking)}, "purity", "Talking.observe has an effect"),
    "draws, shared": ({"start": Whim()}, "draws", "Whim.draw depends on the generator"),
    "draws, own": ({"start": Forgetful()}, "draws", "Forgetful.draw differs for equal generators"),
    "parameters, an array": ({"problem": Told(d=20, p=3, told=np.float64(1))}, "parameters", "told is np.float64(1.0)"),
    "parameters, nan": ({"problem": Told(d=20, p=3, told=np.nan)}, "parameters", "told is nan"),
    "parameters, a clock": ({"problem": Told(d=20, p=3, name="step")}, "parameters", "must not use the name step"),
    "parameters, a variable": ({"problem": Told(d=20, p=3, name="risk")}, "parameters", "must not use the name risk"),
    "start": ({"theory": DoubledTheory()}, "start", "DoubledTheory and WalkKernel differ at t = 0 in risk"),
    "start, of their own": (
        {"theory": DoubledTheory(), "start": Scattered(1.5)},
        "start",
        "DoubledTheory and WalkKernel differ at t = 0 in risk",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_law_is_seen_and_no_other(name):
    change, law, words = BROKEN[name]
    problem, start = change.pop("problem", PROBLEM), change.pop("start", Origin(1.5))
    with pytest.raises(BrokenContractError) as caught:
        check_system(SYSTEM, problem, start, **change)
    found = dict(line.split(": ", 1) for line in str(caught.value).splitlines())
    assert words in found.pop(law)
    assert found.keys() <= ALSO.get(name, set())


ALSO = {
    "segments, by no step": {"start"},
    "lanes": {"segments"},
    "company": {"lanes", "start"},
    "purity, at trace": {"segments", "lanes", "company", "start"},
    "draws, shared": {"start"},
}
"""Laws that break with another, e.g. that of the start where what is observed at t = 0 is changed."""


def test_several_broken_laws_are_told_at_once():
    with pytest.raises(BrokenContractError) as caught:
        check_system(SYSTEM, PROBLEM, Whim(), simulator=Binder(Restless), theory=DoubledTheory())
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["segments", "draws", "start"]


def test_a_problem_of_another_system():
    with pytest.raises(ArgumentError, match="be of the system 'committee'"):
        check_system(load_system("committee"), PROBLEM, Origin())
