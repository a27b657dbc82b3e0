"""A system small enough to know by heart, for the rooms that are common to all systems.

A random walk with a pull to the origin, in p components: x <- x - dt x + dt sqrt(noise) xi, dt = 1/d, whose limit is
x(t) = x(0) exp(-t). Its distance from the limit is proportional to sqrt(dt).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from pydantic import BaseModel

from sgdsim.contracts import Curve, Kernel, Problem, Simulator, Start, System, Theory, Variable
from sgdsim.cost import StepCost
from sgdsim.ensemble.times import linear_times
from sgdsim.experiment.cells import Cell
from sgdsim.experiment.experiment import Experiment
from sgdsim.laws.power import PowerFit

LANES = 4


class Walk(Problem):
    system: ClassVar[str] = "walk"
    order_parameters: ClassVar[tuple[str, ...]] = ("x",)
    d: int
    noise: float = 1.0
    p: int = eqx.field(static=True, default=2)

    @property
    def dt(self):
        return 1 / self.d

    @property
    def samples_per_step(self):
        return 3

    def own_system(self):
        return SYSTEM

    def parameters(self):
        return {"d": self.d, "noise": self.noise, "p": self.p, "dt": self.dt, "region": "blue"}


@dataclass(frozen=True)
class Origin(Start):
    """x(0) = height in every component."""

    height: float = 1.0
    per_replica: ClassVar[bool] = False

    def check(self, problem):
        pass

    def draw(self, problem, rng, size):
        return np.full((size, problem.p), self.height)


class WalkKernel(Kernel):
    kept: ClassVar[tuple[str, ...]] = ("risk", "x")

    dt: Any
    noise: Any
    lanes: int = eqx.field(static=True)
    segment: int = eqx.field(static=True, default=1)

    def init(self, initial, keys):
        return jnp.broadcast_to(initial.T, (initial.shape[1], self.lanes)), keys, jnp.zeros((), jnp.int64)

    def advance(self, state, n_steps):
        x, keys, done = state

        def step(i, x):
            def draw(key):
                return jax.random.normal(jax.random.fold_in(jax.random.wrap_key_data(key), done + i), x.shape[:1])

            return x * (1 - self.dt) + self.dt * jnp.sqrt(self.noise) * jax.vmap(draw, 1, 1)(keys)

        return jax.lax.fori_loop(0, n_steps, step, x), keys, done + n_steps

    def observe(self, state):
        x = state[0]
        return {"x": x, "risk": (x**2).sum(0) / 2}


@dataclass(frozen=True)
class Walker(Simulator):
    name: ClassVar[str] = "walker"

    def check(self, problem):
        pass

    def bind(self, problem, replicas, final):
        return WalkKernel(dt=jnp.asarray(problem.dt), noise=jnp.asarray(problem.noise), lanes=LANES)

    def bytes_per_replica(self, problem):
        return 8 * problem.p

    def step_cost(self, problem):
        return StepCost(40.0 * problem.p, loops=3.0, launches=2.0)


class Decay(Curve):
    def __call__(self, initial, times):
        x = initial[None, :] * jnp.exp(-times)[:, None]
        return {"x": x, "risk": (x**2).sum(1) / 2}


@dataclass(frozen=True)
class DecayTheory(Theory):
    name: ClassVar[str] = "exact"

    def check(self, problem):
        pass

    def bind(self, problem):
        return Decay()


class Section(BaseModel):
    """Stands for the sections of an experiment file: the toy's experiments are built in Python."""


class Slopes:
    def slope(self, quantity, against, problems):
        return {("sup_deviation", "dt"): 0.5, ("sup_deviation", "d"): -0.5}.get((quantity, against))

    def assumes(self, quantity, against, problems):
        return None


class TwoTerms:
    def coefficients(self, quantity, against, second, problems):
        """risk(1) of p components to first order in dt, with noise 1."""
        left = np.exp(-2)
        return (left / 2, (1 - 3 * left) / 2) if (quantity, against, second) == ("risk", "p", "dt") else None


SYSTEM = System(
    name="walk",
    variables={
        "x": Variable("position", "x_i", ("component",)),
        "risk": Variable("excess risk", "R"),
    },
    risk="risk",
    problem_section=Section,
    start_section=Section,
    theory_section=Section,
    simulator_section=Section,
    default_simulator=Walker(),
    default_theory=DecayTheory(),
    expectations={"power": Slopes(), "two_term": TwoTerms()},
    telling=("p", "region"),
)


def make_experiment(*, d=(20, 40, 80), noise=(1.0,), replicas=24, block=8, seed=0, batch=None, p=2, title="Walk"):
    """An experiment over the product of d and noise, as the front end would make it."""
    points = [{"d": a, "noise": b} for b in noise for a in d]
    times = linear_times(1.0, 5)
    cells = [
        Cell(
            index=index,
            problem=Walk(**axes, p=p),
            start=Origin(),
            theory=DecayTheory(),
            simulator=Walker(),
            asked=times,
            times=times,
            axes=axes,
        )
        for index, axes in enumerate(points)
    ]
    ensemble = {"replicas": replicas, "seed": seed}
    ensemble |= {key: value for key, value in (("batch", batch), ("block", block)) if value is not None}
    resolved = {"title": title, "system": "walk", "problem": {"p": p}, "grid": {"d": list(d), "noise": list(noise)}}
    return Experiment(
        name="walk",
        title=title,
        system=SYSTEM,
        cells=tuple(cells),
        replicas=replicas,
        seed=seed,
        batch=batch,
        block=block,
        fits={
            "scaling": PowerFit(quantity="sup_deviation", against="dt"),
            "risk": PowerFit(quantity="risk", against="d"),
        },
        figures=(),
        against=(),
        resolved=resolved | {"ensemble": ensemble},
    )
