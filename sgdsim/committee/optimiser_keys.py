"""The keys of the table [rule] that name an optimiser, and which others go beside it."""

from typing import Annotated, Any, Literal

from sgdsim.committee.update import Update
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter, declared
from sgdsim.training.optimiser import OPTIMISERS, Adam, Named, RMSProp

KINDS: dict[str, type[Named]] = OPTIMISERS | {"adamw": Adam}
"""By name in a file: Adam is called AdamW where it has a decay."""
_OWN = {one.name: one for kind in (RMSProp, Adam) for one in declared(kind) if one.name not in vars(Update())}
OPTIMISER_KEYS: dict[str, Any] = {
    "optimiser": (
        Annotated[Literal[tuple(KINDS)] | None, Parameter("", "of optax, in place of the plain step")],  # type: ignore[valid-type]
        None,
    ),
    **{name: (Annotated[one.kind | None, one.parameter], None) for name, one in _OWN.items()},
}


def optimiser_of(section: Any) -> Named | None:
    """The optimiser of a table, None without one. **Raises:** ArgumentError where a key does not belong to it."""
    chosen = section.optimiser
    given = {name: getattr(section, name) for name in _OWN if getattr(section, name) is not None}
    if chosen is None:
        if given:
            key, value = next(iter(given.items()))
            raise ArgumentError(key, "be given beside an optimiser", value, 'Add e.g. `optimiser = "adam"`.')
        return None
    kind, usual = KINDS[chosen], vars(Update())
    given |= {name: getattr(section, name) for name in usual if getattr(section, name) != usual[name]}
    known = _keys(chosen)
    for key, value in given.items():
        if key not in known:
            homes = [name for name in KINDS if key in _keys(name)]
            remedy = f"Remove it, or write optimiser = {' or '.join(homes)}." if homes else "Remove it."
            raise ArgumentError(key, f'not be given beside optimiser = "{chosen}"', value, remedy)
    if "momentum" in known and "momentum" not in given:
        raise ArgumentError("momentum", f'be above 0 beside optimiser = "{chosen}"', 0.0, "Add e.g. `momentum = 0.9`.")
    return kind(**given)


def _keys(chosen: str) -> set[str]:
    """The keys of an optimiser."""
    return {one.name for one in declared(KINDS[chosen])} - ({"decay"} if chosen == "adam" else set())
