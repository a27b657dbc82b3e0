"""The laws that can be fitted over the cells of a grid, by name.

A new law is one file of this room and one line of `_KINDS`: the keys that [fits.NAME] takes, the checks of a file, the
entry of the summary, the line of the command and the table of the report follow from it.
"""

from typing import Annotated, Any, Literal

from pydantic import create_model
from pydantic.fields import FieldInfo

from sgdsim.laws.bias import Bias
from sgdsim.laws.law import Fit, Fitted, Law, Members
from sgdsim.laws.log_power import LogPower
from sgdsim.laws.onset import Onset
from sgdsim.laws.power import Power
from sgdsim.laws.threshold import Threshold
from sgdsim.laws.two_term import TwoTerm

_KINDS: tuple[Law[Any, Any], ...] = (
    Power(),
    Threshold(),
    Bias(),
    Onset(),
    TwoTerm(),
    LogPower(),
)

LAWS: dict[str, Law[Any, Any]] = {law.name: law for law in _KINDS}
"""In the order in which a page tells of them."""
DEFAULT = "power"
"""The law of a fit that does not say which."""


def section() -> type[Fit]:
    """[fits.NAME] of any law: the keys of all, each of which may be left out where it is not every law's."""
    fields: dict[str, Any] = {"law": (Literal[tuple(LAWS)], DEFAULT)}
    for law in LAWS.values():
        for key, info in law.keys.model_fields.items():
            if key not in Fit.model_fields:
                field = _optional(info)
                if fields.setdefault(key, field) != field:
                    raise TypeError(f"{law.keys.__name__}.{key} must be declared as other laws declare it")
    return create_model("FitSection", __base__=Fit, **fields)


def _optional(info: FieldInfo) -> tuple[Any, Any]:
    """A key of a law as the section of any law has it: None where it is left out."""
    annotation: Any = info.annotation
    annotation = annotation if annotation is bool else annotation | None
    for constraint in info.metadata:
        annotation = Annotated[annotation, constraint]
    return annotation, None if info.is_required() else info.default


def fit_of(table: Fit) -> Fit:
    """A checked table as the keys of its own law."""
    keys = LAWS[table.law].keys
    return keys(**{key: getattr(table, key) for key in keys.model_fields})


def fit_law(fit: Fit, members: Members) -> Fitted:
    """One law over some of the cells."""
    return LAWS[fit.law].fit(fit, members)


def read_fitted(entry: dict[str, Any]) -> Fitted:
    """An entry of the summary as the class of its law.

    **Raises:** ValueError for a law that is not here; pydantic's, which is one, where it does not fit its law.
    """
    law = LAWS.get(entry.get("law", ""))
    if law is None:
        raise ValueError(f"unknown law {entry.get('law')!r}; there are {', '.join(LAWS)}")
    return law.found.model_validate(entry)


def was_made(found: Fitted) -> bool:
    """Whether there is a fit, and not only a reason why there is none."""
    return getattr(found, LAWS[found.law].number) is not None


def headline(found: Fitted) -> str:
    """A fit in one line, or why there is none."""
    return found.problem or LAWS[found.law].headline(found)
