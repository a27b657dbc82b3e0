"""From an experiment file to cells: the front end of a run. Nothing is run and nothing is written here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tomli_w
from pydantic import BaseModel, ValidationError

from sgdsim.amounts import size_text
from sgdsim.bounds import LARGEST, OutOfBounds, check_bounds
from sgdsim.contracts import System
from sgdsim.ensemble.section import Section
from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.experiment.cells import Cell, CellBuilder, asks_for_none
from sgdsim.experiment.complaints import Complaints
from sgdsim.experiment.fit_checks import check_fits, check_points, complain_unknown
from sgdsim.experiment.grid import Home, read_grid
from sgdsim.experiment.schema import (
    COMMON_FIGURES,
    AgainstSection,
    Document,
    EnsembleSection,
    ReportSection,
    Table,
    TimesSection,
    check_table,
    variants,
)
from sgdsim.experiment.source import FURTHER, Given, Overrides, read_source
from sgdsim.experiment.table import TABLE
from sgdsim.experiment.wording import closest, show
from sgdsim.laws.catalogue import DEFAULT, fit_of, section
from sgdsim.laws.law import Fit
from sgdsim.plugins import plugins
from sgdsim.printable import printable
from sgdsim.systems import is_known, known_systems, load_system

_SECTIONS: dict[str, type[BaseModel]] = {"times": TimesSection, "ensemble": EnsembleSection, "report": ReportSection}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PARTS = ("simulator", "theory", "start", "times")


@dataclass(frozen=True)
class Experiment:
    """An experiment file, checked and expanded.

    - `name`: the file's name without its ending, with "-quick" behind it for the quick variant.
    - `replicas`: 0 where theory is solved alone.
    - `file`: the file's name, for messages.
    - `against`: quantities that are drawn over a parameter without a law.
    - `batch`, `block`: replicas simulated at once, and stored together; None leaves the choice to the engine.
    - `resolved`: the experiment as a plain table with every default filled in and every axis a list. Written as TOML,
      it loads as the same experiment.
    """

    name: str
    title: str
    system: System
    cells: tuple[Cell, ...]
    replicas: int
    seed: int
    batch: int | None
    block: int | None
    fits: dict[str, Fit]
    figures: tuple[str, ...]
    against: tuple[AgainstSection, ...]
    resolved: dict[str, Any]
    file: str = ""


def load_experiment(given: Given, overrides: Overrides = (), quick: bool = False) -> Experiment:
    """Reads an experiment, a file or a table of Python, with `key=value` options on top, or a dict of them by keys.

    `quick` takes the file's quick variant: the overrides of its table [quick] come first, then the options.

    An option may set any key, e.g. `simulator.kind=weights`. A key of [problem] or [rule] is either fixed or an axis:
    the option `problem.d=100` replaces an axis `grid.d`, and `grid.d=[100, 200]` replaces a fixed `problem.d`.

    **Raises:** ExperimentError with one line "file:line: key: message" for each thing that is wrong.
    """
    source = read_source(given, overrides, quick)
    complaints = Complaints(source)
    _check_title(source.document.get("title"), complaints)
    for place, mistake in source.refused.items():
        complaints.add(place, mistake)
    tables = _tables(source.document)
    system = _find_system(source.document.get("system"), complaints)
    if system is not None and "start" not in source.document and _takes_nothing(system.start_section):
        tables["start"] = {}
    # Hints about keys in a wrong table need those of all, which only the system knows.
    complaints.homes = {} if system is None else _homes(system)
    sections = {
        name: check_table(section, tables[name], (name,), complaints) if name in tables else None
        for name, section in (_SECTIONS | _own_sections(system)).items()
    }
    alone = asks_for_none(sections.get("simulator"))
    optional = {name: {} for name, spared in (("start", "start" in tables), ("ensemble", alone)) if spared}
    # A table that may be left out stands here as an empty one, so that it is not told as missing.
    check_table(Document, optional | source.document, (), complaints)
    fits = {name: _read_fit(name, fit, complaints) for name, fit in tables["fits"].items()}
    points = _read_points(sections["report"], complaints)
    if system is None or "problem" not in tables:
        complaints.raise_all()
    _check_figures(system, sections["report"], complaints)
    for name in FURTHER:
        if name in source.document and name not in system.tables:
            text = f"must be left out: the system {system.name} has no such table"
            complaints.add((name,), text, remedy="remove the table")
    homes = [_home(name, section, tables) for name, section in system.homes.items()]
    grid = read_grid(tables["grid"], homes, complaints)
    builder = CellBuilder(system, homes, grid, {name: sections[name] for name in _PARTS}, complaints)
    cells = builder.build()
    # Of cells that are known in part nothing is said about what all of them have.
    check_fits(fits, builder, cells if not complaints else [])
    check_points(points, builder)
    digests = {name: digest for cell in cells for name, digest in cell.problem.digests().items()}
    if not complaints:
        _check_digests(source.document.get("digests", {}), digests, complaints)
    if complaints:
        complaints.raise_all()
    # A name of bytes that are no text could not be written down.
    stem = TABLE if isinstance(given, Mapping) else printable(given.stem)
    name = f"{stem}-quick" if quick else stem
    if alone:
        del sections["ensemble"]
    resolved = _resolve(source.document, name, builder, sections, fits, digests)
    resolved["report"]["against"] = [point.model_dump(exclude_none=True) for point in points if point]
    _check_size(resolved, source.name)
    return _assemble(name, system, tuple(cells), resolved, source.name)


def _check_title(title: object, complaints: Complaints) -> None:
    """Complains about control characters in a title, which no file of results and no page can hold."""
    if isinstance(title, str) and _CONTROL.search(title):
        complaints.add(("title",), "must be one line without control characters", got=show(title))


def _tables(document: Table) -> dict[str, Table]:
    """The file's tables that are tables; those that may be left out are empty then."""
    found = {}
    for name, key in Document.model_fields.items():
        table = document.get(name, {})
        if key.annotation == Table and isinstance(table, dict) and (name in document or not key.is_required()):
            found[name] = table
    return {"grid": {}, "fits": {}} | found


