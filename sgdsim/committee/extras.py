"""What a committee may have beyond the plain network, and which of it goes together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sgdsim.committee.averages.activations import check_activation
from sgdsim.committee.second_layer import SecondLayer
from sgdsim.committee.specialisation import MOST_ASSIGNMENTS, assignments
from sgdsim.committee.spectrum import GaussianInputs
from sgdsim.committee.target import Target
from sgdsim.committee.update import Update
from sgdsim.errors import ArgumentError
from sgdsim.training.data import Data

if TYPE_CHECKING:
    from sgdsim.committee.problem import Committee

_KINDS: dict[str, tuple[type, str, str]] = {
    "second": (SecondLayer, "a SecondLayer", "Write SecondLayer(gamma_a=...)."),
    "target": (Target, "a Target of sgdsim.committee", ""),
    "update": (Update, "an Update", "Write Update(momentum=0.9)."),
    "inputs": (
        GaussianInputs,
        "a Spectrum or a Mixture",
        "Write PowerSpectrum(spectrum=0.5, blocks=8), Blocks(sizes, variances) or Mixture(separation=1.0).",
    ),
    "data": (Data, "a Data", "Write Data(n=...)."),
}


def check_extras(problem: Committee) -> None:
    """**Raises:** ArgumentError where a part is of another kind, does not fit the sizes, or forbids another."""
    for name, (kind, words, remedy) in _KINDS.items():
        part: Any = getattr(problem, name)
        if not isinstance(part, kind | None):
            raise ArgumentError(name, f"be {words}", part, remedy)
    _check_sizes(problem)
    _check_together(problem)
    _check_training(problem)


def _check_sizes(problem: Committee) -> None:
    if problem.target is not None:
        problem.target.check(problem.k)
    if problem.update is not None:
        problem.update.gap(problem.d)
    if problem.inputs is not None:
        problem.inputs.check(problem)
    if problem.second is not None:
        problem.second.student(problem.p)
        problem.second.teacher(problem.k)
    if problem.escape_level is not None and assignments(problem.p, problem.k) > MOST_ASSIGNMENTS:
        must = f"be left out where units can be assigned to teachers in more than {MOST_ASSIGNMENTS} ways"
        raise ArgumentError("escape_level", must, problem.escape_level, "It is for narrow networks, e.g. p = k = 7.")


def _check_together(problem: Committee) -> None:
    if problem.schedule_a is not None and (problem.second is None or not problem.second.gamma_a):
        must, remedy = (
            "be left out where the second layer is not trained",
            "Train it, with gamma_a > 0, or give `schedule` alone.",
        )
        raise ArgumentError("schedule_a", must, problem.schedule_a, remedy)
    if problem.teacher_activation is not None:
        check_activation(problem.teacher_activation, "teacher_activation")
        if problem.target is not None:
            must, remedy = "not be given beside a target", "A target has activations of its own."
            raise ArgumentError("teacher_activation", must, problem.teacher_activation, remedy)


def _check_training(problem: Committee) -> None:
    """Of finite data and optimisers."""
    if not problem.trains:
        return
    name = "data" if problem.optimiser is None else "optimiser"
    if problem.update is not None and not problem.update.plain:
        remedy = 'Name an optimiser that does it, e.g. optimiser = "momentum" beside momentum.'
        raise ArgumentError("update", f"be left out beside {name}", problem.update, remedy)
    if isinstance(problem.inputs, GaussianInputs):
        remedy = "Leave them out: x ~ N(0, I_d)."
        raise ArgumentError("inputs", f"be left out beside {name}", problem.inputs, remedy)
    n = problem.n
    if n is not None and problem.batch > n:
        raise ArgumentError(
            "batch", f"be at most the data, n = {n}", problem.batch, "A batch of n is gradient descent."
        )


def extras(problem: Committee) -> tuple[str, ...]:
    """What the network has beyond the plain one, by the name of its argument or key."""
    layer = () if problem.second is None else problem.second.extras(problem.p, problem.k)
    other = ("teacher_activation",) * (problem.teacher_activation not in (None, problem.activation))
    own = {
        "target": problem.target,
        "update": problem.update,
        "schedule": problem.schedules,
        "inputs": problem.inputs,
    }
    named = (name for name, part in own.items() if part is not None and not getattr(part, "plain", False))
    return (*layer, *other, *named)
