"""The laws that can be fitted over the cells of a grid, by name.

A new law is one file of this room and one line of `_KINDS`, or one file of an installed package and its entry point in
the group `sgdsim.laws`. The keys that [fits.NAME] takes, the checks of a file, the entry of the summary, the line of
the command and the table of the report follow from it.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import create_model
from pydantic.fields import FieldInfo

from sgdsim.errors import ArgumentError
from sgdsim.laws.bias import Bias
from sgdsim.laws.finite_size import FiniteSize
from sgdsim.laws.known import Known
from sgdsim.laws.law import Fit, Fitted, Law, Members
from sgdsim.laws.log_power import LogPower
from sgdsim.laws.onset import Onset
from sgdsim.laws.power import Power
from sgdsim.laws.power_log import PowerLog
from sgdsim.laws.threshold import Threshold
from sgdsim.laws.two_term import TwoTerm
from sgdsim.plugins import Catalogue

if TYPE_CHECKING:  # which needs JAX
    from sgdsim.contracts import System

_KINDS: tuple[Law[Any, Any], ...] = (
    Power(),
    Threshold(),
    Bias(),
    Onset(),
    TwoTerm(),
    LogPower(),
    PowerLog(),
    Known(),
    FiniteSize(),
)

LAWS: Catalogue[Law[Any, Any]] = Catalogue({law.name: law for law in _KINDS}, "sgdsim.laws", Law)
"""In the order in which a page tells of them, those of installed packages after ours."""
DEFAULT = "power"
"""The law of a fit that does not say which."""


def section(name: object = DEFAULT) -> type[Fit]:
    """[fits.NAME] of the law of this name: its keys and those of all laws of ours, each of which may be left out.

    So a key of another law is told as such, and no unknown one. Anything may be given as a name, as in a file.

    **Raises:** ArgumentError where the law is that of a package and cannot be had.
    """
    own = isinstance(name, str) and name in LAWS.own
    # Packages are looked for only where a law is none of ours; none of them is imported for a law of another.
    fields: dict[str, Any] = {"law": (Literal[tuple(LAWS.own if own else LAWS)], DEFAULT)}
    asked = [LAWS[name]] if isinstance(name, str) and name in LAWS else []
    for law in (*asked, *LAWS.own.values()):  # the law's own keys first: another may have one of the same name
        for key, info in law.keys.model_fields.items():
            if key not in Fit.model_fields:
                fields.setdefault(key, _optional(info))
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
        known = f"there are {', '.join(LAWS)}"
        raise ValueError(f"unknown law {entry.get('law')!r}: install the package that adds it; {known}")
    return law.found.model_validate(entry)


def check_expectations(system: "System") -> None:
    """Looks at everything that a system expects of laws, before one is fitted.

    **Raises:** ArgumentError where the law is unknown, or the expectation lacks a method of the law's `expects`.
    """
    for name in system.expectations:
        if name not in LAWS:
            argument = f"System.expectations of {system.name}"
            raise ArgumentError(argument, f"be by names of laws, {', '.join(LAWS)}", name)
        LAWS[name].expectation(system)


def was_made(found: Fitted) -> bool:
    """Whether there is a fit, and not only a reason why there is none."""
    return getattr(found, LAWS[found.law].number) is not None


def headline(found: Fitted) -> str:
    """A fit in one line, or why there is none."""
    return found.problem or LAWS[found.law].headline(found)
