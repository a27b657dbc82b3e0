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
from sgdsim.rules.linear_noise import MAX_ENTRIES
from sgdsim.training.data import FiniteData
from sgdsim.training.inputs import InputLaw, LabelLaw
from sgdsim.training.module import ModuleStudent, skeleton_of

if TYPE_CHECKING:
    from sgdsim.committee.problem import Committee

_KINDS: dict[str, tuple[Any, str, str]] = {
    "second": (SecondLayer, "a SecondLayer", "Write SecondLayer(gamma_a=...)."),
    "target": (Target, "a Target of sgdsim.committee", ""),
    "update": (Update, "an Update", "Write Update(momentum=0.9)."),
    "inputs": (
        GaussianInputs | InputLaw,
        "a Spectrum, a Mixture or an InputLaw",
        "Write PowerSpectrum(spectrum=0.5), Blocks(sizes, variances), Mixture(separation=1.0) or Rademacher().",
    ),
    "student": (ModuleStudent, "a ModuleStudent", 'Write ModuleStudent("three_layers"), or of a function of your own.'),
    "data": (FiniteData, "a FiniteData", "Write FiniteData(n=...)."),
    "label_noise": (LabelLaw, "a LabelLaw", "Write RademacherNoise()."),
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
    if problem.student is not None:
        _check_student(problem, problem.student)


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


def _check_law(problem: Committee) -> None:
    """Of inputs of any law and classes as labels, whose risk is a mean over test inputs."""
    if problem.labels == "sign" and isinstance(problem.inputs, GaussianInputs):
        remedy = "Take inputs of a law, or none."
        raise ArgumentError("labels", "be real beside a spectrum or a mixture", problem.labels, remedy)
    if problem.law is not None and problem.update is not None and problem.update.average:
        must = "be false beside inputs of a law and labels that are classes"
        raise ArgumentError("average", must, True, "Their risk is not observed of averaged iterates.")


def _check_together(problem: Committee) -> None:
    _check_law(problem)
    if problem.noise_draws is not None:
        _check_noise(problem)
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
    name = problem.trained_by
    if problem.update is not None and not problem.update.plain:
        remedy = 'Name an optimiser that does it, e.g. optimiser = "momentum" beside momentum.'
        raise ArgumentError("update", f"be left out beside {name}", problem.update, remedy)
    if isinstance(problem.inputs, GaussianInputs):
        remedy = "Leave them out: x ~ N(0, I_d)."
        raise ArgumentError("inputs", f"be left out beside {name}", problem.inputs, remedy)
    n = problem.n
    if n is not None and problem.labels == "sign" and problem.noise > 0:
        remedy = "The risk of classes with noise, beside which the data's would be held, has no closed form."
        raise ArgumentError("noise", "be 0 beside classes of finite data", problem.noise, remedy)
    if n is not None and problem.batch > n:
        raise ArgumentError(
            "batch", f"be at most the data, n = {n}", problem.batch, "A batch of n is gradient descent."
        )


def _check_student(problem: Committee, student: ModuleStudent) -> None:
    """Of a module, beside which nothing is left that is of the network's own layers."""
    if problem.teacher_activation is not None:
        remedy = "`activation` is that of the teacher: the student has its own."
        raise ArgumentError("teacher_activation", "be left out beside student", problem.teacher_activation, remedy)
    layer = problem.second or SecondLayer()
    for name, value, plain in (("gamma_a", layer.gamma_a, 0.0), ("a0", layer.a0, (1.0,))):
        if value != plain:
            raise ArgumentError(name, "be left out beside student", value, "All layers of a module are trained.")
    if problem.escape_level is not None:
        remedy = "Specialisation is that of units of a committee."
        raise ArgumentError("escape_level", "be left out beside student", problem.escape_level, remedy)
    skeleton_of(student, problem.d, problem.p)


def _check_noise(problem: Committee) -> None:
    """Its theory is of the plain network, and all pairs of order parameters are stored."""
    if not problem.plain:
        raise ArgumentError("noise_draws", f"be left out beside {', '.join(problem.extras)}", problem.noise_draws)
    p, k = problem.p, problem.k
    if (entries := p * k + p * (p + 1) // 2) > MAX_ENTRIES or problem.d < k + p:
        must = (
            f"be left out where d < k + p, or M and Q have more than {MAX_ENTRIES} entries (d = {problem.d}, {entries})"
        )
        raise ArgumentError("noise_draws", must, problem.noise_draws, "It is for narrow networks.")


def extras(problem: Committee) -> tuple[str, ...]:
    """What the network has beyond the plain one, by the name of its argument or key.

    A law of the inputs is none of it: what a step does with them is the same.
    """
    layer = () if problem.second is None else problem.second.extras(problem.p, problem.k)
    other = ("teacher_activation",) * (problem.teacher_activation not in (None, problem.activation))
    own = {
        "target": problem.target,
        "update": problem.update,
        "schedule": problem.schedules,
        "inputs": None if isinstance(problem.inputs, InputLaw) else problem.inputs,
        "label_noise": problem.label_noise,
        "student": problem.student,
        "labels": None if problem.labels == "real" else problem.labels,
    }
    named = (name for name, part in own.items() if part is not None and not getattr(part, "plain", False))
    return (*layer, *other, *named)
