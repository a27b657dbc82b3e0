"""The exact chain of a committee for any p and batch: that of its rule, see `rules.blocks`."""

from typing import Any

from sgdsim.committee.problem import Committee
from sgdsim.committee.recursion import recursion_of
from sgdsim.committee.rule_of import rule_of
from sgdsim.rules.blocks import RuleBlocks


def chain_blocks(problem: Committee, dtype: Any, lanes: int, steps: int) -> RuleBlocks:
    """The kernel of a problem, with blocks of `steps` steps; needs d - k - p >= steps * batch."""
    return RuleBlocks.of(rule_of(problem), problem.d, problem.batch, dtype, lanes, steps, recursion_of(problem))
