"""The exact chain of a committee for small p: that of its rule, see `rules.lanes`."""

from typing import Any

from sgdsim.committee.problem import Committee
from sgdsim.committee.rule_of import rule_of
from sgdsim.ensemble.lane_loop import LaneForm, xla_form
from sgdsim.rules.lanes import RuleLanes


def chain_lanes(problem: Committee, dtype: Any, lanes: int, form: LaneForm = xla_form) -> RuleLanes:
    """The kernel of a problem with batch 1 and small p, in a form of the loop."""
    return RuleLanes.of(rule_of(problem), problem.d, problem.dt, dtype, lanes, form)
