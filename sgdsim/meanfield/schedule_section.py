"""The table [rule] of an experiment file about wide networks: steps that fall with time."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from sgdsim.ensemble.section import section_of
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.problem import MeanField
from sgdsim.parameters import Parameter
from sgdsim.rules.schedule import PowerSchedule

SCHEDULE = Parameter("", "how the rate changes with t = n eps")
RULE_WORDS = {
    **dict.fromkeys(("alpha", "a", "x", "decay", "power"), "`exponent`"),
    **dict.fromkeys(("c", "tau", "offset"), "`t0`: steps gamma_n ~ (n + c)^-exponent have c = t0/eps"),
    "average": '`kind = "averaged"` in [simulator]',
}


class ScheduleSection(section_of(PowerSchedule, optional=("t0", "exponent"))):
    """[rule]: a rate that falls as s(t) = (1 + t/t0)^-exponent, t = n eps; t0 = 1 and exponent = 1 if left out."""

    schedule: Annotated[Literal["constant", "power"], SCHEDULE] = "constant"

    words: ClassVar[Mapping[str, str]] = RULE_WORDS

    def apply(self, problem: MeanField) -> MeanField:
        """The problem with these steps. **Raises:** ArgumentError for keys of a schedule that is constant."""
        keys = self.of(PowerSchedule)
        if self.schedule == "constant":
            for key, value in keys.items():
                must = 'not be given beside schedule = "constant"'
                raise ArgumentError(key, must, value, 'Write schedule = "power".')
            return problem
        return replace(problem, schedule=PowerSchedule(**({"t0": 1.0, "exponent": 1.0} | keys)))
