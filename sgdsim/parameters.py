"""A parameter, declared once: its range, words and symbol stand in the annotation of the field that holds it."""

import dataclasses
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types


@dataclass(frozen=True)
class Parameter(annotated_types.GroupedMetadata):
    r"""What there is to say of a parameter besides its name, type and default, which are those of its field.

        alpha: Annotated[float, Parameter(r"\alpha", "data per dimension", above=0, limit=1e6, example=2.5)]

    From it come the check of the field (`sgdsim.checks.check_fields`), the key of an experiment file
    (`sgdsim.ensemble.section.section_of`), a column of results (`given`) and a row of docs/reference.md.

    - `symbol`: TeX; empty where the name is the symbol, or there is none.
    - `words`: what it is.
    - `least`, `most`: ends of its range that belong to it; `above`, `below`: ends that do not. None is no bound.
    - `limit`: the largest size of a number in an experiment file, where one beyond is a slip; Python takes any.
    - `must`: what is asked of a number, where the ends say it less well.
    - `example`: shown where the key is missing in an experiment file. Such a key has to be written there, even where
      Python has a default.
    - `written`: the type of the key, where it is not that of the field, e.g. a list for a tuple.
    - `in_files`: whether an experiment file has a key of it.
    - `in_results`: whether a number or a word is worth a column in a table of results.
    - `in_identity`: whether experiments that differ in it are two. False where the blocks of a run do not depend on it,
      or by rounding only, as on another kind of processor: then a run goes on with another value.
    """

    symbol: str
    words: str
    _: KW_ONLY
    least: int | float | None = None
    above: int | float | None = None
    most: int | float | None = None
    below: int | float | None = None
    limit: int | float | None = None
    must: str = ""
    example: Any = None
    written: Any = None
    in_files: bool = True
    in_results: bool = True
    in_identity: bool = True

    def __iter__(self) -> Iterator[annotated_types.BaseMetadata]:
        """The bounds of a number in an experiment file, in the words of annotated_types, which pydantic reads."""
        if self.above is not None:
            yield annotated_types.Gt(self.above)
        elif self.least is not None:
            yield annotated_types.Ge(self.least)
        elif self.limit is not None:
            yield annotated_types.Ge(-self.limit)
        if self.below is not None:
            yield annotated_types.Lt(self.below)
        elif (most := self.limit if self.most is None else self.most) is not None:
            yield annotated_types.Le(most)

    def holds(self, value: int | float) -> bool:
        """Whether a finite number is in the range."""
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    @property
    def range(self) -> str:
        """The range in words, that of experiment files too, e.g. "> 0, in a file <= 1e+06"."""
        ends = ((">=", self.least), (">", self.above), ("<=", self.most), ("<", self.below))
        words = " and ".join(f"{sign} {end:g}" for sign, end in ends if end is not None)
        limit = "" if self.limit is None else f"in a file {'<=' if words else 'up to'} {self.limit:g}"
        return ", ".join(filter(None, [words, limit])) + (" in size" if limit and not words else "")

    @property
    def asks(self) -> str:
        """What a real number must do to be in the range, e.g. "be finite and > 0"."""
        if self.must:
            return self.must
        low = f"> {self.above:g}" if self.above is not None else f">= {self.least:g}" if self.least is not None else ""
        if self.most is None and self.below is None:
            return f"be finite and {low}" if low else "be finite"
        if self.least is not None and self.most is not None:
            return f"be from {self.least:g} to {self.most:g}"
        high = f"at most {self.most:g}" if self.most is not None else f"< {self.below:g}"
        return f"be {low} and {high}" if low else f"be {high}"


Precision = Annotated[
    Literal["float32", "float64"], Parameter("", "precision of the loop; what is observed is float64")
]
"""The precision of a simulator."""


@dataclass(frozen=True)
class Declared:
    """A parameter of a class: the name, the type without annotation, and the default of its field.

    `default` is `dataclasses.MISSING` where there is none.
    """

    name: str
    kind: Any
    default: Any
    parameter: Parameter


def split(annotation: Any) -> tuple[Any, Parameter | None]:
    """An annotation as the type and the parameter beside it, if there is one."""
    if get_origin(annotation) is Annotated:
        kind, *more = get_args(annotation)
        return kind, next((one for one in more if isinstance(one, Parameter)), None)
    return annotation, None


@lru_cache
def declared(owner: type) -> tuple[Declared, ...]:
    """The parameters of a dataclass, in the order of its fields."""
    found = []
    for field in dataclasses.fields(owner):
        kind, parameter = split(field.type)
        if parameter is not None:
            found.append(Declared(field.name, kind, field.default, parameter))
    return tuple(found)


def given(part: Any) -> dict[str, int | float | str]:
    """The parameters of an object that are numbers or words, by name, for a table of results."""
    values = {one.name: getattr(part, one.name) for one in declared(type(part)) if one.parameter.in_results}
    return {name: value for name, value in values.items() if isinstance(value, int | float | str)}
