"""The rule of a committee: the plain network, or one with a second layer, another target, ..."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from sgdsim.committee.labels import Labels
from sgdsim.committee.mixture import Mixture
from sgdsim.committee.mixture_rule import MixtureRule
from sgdsim.committee.network_rule import NetworkRule
from sgdsim.committee.plain_rule import PlainRule
from sgdsim.committee.problem import Committee
from sgdsim.committee.second_layer import SecondLayer
from sgdsim.committee.target import UnitMean
from sgdsim.committee.update import Update
from sgdsim.rules.rule import Rule
from sgdsim.training.inputs import NormalNoise


def rule_of(problem: Committee) -> Rule:
    """What a step of this problem does."""
    if problem.plain:
        return PlainRule.of(problem)
    return (problem.update or Update()).around(network_of(problem), problem.d, problem.schedules)


def observing_rule(problem: Committee) -> Rule:
    """What is observed of this problem, whatever its update."""
    return PlainRule.of(problem) if problem.plain else network_of(problem)


def accuracy_of(problem: Committee) -> float:
    """Relative error of the averages of the ODE, 0 for rounding."""
    return problem.activation.accuracy if problem.plain else network_of(problem).accuracy


def network_of(problem: Committee) -> NetworkRule:
    """The network and its target, with the plain step."""
    layer = problem.second or SecondLayer()
    teacher = problem.teacher_activation or problem.activation
    target = problem.target or UnitMean(teacher, jnp.asarray(layer.teacher(problem.k)))
    parts: dict[str, Any] = {
        "k": problem.k,
        "p": problem.p,
        "trained": layer.gamma_a > 0,
        "activation": problem.activation,
        "target": target,
        "outputs": np.asarray(layer.student(problem.p)),
        "output_unit": layer.unit(problem.p),
        "step_size": problem.step_size,
        "output_step": layer.step(problem.p, problem.d),
        "noise_root": problem.noise**0.5,
        "time_step": problem.dt,
        "correlation": problem.update is not None and problem.update.correlation,
        "escape_level": problem.escape_level,
        "made": Labels(problem.label_noise or NormalNoise(), problem.labels == "sign"),
    }
    if not isinstance(problem.inputs, Mixture):
        return NetworkRule(**parts)
    return MixtureRule(
        **parts, mixture=problem.inputs.clusters_at(problem.k), labels=problem.inputs.labels_at(problem.k)
    )