def _home(name: str, section: type[BaseModel], tables: Mapping[str, Table]) -> Home:
    """A table whose keys may be axes; some have keys that depend on what is written, see `Section.opened`."""
    table = tables.get(name, {})
    opened = section.opened(table, tables["grid"]) if issubclass(section, Section) else section
    return Home(name, table, opened)


def _read_points(report: Any, complaints: Complaints) -> list[AgainstSection | None]:
    """The tables [[report.against]] of the section [report], None for one with a mistake in it."""
    against = report.against if report else []
    if not (isinstance(against, list) and all(isinstance(table, dict) for table in against)):
        text = "must be tables [[report.against]], one for each panel"
        complaints.add(("report", "against"), text, got=show(against))
        return []
    return [
        check_table(AgainstSection, table, ("report", "against", index), complaints)
        for index, table in enumerate(against)
    ]


def _read_fit(name: str, table: Any, complaints: Complaints) -> Fit | None:
    """[fits.NAME] with the keys of its law; None with a complaint for each mistake."""
    law = table.get("law", DEFAULT) if isinstance(table, dict) else DEFAULT
    try:
        return check_table(section(law), table, ("fits", name), complaints)
    except ArgumentError as error:  # of a package whose law cannot be had
        complaints.add_argument(("fits", name, "law"), error, {})
        return None


def _find_system(name: object, complaints: Complaints) -> System | None:
    if not isinstance(name, str):
        return None  # missing, or no string: the check of the document says so
    if not is_known(name):
        complain_unknown("system", ("system",), name, known_systems(), complaints)
        return None
    try:
        return load_system(name)
    except ArgumentError as error:  # of a package whose system cannot be had
        complaints.add_argument(("system",), error, {})
        return None


def _own_sections(system: System | None) -> dict[str, type[BaseModel]]:
    if system is None:
        return {}
    return {"start": system.start_section, "theory": system.theory_section, "simulator": system.simulator_section}


