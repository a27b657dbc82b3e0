"""The table [rule] of an experiment file about the committee: the update, and the schedule of its rates."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from sgdsim.committee.optimiser_keys import OPTIMISER_KEYS, optimiser_of
from sgdsim.committee.problem import Committee
from sgdsim.committee.update import Update
from sgdsim.committee.words import RULE_WORDS
from sgdsim.ensemble.section import section_of
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter, declared
from sgdsim.rules.schedule import Constant, Cosine, Piecewise, PowerSchedule, Schedule, WarmUp

SCHEDULES = {"constant": Constant, "power": PowerSchedule, "cosine": Cosine, "piecewise": Piecewise}
OF_KIND = {
    "constant": {},
    "power": {"t0": None, "exponent": 1.0},
    "cosine": {"t0": None, "last": 0.0},
    "piecewise": {"breaks": None, "factors": None},
}
"""The keys of every kind of schedule, with the defaults of those that have one."""
_POWER, _COSINE, _WARM_UP = (
    {one.name: one.parameter for one in declared(kind)} for kind in (PowerSchedule, Cosine, WarmUp)
)
_LIST = Annotated[list[float] | None, Parameter("", "times at which the factor changes")]

_Keys = section_of(
    Update,
    own={
        "schedule": (
            Annotated[Literal[tuple(SCHEDULES)], Parameter("", "how the rates change with t")],  # type: ignore[valid-type]
            "constant",
        ),
        "t0": (Annotated[float | None, _POWER["t0"]], Field(default=None, examples=[10.0])),
        "exponent": (Annotated[float | None, _POWER["exponent"]], None),
        "last": (Annotated[float | None, _COSINE["last"]], None),
        "breaks": (_LIST, Field(default=None, examples=[[10.0, 20.0]])),
        "factors": (
            Annotated[list[float] | None, Parameter("", "factors between these times, one more")],
            Field(default=None, examples=[[1.0, 0.5, 0.25]]),
        ),
        "warm_up": (Annotated[float | None, _WARM_UP["warm_up"]], None),
        "scheduled": (
            Annotated[Literal["both", "first", "second"], Parameter("", "the layers whose rates follow the schedule")],
            "both",
        ),
        **OPTIMISER_KEYS,
    },
)


class RuleSection(_Keys):
    """[rule]: how the weights follow their gradients, where it is not the plain step, and how the rates change.

    With `optimiser` it is optax that moves them, and of the other keys those are left that belong to the optimiser.
    """

    words: ClassVar[Mapping[str, str]] = RULE_WORDS
    derived: ClassVar[Mapping[str, tuple[str, ...]]] = {"schedule_a": ("scheduled",)}

    @model_validator(mode="after")
    def _fill(self) -> "RuleSection":
        """Writes out the defaults of a schedule; what does not fit together is left for `apply` to refuse."""
        for name, default in OF_KIND[self._key("schedule")].items():
            if self._key(name) is None:
                setattr(self, name, default)
        return self

    def _key(self, name: str) -> Any:
        return getattr(self, name)

    def apply(self, problem: Committee) -> Committee:
        """The problem with this update. **Raises:** ArgumentError where it has none such."""
        first, scheduled = self._schedule(), self._key("scheduled")
        trained = problem.second is not None and problem.second.gamma_a > 0
        if scheduled != "both" and not trained:
            remedy = "Leave it out, or train the second layer with gamma_a > 0."
            raise ArgumentError("scheduled", 'be "both" where the second layer is not trained', scheduled, remedy)
        layers = {"both": (first, None), "first": (first, Constant()), "second": (Constant(), first)}
        vectors, theta = layers[scheduled]
        optimiser = optimiser_of(self)
        update = self.build() if optimiser is None else None
        return replace(problem, update=update, optimiser=optimiser, schedule=vectors, schedule_a=theta)

    def _schedule(self) -> Schedule:
        """The schedule. **Raises:** ArgumentError where its keys are not those of its kind."""
        chosen, warm_up = self._key("schedule"), self._key("warm_up")
        self._check_keys(chosen)
        found = SCHEDULES[chosen](**{key: self._key(key) for key in OF_KIND[chosen]})
        return found if warm_up is None else WarmUp(warm_up, found)

    def _check_keys(self, chosen: str) -> None:
        beside, own = f'beside schedule = "{chosen}"', OF_KIND[chosen]
        for key in {key: None for keys in OF_KIND.values() for key in keys}:
            value = self._key(key)
            if key not in own and value is not None:
                homes = " or ".join(f'"{kind}"' for kind, known in OF_KIND.items() if key in known)
                raise ArgumentError(key, f"not be given {beside}", value, f"Remove it, or write schedule = {homes}.")
            if key in own and value is None:
                example = (type(self).model_fields[key].examples or [""])[0]
                raise ArgumentError(key, f"be given {beside}", None, f"Add it, e.g. `{key} = {example}`.")
