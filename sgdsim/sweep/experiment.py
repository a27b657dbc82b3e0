"""From an experiment file to cells: the front end of a sweep. Nothing is run and nothing is written here."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from sgdsim.analysis.dataset import DEVIATIONS
from sgdsim.ensemble.contracts import System
from sgdsim.sweep.cells import Cell, CellBuilder, asks_for_none
from sgdsim.sweep.complaints import Complaints
from sgdsim.sweep.grid import read_grid
from sgdsim.sweep.laws import LAWS
from sgdsim.sweep.locate import KeyPath
from sgdsim.sweep.quantities import Fit, scalars
from sgdsim.sweep.schema import (
    COMMON_FIGURES,
    AgainstSection,
    Document,
    EnsembleSection,
    FitSection,
    ReportSection,
    Table,
    TimesSection,
    check_table,
    variants,
)
from sgdsim.sweep.source import read_source
from sgdsim.sweep.wording import closest, show, unknown
from sgdsim.systems import SYSTEMS, load_system

_SECTIONS: dict[str, type[BaseModel]] = {"times": TimesSection, "ensemble": EnsembleSection, "report": ReportSection}
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
    against: tuple[Fit, ...]
    resolved: dict[str, Any]
    file: str = ""


def load_experiment(path: Path, overrides: Sequence[str] = (), quick: bool = False) -> Experiment:
    """Reads an experiment file, with `key=value` options on top.

    `quick` takes the file's quick variant: the overrides of its table [quick] come first, then the options.

    An option may set any key, e.g. `simulator.kind=weights`. A key of the problem is either fixed or an axis: the
    option `problem.d=100` replaces an axis `grid.d`, and `grid.d=[100, 200]` replaces a fixed `problem.d`.

    **Raises:** ExperimentError with one line "file:line: key: message" for each thing that is wrong.
    """
    source = read_source(path, overrides, quick)
    complaints = Complaints(source)
    for place, mistake in source.refused.items():
        complaints.add(place, mistake)
    tables = _tables(source.document)
    system = _find_system(source.document.get("system"), complaints)
    if system is not None and "start" not in source.document and _takes_nothing(system.start_section):
        tables["start"] = {}
    complaints.homes = {} if system is None else _homes(system)
    sections = {
        name: check_table(section, tables[name], (name,), complaints) if name in tables else None
        for name, section in (_SECTIONS | _own_sections(system)).items()
    }
    alone = asks_for_none(sections.get("simulator"))
    optional = {name: {} for name, spared in (("start", "start" in tables), ("ensemble", alone)) if spared}
    check_table(Document, optional | source.document, (), complaints)
    fits = {name: check_table(FitSection, fit, ("fits", name), complaints) for name, fit in tables["fits"].items()}
    points = _read_points(sections["report"], complaints)
    if system is None or "problem" not in tables:
        complaints.raise_all()
    _check_figures(system, sections["report"], complaints)
    grid = read_grid(tables["grid"], tables["problem"], system.problem_section, complaints)
    builder = CellBuilder(system, tables["problem"], grid, {name: sections[name] for name in _PARTS}, complaints)
    cells = builder.build()
    # Of cells that are known in part nothing is said about what all of them have.
    _check_fits(fits, builder, cells if not complaints else [])
    _check_points(points, builder)
    digests = {name: digest for cell in cells for name, digest in cell.problem.digests().items()}
    if not complaints:
        _check_digests(source.document.get("digests", {}), digests, complaints)
    if complaints:
        complaints.raise_all()
    name = f"{path.stem}-quick" if quick else path.stem
    if alone:
        del sections["ensemble"]
    resolved = _resolve(source.document, name, builder, sections, fits, digests)
    resolved["report"]["against"] = [point.model_dump(exclude_none=True) for point in points if point]
    return _assemble(name, system, tuple(cells), resolved, source.name)


def _tables(document: Table) -> dict[str, Table]:
    """The file's tables that are tables; those that may be left out are empty then."""
    found = {}
    for name, key in Document.model_fields.items():
        table = document.get(name, {})
        if key.annotation == Table and isinstance(table, dict) and (name in document or not key.is_required()):
            found[name] = table
    return {"grid": {}, "fits": {}} | found


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


