"""The theory that has the limit and, beside it, the stationary law that it comes to."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from sgdsim.errors import ArgumentError
from sgdsim.meanfield.entropy import ENTROPIES
from sgdsim.meanfield.limits.free_energy import entropies
from sgdsim.meanfield.limits.limit import may_decay
from sgdsim.meanfield.limits.stationary import solve_stationary
from sgdsim.meanfield.problem import MeanField, check_constant
from sgdsim.meanfield.starts import Given
from sgdsim.meanfield.theory import LimitCurve, MeanFieldLimit


class StationaryCurve(LimitCurve):
    """The mean-field limit of one problem, and its stationary law."""

    def solve(self, initial: Given, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """What `LimitCurve` has, and at every time what is asked for of the stationary law, as stationary_NAME."""
        problem, count = self.problem, len(times)
        assert problem.decay is not None
        law = solve_stationary(problem.model, problem.limit_noise, problem.decay)
        once: dict[str, np.ndarray] = {"risk": np.asarray(self.excess_risk(jnp.asarray(law.m)))}
        if problem.bins:
            once["histogram"] = law.histogram(np.zeros(1), problem.bin_edges)
        if problem.neighbours is not None:
            found = entropies(problem, law, np.zeros(1))
            once |= {name: found[name] for name in ENTROPIES}
        stationary = {f"stationary_{name}": np.repeat(one, count, axis=0) for name, one in once.items()}
        return super().solve(initial, times) | stationary


@dataclass(frozen=True)
class StationaryLimit(MeanFieldLimit):
    """The mean-field limit at beta = 1 with independent noise and weight decay, and the law that it comes to.

    Of particles of one weight; see `limits.stationary`.
    """

    name: ClassVar[str] = "stationary"
    points: ClassVar[bool] = False

    def exists(self, problem: MeanField) -> bool:
        """Where the limit is a density, and decays."""
        return super().exists(problem) and _decays(problem) and problem.schedule is None

    def check(self, problem: MeanField) -> None:
        """Raises ArgumentError where there is no such law."""
        super().check(problem)
        check_constant(problem, "a stationary law")
        if not _decays(problem):
            remedy = 'Without decay particles drift away for ever: set decay, at beta = 1 with dynamics = "sde".'
            raise ArgumentError("decay", "be given for a stationary law with noise of their own", problem.decay, remedy)

    def bind(self, problem: MeanField) -> StationaryCurve:
        """The curves of this problem."""
        return StationaryCurve(problem=problem)


def _decays(problem: MeanField) -> bool:
    return problem.decay is not None and may_decay(problem)
