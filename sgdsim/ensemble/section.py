"""The tables of an experiment file: their common base, and those that are made from the parameters of a class."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, create_model

from sgdsim.parameters import Declared, Parameter, declared


class Section(BaseModel):
    """One table of an experiment file: exact types, known keys only, finite numbers only.

    `derived` names, for a value that is computed from the table, the keys that it comes from, most telling first: an
    ArgumentError about that value is blamed on them. `examples` of a required field are shown where it is missing.
    `words` says what the field's words for its keys stand for here, as "did you mean ...?" goes on: the keys in
    backticks, and the table of a key that is in another. `otherwise` says what is left to do where none of the values
    that a key takes will do.
    """

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    derived: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    words: ClassVar[Mapping[str, str]] = {}
    otherwise: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def opened(cls, table: Mapping[str, Any], grid: Mapping[str, Any]) -> "type[Section]":
        """The section for a table as it is written, beside the table [grid]: of one whose keys depend on their values.

        It raises nothing: what is wrong is told by `apply`.
        """
        return cls


def _listed(value: object) -> object:
    """One number as a list of one, so that a mistake in it is told once."""
    return value if isinstance(value, list) else [value]


OneOrMore = Annotated[list[float], BeforeValidator(_listed)]
"""One number, or a list of them."""


class PartSection(Section):
    """A table whose keys are parameters of a class, of which it builds an object."""

    owner: ClassVar[type]

    def of(self, owner: type) -> dict[str, Any]:
        """The keys of one class that are given."""
        keys = {one.name: getattr(self, one.name) for one in declared(owner) if one.parameter.in_files}
        return {name: value for name, value in keys.items() if value is not None}

    def build(self) -> Any:
        """The object. **Raises:** ArgumentError where the keys do not fit together."""
        return self.owner(**self.of(self.owner))


class KindSection(PartSection):
    """A table whose `kind` chooses the class, or none."""

    kinds: ClassVar[Mapping[str, type | None]]

    kind: str

    def build(self) -> Any:
        """The object, or None. **Raises:** ArgumentError where the keys do not fit together."""
        owner = self.kinds[self.kind]
        return None if owner is None else owner(**self.of(owner))


AnyPart = TypeVar("AnyPart", bound=PartSection)


def section_of(
    *owners: type,
    own: Mapping[str, Any] | None = None,
    optional: Collection[str] = (),
    order: Sequence[str] = (),
    base: type[AnyPart] = PartSection,
) -> type[AnyPart]:
    """The table whose keys are the parameters of these classes; it builds the first.

    - `own`: keys of the table itself, as pydantic's pairs of a type and a field or default.
    - `optional`: parameters that may be left out although the class has no default, or must be where others are given.
    - `order`: the first keys in the order of the table; the others follow in that of the classes.
    """
    keys = {one.name: _key(one, one.name in optional) for owner in owners for one in declared(owner)}
    keys = {name: key for name, key in keys.items() if key is not None} | dict(own or {})
    first = [name for name in order if name in keys]
    ordered = {name: keys[name] for name in [*first, *(name for name in keys if name not in first)]}
    section = create_model("Keys", __base__=base, **ordered)
    if owners:
        section.owner = owners[0]
    return section


def section_of_kinds(kinds: Mapping[str, type | None]) -> type[KindSection]:
    """The table whose `kind` chooses a class, by default the first, and whose other keys are parameters of them."""
    owners = [owner for owner in kinds.values() if owner is not None]
    kind = (Literal[tuple(kinds)], next(iter(kinds)))  # type: ignore[valid-type]
    section = section_of(*owners, own={"kind": kind}, base=KindSection)
    section.kinds = kinds
    return section


def keys_beside_identity(section: type[BaseModel]) -> set[str]:
    """The keys of a table, or of its variants, whose parameters say that no block of a run depends on them."""
    if issubclass(section, RootModel):
        variants = get_args(section.model_fields["root"].annotation)
        return {key for variant in variants for key in keys_beside_identity(variant)}
    return {
        key
        for key, field in section.model_fields.items()
        if any(isinstance(one, Parameter) and not one.in_identity for one in field.metadata)
    }


def section_of_starts(kinds: Mapping[str, type]) -> type[BaseModel]:
    """The table whose `kind` chooses a class, which has to be written, and whose other keys are those of that class."""
    sections = []
    for kind, owner in kinds.items():
        own = {"kind": (Literal[kind], ...)}  # type: ignore[valid-type]
        sections.append(section_of(owner, own=own, order=("seed", "per_replica", "kind")))

    class Chosen(RootModel[Annotated[Union[tuple(sections)], Field(discriminator="kind")]]):  # type: ignore  # noqa: UP007
        """One of the kinds."""

        def build(self) -> Any:
            """The object. **Raises:** ArgumentError where the keys do not fit together."""
            return self.root.build()  # type: ignore[union-attr]

    return Chosen


def _key(one: Declared, optional: bool) -> Any:
    """A parameter as pydantic's pair of a type and a field; None where files have no key of it."""
    parameter = one.parameter
    if not parameter.in_files:
        return None
    kind = parameter.written or one.kind
    examples = None if parameter.example is None else [parameter.example]
    if optional:
        return (Annotated[kind | None, parameter], Field(default=None, examples=examples))
    if one.default is MISSING or examples is not None:
        return (Annotated[kind, parameter], Field(examples=examples))
    default = list(one.default) if isinstance(one.default, tuple) else one.default
    return (Annotated[kind, parameter], Field(default=default))


_FINAL = "`final` in [times]"
TIME_WORDS = {
    **dict.fromkeys(("T", "t_max", "tmax", "t_final", "t_end", "time", "horizon", "duration"), _FINAL),
    **dict.fromkeys(("steps", "n_steps", "num_steps", "iterations", "epochs"), f"{_FINAL}, steps times dt"),
}
"""Words for the time of a run, which is not of the problem."""
