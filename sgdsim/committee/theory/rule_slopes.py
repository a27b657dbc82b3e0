"""What theory expects of a log-log fit where the update is not the plain one."""

import math
from collections.abc import Sequence

from sgdsim.committee.problem import Committee
from sgdsim.rules.schedule import PowerSchedule

LEVELS = ("relaxation_time", "steps_to_level", "samples_to_level")
ALIKE = 1e-9
"""Relative difference of rates that are meant to be equal."""


def rule_slope(quantity: str, against: str, problems: Sequence[Committee]) -> float | None:
    """Slope of log(quantity) against log(against); None where theory has none.

    - the time to a level, or its steps or samples, against `noise`: on a schedule s(t) = (1 + t/t0)^-x the excess risk
      follows the rate, excess ~ noise gamma s(t)/p, long after t0 and once the start is forgotten. So the time to a
      level grows like noise^(1/x).
    - these and `excess_risk` against `memory` = 1/(1 - mu), at equal gamma/(1 - mu): 0, since momentum is to leading
      order in 1/d a change of the rate.
    """
    if against == "noise" and quantity in LEVELS:
        schedules = [problem.schedule for problem in problems]
        powers = {schedule.exponent for schedule in schedules if isinstance(schedule, PowerSchedule)}
        same = all(problem.extras == ("schedule",) for problem in problems) and len(powers) == 1
        return 1 / powers.pop() if same else None
    if against == "memory" and quantity in (*LEVELS, "excess_risk"):
        rates = [problem.effective_gamma for problem in problems]
        return 0.0 if all(math.isclose(rate, rates[0], rel_tol=ALIKE) for rate in rates) else None
    return None
