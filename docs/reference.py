"""Writes docs/reference.md: every key of an experiment file and every parameter, from where it is declared.

python docs/reference.py
"""

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sgdsim.contracts import System
from sgdsim.ensemble.section import KindSection, PartSection
from sgdsim.experiment.schema import AgainstSection, EnsembleSection, ReportSection, TimesSection, variants
from sgdsim.laws.catalogue import LAWS
from sgdsim.laws.law import Fit
from sgdsim.parameters import Declared, Parameter, declared
from sgdsim.systems import SYSTEMS, load_system

PAGE = Path(__file__).with_suffix(".md")
HEAD = """\
# Parameters

Written by `python docs/reference.py` from the declarations in `sgdsim/*/`; a test holds it to them.

A key of a table [problem], [rule], [data], [student], [start], [theory] or [simulator] of an experiment file is the
argument of the same name of the class that the table makes. Some numbers are bounded in a file, where one beyond is a
slip, and not in Python. The tables that the files of all systems share stand at the [end](#tables-of-every-system).
"""
SHARED = {
    "[times]": TimesSection,
    "[ensemble]": EnsembleSection,
    "[report]": ReportSection,
    "[[report.against]]": AgainstSection,
    "[fits.NAME], of every law": Fit,
}
SIGNS = {Gt: ("gt", ">"), Ge: ("ge", ">="), Le: ("le", "<=")}
COLUMNS = ("key", "symbol", "type", "range", "default", "what it is")
KINDS: dict[Any, str] = {
    int: "integer",
    float: "number",
    bool: "true or false",
    str: "string",
    list[float]: "list of numbers",
    list[list[float]]: "list of rows",
    list[str]: "list of names",
    dict[str, list[int | float | str]]: "table of lists",
    Any: "tables",
}


def page() -> str:
    """The page."""
    return "\n".join([HEAD, *(_system(load_system(name)) for name in SYSTEMS), _shared()])


def _shared() -> str:
    """The tables that the files of all systems have: what their docstrings say of them, and their keys."""
    parts = ["## Tables of every system\n"]
    laws = {f'[fits.NAME] law = "{law.name}"': law.keys for law in LAWS.own.values()}
    for title, section in (SHARED | laws).items():
        keys = [row for name, field in section.model_fields.items() if (row := _plain(name, field, section))]
        words = re.sub(r"^\[.*?\]: (.)", lambda found: found[1].upper(), inspect.getdoc(section) or "")
        parts += [f"### {title}\n", words, ""]
        parts += [_table(("key", "type", "range", "default"), keys)] if keys else []
    return "\n".join(parts)


def _plain(name: str, field: FieldInfo, section: type[BaseModel]) -> tuple[str, ...]:
    """The row of a key that is no argument of a class; of a law, of the keys that not all laws have."""
    if name == "law" or (section is not Fit and issubclass(section, Fit) and name in Fit.model_fields):
        return ()
    bounds = [(SIGNS[type(one)], one) for one in field.metadata if type(one) in SIGNS]
    allowed = " and ".join(f"{sign} {getattr(one, key):g}" for (key, sign), one in bounds)
    default = "" if field.default in (PydanticUndefined, None, []) else _shown(field.default)
    return f"`{name}`", _kind(field.annotation), allowed, "required" if field.is_required() else default


def _system(system: System) -> str:
    """The part of one system: a table for each table of an experiment file, and what only Python can set."""
    parts = [f"## {system.name}\n"]
    python: dict[Declared, list[str]] = {}
    for name, section in system.sections.items():
        for kind, one in (variants(section) or {"": section}).items():
            parts.append(f"### [{name}]" + (f' kind = "{kind}"' if kind else "") + f": {_summary(one)}\n")
            parts.append(_table(COLUMNS, _keys(one)))
            for owner in _owners(one):
                for argument in declared(owner):
                    if not argument.parameter.in_files:
                        python.setdefault(argument, []).append(owner.__name__)
    if python:
        rows = [_argument(one, owners) for one, owners in python.items()]
        parts += ["### From Python only\n", _table(("argument", *COLUMNS[1:]), rows)]
    return "\n".join(parts)


def _summary(section: type[BaseModel]) -> str:
    """The classes that a table makes, as their system's package has them."""
    names = [f"`{'.'.join(owner.__module__.split('.')[:2])}.{owner.__name__}`" for owner in _owners(section)]
    if issubclass(section, KindSection | PartSection):
        return ", ".join(names) or "nothing"
    return (inspect.getdoc(section) or "").split(": ", 1)[-1].rstrip(".")


def _owners(section: type[BaseModel]) -> list[type]:
    if issubclass(section, KindSection):
        return [owner for owner in section.kinds.values() if owner is not None]
    return [section.owner] if issubclass(section, PartSection) else []


def _keys(section: type[BaseModel]) -> Iterable[tuple[str, ...]]:
    """The rows of a table of an experiment file."""
    for name, field in section.model_fields.items():
        parameter = next(
            (one for one in field.metadata if isinstance(one, Parameter)), Parameter("", "which of the kinds")
        )
        default = "" if field.default in (PydanticUndefined, None) else _shown(field.default)
        yield _row(name, field.annotation, "required" if field.is_required() else default, parameter)


def _argument(one: Declared, owners: list[str]) -> tuple[str, ...]:
    """The row of an argument that only Python has."""
    default = "" if one.default is None else _shown(one.default)
    name, *rest = _row(one.name, one.kind, default, one.parameter)
    return f"{name} of {', '.join(f'`{owner}`' for owner in owners)}", *rest


def _row(name: str, kind: Any, default: str, parameter: Parameter) -> tuple[str, ...]:
    symbol = f"${parameter.symbol}$" if parameter.symbol else ""
    return f"`{name}`", symbol, _kind(kind), parameter.range, default, parameter.words


def _kind(kind: Any) -> str:
    """A type in words."""
    if get_origin(kind) is Annotated:
        return _kind(get_args(kind)[0])
    if get_origin(kind) is Literal:
        return ", ".join(_shown(value) for value in get_args(kind))
    if get_origin(kind) in (Union, UnionType):
        return ", ".join(_kind(part) for part in get_args(kind) if part is not NoneType)
    return KINDS[kind]


def _shown(value: Any) -> str:
    """A value as in a file."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page())