def _homes(system: System) -> dict[str, set[str]]:
    """The keys of every table."""
    tables = system.sections | _SECTIONS
    kinds = {name: [section, *variants(section).values()] for name, section in tables.items()}
    return {name: {key for kind in chosen for key in kind.model_fields} for name, chosen in kinds.items()}


def _check_figures(system: System, report: Any, complaints: Complaints) -> None:
    """Complains about figures that there are not, or not of this system."""
    known = (*COMMON_FIGURES, *system.figures)
    for index, name in enumerate([] if report is None else report.figures):
        if complaints.full:
            return
        if name not in known and name not in plugins("sgdsim.figures"):
            close = closest(name, known)
            remedy = f"did you mean {show(close)}?" if close else f"there are {', '.join(known)}"
            text = f"must be a figure of the system {system.name}"
            complaints.add(("report", "figures", index), text, got=show(name), remedy=remedy)


def _takes_nothing(section: type[BaseModel]) -> bool:
    """Whether an empty table will do."""
    try:
        section.model_validate({})
    except ValidationError:
        return False
    return True


def _check_digests(given: Mapping[str, str], found: Mapping[str, str], complaints: Complaints) -> None:
    """Complains where data are no longer those that the experiment says they are, or are none of its own."""
    for name, digest in given.items():
        if not found:
            complaints.add(("digests", name), "must be left out: the experiment takes no data from outside")
        elif name not in found:
            complain_unknown("data", ("digests", name), name, found, complaints)
        elif found[name] != digest:
            remedy = "these are other data than those of this experiment: put those back, or begin another run"
            text = f"must be that of the data, {found[name]}"
            complaints.add(("digests", name), text, got=show(digest), remedy=remedy)


def _resolve(
    document: Table,
    name: str,
    builder: CellBuilder,
    sections: Mapping[str, Any],
    fits: Mapping[str, Any],
    digests: Mapping[str, str],
) -> Table:
    """The whole experiment as a plain table, in the order of `Document`, [quick] left out.

    Data from outside it stand in [digests], so that others of the same name are not taken for them.
    """
    tables = {name: section.model_dump(exclude_none=True) for name, section in sections.items()}
    tables |= {"title": document.get("title") or name, "system": builder.system.name}
    tables |= {"problem": {}} | builder.constants | {"grid": builder.grid.to_table()}
    tables |= {"digests": dict(digests)} if digests else {}
    tables["fits"] = {name: fit.model_dump(exclude_none=True) for name, fit in fits.items()}
    return {name: tables[name] for name in Document.model_fields if name in tables}


def _check_size(resolved: Table, file: str) -> None:
    """**Raises:** ExperimentError where the folder of a run could not hold the experiment so that it is read again."""
    text = tomli_w.dumps(resolved)
    try:
        check_bounds(text)
        size = len(text.encode())
    except OutOfBounds as error:
        raise ExperimentError([f"{file}: written out in full, it has {error}; choose less"]) from None
    if size > LARGEST:
        most = f"a run holds {size_text(LARGEST)} at most"
        raise ExperimentError([f"{file}: written out in full, it takes {size_text(size)}, and {most}; choose less"])


def _assemble(name: str, system: System, cells: tuple[Cell, ...], resolved: Table, file: str) -> Experiment:
    ensemble = resolved.get("ensemble", {"replicas": 0, "seed": 0})
    report = resolved["report"]
    return Experiment(
        name=name,
        title=resolved["title"],
        system=system,
        cells=cells,
        replicas=ensemble["replicas"],
        seed=ensemble["seed"],
        batch=ensemble.get("batch"),
        block=ensemble.get("block"),
        fits={name: fit_of(section(fit["law"])(**fit)) for name, fit in resolved["fits"].items()},
        figures=tuple(report["figures"]),
        against=tuple(AgainstSection(**point) for point in report["against"]),
        resolved=resolved,
        file=file,
    )