def _find_system(name: object, complaints: Complaints) -> System | None:
    if not isinstance(name, str):
        return None  # missing, or no string: the check of the document says so
    if name not in SYSTEMS:
        _unknown("system", ("system",), name, SYSTEMS, complaints)
        return None
    return load_system(name)


def _own_sections(system: System | None) -> dict[str, type[BaseModel]]:
    if system is None:
        return {}
    return {"start": system.start_section, "theory": system.theory_section, "simulator": system.simulator_section}


def _homes(system: System) -> dict[str, set[str]]:
    """The keys of every table."""
    tables = {"problem": system.problem_section} | _own_sections(system) | _SECTIONS
    kinds = {name: [section, *variants(section).values()] for name, section in tables.items()}
    return {name: {key for kind in chosen for key in kind.model_fields} for name, chosen in kinds.items()}


def _check_figures(system: System, report: Any, complaints: Complaints) -> None:
    """Complains about figures that there are not, or not of this system."""
    known = (*COMMON_FIGURES, *system.figures)
    for index, name in enumerate([] if report is None else report.figures):
        if name not in known:
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


def _check_fits(fits: Mapping[str, Any], builder: CellBuilder, cells: Sequence[Cell]) -> None:
    """Complains about fits of what the cells do not have."""
    rows = [cell.problem.parameters() for cell in cells]
    for name, fit in fits.items():
        path = ("fits", name)
        if not re.fullmatch(r"[\w-]+", name):
            builder.complaints.add(path, "must be named by letters, digits, _ and - only")
        if fit is None:
            continue
        _check_keys(fit, path, scalars(builder.system), builder.complaints)
        compares = LAWS[fit.law].compares
        _check_comparison(path, "law" if compares else "quantity", fit, compares, builder)
        if fit.along is not None and fit.along not in builder.grid.paths:
            _unknown("axis of the grid", (*path, "along"), fit.along, builder.grid.paths, builder.complaints)
        for key in ("against", "second"):
            _check_parameter((*path, key), getattr(fit, key), builder)
        named = [key for key in (fit.against, fit.second) if key in builder.parameters]
        columns = {key: [float(row[key]) for row in rows] for key in named}
        missing = LAWS[fit.law].misses(Fit(**fit.model_dump()), columns)
        if missing is not None:
            key, text, remedy = missing
            builder.complaints.add((*path, key), text, remedy=f"write e.g. {remedy}")
        elif fit.predict_to is not None and cells:
            _check_prediction(fit, path, builder, cells)


def _check_prediction(fit: Any, path: KeyPath, builder: CellBuilder, cells: Sequence[Cell]) -> None:
    """Complains about a predicted curve that there is no theory of."""
    prediction, cell = builder.system.prediction, next((cell for cell in cells if cell.theory is not None), None)
    remedy = "remove it"
    if fit.law != "log_power":
        text = f"must not be given for law = {show(fit.law)}"
    elif prediction is None or fit.second != prediction.parameter:
        text = f"must not be given for second = {show(fit.second)}, which theory has no curve against"
    elif cell is None or cell.theory is None:
        text, remedy = "must not be given where there is no theory", "choose a theory.kind"
    else:
        text, remedy = "must not be given here", prediction.lacks(fit.quantity, cell.start, cell.theory)
    if remedy:
        builder.complaints.add((*path, "predict_to"), text, remedy=remedy)


