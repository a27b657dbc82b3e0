"""The table [student] of an experiment file about the committee: a module of one's own in place of the network."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from inspect import Parameter as Argument
from itertools import chain
from typing import Annotated, Any, ClassVar

from pydantic import Field, create_model

from sgdsim.committee.data_section import DataSection
from sgdsim.committee.problem import Committee
from sgdsim.committee.rule_section import RuleSection
from sgdsim.committee.sections import ProblemSection
from sgdsim.ensemble.section import Section
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.training.find_student import ARGUMENT, STUDENTS, find_student
from sgdsim.training.module import WIDTH, ModuleStudent, parameters_of

KINDS = (bool, int, float, str)
MODULE = Parameter("", f"the function that makes it: {', '.join(STUDENTS.own)}, an entry point or package:function")


class StudentSection(Section):
    """[student]: an equinox module in place of the network; its further keys are the parameters of its function."""

    words: ClassVar[Mapping[str, str]] = dict.fromkeys(("name", "function", "kind", "model", "network"), "`module`")
    others: ClassVar[frozenset[str]] = frozenset(
        key for home in (ProblemSection, RuleSection, DataSection) for key in home.model_fields
    )

    module: Annotated[str, MODULE] = Field(examples=["three_layers"])

    @classmethod
    def opened(cls, table: Mapping[str, Any], grid: Mapping[str, Any]) -> type[Section]:
        """With the parameters of all functions that are named; where one cannot be had, whatever is written."""
        fields: dict[str, Any] = {}
        for name in _names(table, grid):
            try:
                fields |= {key: (kind | None, None) for key, kind in _keys(find_student(name))}
            except ArgumentError:
                fields |= dict.fromkeys({*table, *grid} - {ARGUMENT, "zip"} - cls.others, (Any, None))
        return create_model(cls.__name__, __base__=cls, __doc__=cls.__doc__, **fields) if fields else cls

    def apply(self, problem: Committee) -> Committee:
        """The problem with this student. **Raises:** ArgumentError where there is no such one, or it does not fit."""
        function = find_student(self.module)
        taken = [key for key, _ in _keys(function) if key in self.others]
        if taken:
            remedy = "Another name is needed: axes of a grid are named by the key alone."
            must = f"have no parameter that is a key of another table, {', '.join(taken)}"
            raise ArgumentError(ARGUMENT, must, self.module, remedy)
        parameters = {key: value for key, value in self.model_dump(exclude_none=True).items() if key != ARGUMENT}
        return replace(problem, student=ModuleStudent(self.module, **parameters))


def _names(table: Mapping[str, Any], grid: Mapping[str, Any]) -> list[str]:
    """All functions that a table names, or an axis of the grid."""
    groups = grid.get("zip", [])
    tables = [grid, *(groups if isinstance(groups, list) else [])]
    axes = [axis for one in tables if isinstance(one, Mapping) and isinstance(axis := one.get(ARGUMENT), list)]
    return [name for name in (table.get(ARGUMENT), *chain(*axes)) if isinstance(name, str)]


def _keys(function: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """The parameters of a function that are keys of the table, with their types."""
    for name, one in parameters_of(function).items():
        if name != WIDTH:
            yield name, _kind(one)


def _kind(one: Argument) -> Any:
    """The type of a parameter: as it is annotated or, without that, as its default is; else anything."""
    said = one.annotation if one.annotation is not one.empty else type(one.default)
    return said if said in KINDS or any(said == kind | None for kind in KINDS) else Any
