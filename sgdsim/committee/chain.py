"""The exact low-dimensional chain of a committee: that of its rule, see `rules.chain`."""

from dataclasses import dataclass, replace
from typing import ClassVar

from sgdsim.committee.problem import Committee
from sgdsim.committee.recursion import recursion_of
from sgdsim.committee.rule_of import rule_of
from sgdsim.contracts import Problem
from sgdsim.errors import ArgumentError
from sgdsim.rules.chain import AnyChain
from sgdsim.rules.inputs import InputBlocks
from sgdsim.rules.recursion import Recursion
from sgdsim.rules.rule import Rule


@dataclass(frozen=True)
class Chain(AnyChain):
    """The law of (Omega^0, Omega^1, ...) itself, without weights: exact for Gaussian inputs, any batch and d >= k + p.

    States are float64 between segments, so that float32 loses no increment at any d. The forms of the unrolled loop
    have the same law and the same random numbers, and agree to rounding: `kernel` is "xla" as XLA compiles it, "fused"
    with the state in registers, "auto" fused where that can be had. Where the chain goes by matrix products, "auto"
    draws its normals in C++ on a CPU where a compiler is found.
    """

    takes: ClassVar[type[Problem]] = Committee
    emitted: ClassVar[str] = "network"

    def check(self, problem: Committee) -> None:
        """Raises ArgumentError for finite data, optimisers, inputs of a law, classes, and the noise of a step."""
        if (name := problem.trained_by) is not None:
            remedy = "The chain is of fresh inputs and steps along them: take the simulator `weights`."
            raise ArgumentError(name, "be left out for the simulator `chain`", getattr(problem, name), remedy)
        if problem.law is not None:
            name = "labels" if problem.labels == "sign" else "inputs"
            got = problem.labels if name == "labels" else problem.law.name
            remedy = "It is exact for Gaussian inputs and a risk in closed form: take the simulator `weights`."
            raise ArgumentError(name, "be left out for the simulator `chain`", got, remedy)
        super().check(problem)
        if problem.noise_draws is not None:
            remedy = "The noise of a step is measured on weights: take the simulator `weights`."
            raise ArgumentError("noise_draws", "be left out for the simulator `chain`", problem.noise_draws, remedy)

    def rule(self, problem: Committee) -> Rule:
        """That of the problem."""
        return rule_of(problem)

    def example(self, problem: Committee, d: int) -> Rule:
        """That of the problem in dimension d, with steps small enough for any activation."""
        return rule_of(replace(problem, d=d, gamma=0.1, noise=0.01))

    def recursion(self, problem: Committee) -> Recursion:
        """Matrix products for the plain network."""
        return recursion_of(problem)

    def inputs(self, problem: Committee) -> InputBlocks | None:
        """Those of the problem."""
        return problem.input_blocks