def _check_points(points: Sequence[AgainstSection | None], builder: CellBuilder) -> None:
    """Complains about points [[report.against]] of what the cells do not have."""
    for index, point in enumerate(points):
        if point is not None:
            path = ("report", "against", index)
            _check_keys(
                FitSection(quantity=point.quantity, level=point.level),
                path,
                scalars(builder.system),
                builder.complaints,
            )
            _check_comparison(path, "quantity", point, False, builder)
            _check_parameter((*path, "axis"), point.axis, builder)


def _check_comparison(path: KeyPath, key: str, asked: Any, compares: bool, builder: CellBuilder) -> None:
    """Complains where a simulation is to be compared with theory and one of the two is not there."""
    for part in ("theory", "simulator"):
        if asks_for_none(builder.sections[part]) and (compares or asked.quantity in DEVIATIONS):
            text = f"must not be a {'bias' if compares else 'deviation'} where there is no {part}"
            builder.complaints.add((*path, key), text, got=show(getattr(asked, key)), remedy=f"choose a {part}.kind")


def _check_parameter(path: KeyPath, name: str | None, builder: CellBuilder) -> None:
    """Complains about what is no number among the parameters of the cells."""
    if builder.parameters and name is not None and name not in builder.parameters:
        _unknown("parameter", path, name, builder.parameters, builder.complaints)


def _check_digests(given: Mapping[str, str], found: Mapping[str, str], complaints: Complaints) -> None:
    """Complains where data are no longer those that the experiment says they are, or are none of its own."""
    for name, digest in given.items():
        if not found:
            complaints.add(("digests", name), "must be left out: the experiment takes no data from outside")
        elif name not in found:
            _unknown("data", ("digests", name), name, found, complaints)
        elif found[name] != digest:
            remedy = "these are other data than those of this experiment: put those back, or begin another run"
            text = f"must be that of the data, {found[name]}"
            complaints.add(("digests", name), text, got=show(digest), remedy=remedy)


def _check_keys(fit: Any, path: KeyPath, names: list[str], complaints: Complaints) -> None:
    """Complains about keys of one fit that do not fit together."""
    law = LAWS[fit.law]
    known = law.quantities(names)
    if fit.quantity not in known:
        of = "" if fit.law == "power" else f" of a law of kind {show(fit.law)}"
        _unknown("quantity", (*path, "quantity"), fit.quantity, known, complaints, of)
    needs = law.takes_level(fit.quantity)
    if needs != (fit.level is not None):
        of = f"quantity = {show(fit.quantity)}" if fit.law == "power" else f"law = {show(fit.law)}"
        complaints.add((*path, "level"), f"must {'' if needs else 'not '}be given for {of}")
    if law.takes_second != (fit.second is not None):
        complaints.add(
            (*path, "second"), f"must {'' if law.takes_second else 'not '}be given for law = {show(fit.law)}"
        )
    if fit.exponent is not None and not law.takes_exponent:
        complaints.add((*path, "exponent"), f"must not be given for law = {show(fit.law)}")
    for key, allowed in (("log", law.takes_log), ("together", law.takes_second)):
        if getattr(fit, key) and not allowed:
            complaints.add((*path, key), f"must be false for law = {show(fit.law)}")


def _unknown(what: str, path: KeyPath, word: str, known: Iterable[str], complaints: Complaints, of: str = "") -> None:
    complaints.add(path, unknown(f"{what} {show(word)}{of}", word, known))


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
    tables |= {"problem": builder.constants or {}, "grid": builder.grid.to_table()}
    tables |= {"digests": dict(digests)} if digests else {}
    tables["fits"] = {name: fit.model_dump(exclude_none=True) for name, fit in fits.items()}
    return {name: tables[name] for name in Document.model_fields if name in tables}


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
        fits={name: Fit(**fit) for name, fit in resolved["fits"].items()},
        figures=tuple(report["figures"]),
        against=tuple(Fit(point["quantity"], point["axis"], point.get("level")) for point in report["against"]),
        resolved=resolved,
        file=file,
    )
