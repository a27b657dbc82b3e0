"""Complaints about fits and points of what the cells of an experiment do not have."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sgdsim.analysis.names import BIAS, DEVIATIONS, STD
from sgdsim.contracts import Scalar
from sgdsim.errors import ArgumentError
from sgdsim.experiment.cells import Cell, CellBuilder, asks_for_none
from sgdsim.experiment.complaints import Complaints
from sgdsim.experiment.locate import KeyPath
from sgdsim.experiment.schema import AgainstSection
from sgdsim.experiment.wording import show, unknown
from sgdsim.laws.catalogue import DEFAULT, LAWS, fit_of
from sgdsim.laws.law import Fit, Law
from sgdsim.laws.power import PowerFit


def check_fits(fits: Mapping[str, Any], builder: CellBuilder, cells: Sequence[Cell]) -> None:
    """Complains about fits of what the cells do not have; `fits` are tables with the keys of any law."""
    # Of our own laws: those of packages are not imported for a word in a complaint.
    curves = {law.reach for law in LAWS.own.values()}
    for name, table in fits.items():
        path = ("fits", name)
        if not re.fullmatch(r"[\w-]+", name):
            builder.complaints.add(path, "must be named by letters, digits, _ and - only")
        if table is None:
            continue
        law = LAWS[table.law]
        _check_expectation(law, path, builder)
        _check_quantity(law, table, path, builder)
        _check_comparison(path, "law" if law.compares else "quantity", table, law.compares, builder)
        _check_parameter((*path, "against"), table.against, builder)
        if table.along is not None and table.along not in builder.grid.paths:
            complain_unknown("axis of the grid", (*path, "along"), table.along, builder.grid.paths, builder.complaints)
        _check_where(table.where or {}, (*path, "where"), builder)
        strange = list(_strange_keys(law, table))
        for key, text in strange:
            builder.complaints.add((*path, key), text, remedy="remove it" if key in curves else "")
        if not strange:
            _check_own(law, fit_of(table), path, builder, cells)


def _check_where(where: Mapping[str, Sequence[Scalar]], path: KeyPath, builder: CellBuilder) -> None:
    """Complains about values to which a law is kept that no cell has."""
    axes = {key: values for factor in builder.grid.factors for key, values in factor.items()}
    for key, values in where.items():
        strange = [value for value in values if value not in axes.get(key, values)]
        if key not in builder.grid.paths:
            complain_unknown("axis of the grid", path, key, builder.grid.paths, builder.complaints)
        elif strange or not values:
            text = f"must hold values of the axis {show(key)}"
            builder.complaints.add(path, text, got=show(list(values)), remedy=f"there are {show(axes[key])}")


def _check_expectation(law: Law[Any, Any], path: KeyPath, builder: CellBuilder) -> None:
    """Complains about a system, of a package, that does not expect of a law what the law can compare with."""
    try:
        law.expectation(builder.system)
    except ArgumentError as error:
        builder.complaints.add_argument((*path, "law"), error, {})


def _strange_keys(law: Law[Any, Any], table: Any) -> Iterator[tuple[str, str]]:
    """Keys that the law does not take, or cannot do without, each with what it must be."""
    for key in type(table).model_fields:
        value, own = getattr(table, key), law.keys.model_fields.get(key)
        if own is None and value is True:
            yield key, f"must be false for law = {show(law.name)}"
        elif own is None and value not in (None, False):
            yield key, f"must not be given for law = {show(law.name)}"
        elif own is not None and own.is_required() and value is None:
            yield key, f"must be given for law = {show(law.name)}"


def _check_own(law: Law[Any, Any], fit: Fit, path: KeyPath, builder: CellBuilder, cells: Sequence[Cell]) -> None:
    """Complains about a fit by what its own law asks for."""
    for key, text in law.mistakes(fit):
        builder.complaints.add((*path, key), text)
    for key, name in fit.parameters.items():
        _check_parameter((*path, key), name, builder)
    rows = [cell.problem.parameters() for cell in cells]
    # A parameter that there is not has its own complaint.
    named = [name for name in fit.parameters.values() if name in builder.parameters]
    missing = law.misses(fit, {name: [float(row[name]) for row in rows] for name in named})
    if missing is not None:
        key, text, remedy = missing
        builder.complaints.add((*path, key), text, remedy=f"write e.g. {remedy}")
    elif law.reaches(fit) is not None and cells:
        _check_prediction(fit, (*path, law.reach), builder, cells)


def _check_prediction(fit: Fit, path: KeyPath, builder: CellBuilder, cells: Sequence[Cell]) -> None:
    """Complains about a predicted curve that there is no theory of."""
    prediction, cell = builder.system.prediction, next((cell for cell in cells if cell.theory is not None), None)
    remedy, second = "remove it", fit.parameters.get("second")
    if prediction is None or second != prediction.parameter:
        text = f"must not be given for second = {show(second)}, which theory has no curve against"
    elif cell is None or cell.theory is None:
        text, remedy = "must not be given where there is no theory", "choose a theory.kind"
    else:
        text, remedy = "must not be given here", prediction.lacks(fit.quantity, cell.start, cell.theory)
    if remedy:
        builder.complaints.add(path, text, remedy=remedy)


def check_points(points: Sequence[AgainstSection | None], builder: CellBuilder) -> None:
    """Complains about points [[report.against]] of what the cells do not have."""
    for index, point in enumerate(points):
        if point is not None:
            path = ("report", "against", index)
            law, fit = LAWS[DEFAULT], PowerFit(quantity=point.quantity, level=point.level)
            _check_quantity(law, fit, path, builder)
            for key, text in law.mistakes(fit):
                builder.complaints.add((*path, key), text)
            _check_comparison(path, "quantity", point, False, builder)
            _check_parameter((*path, "axis"), point.axis, builder)


def _check_comparison(path: KeyPath, key: str, asked: Any, compares: bool, builder: CellBuilder) -> None:
    """Complains where a simulation is to be compared with theory and one of the two is not there."""
    for part in ("theory", "simulator"):
        biased, spread = compares or asked.quantity.endswith(BIAS), part == "simulator" and asked.quantity.endswith(STD)
        if asks_for_none(builder.sections[part]) and (biased or spread or asked.quantity in DEVIATIONS):
            text = f"must not be a {'bias' if biased else 'deviation'} where there is no {part}"
            builder.complaints.add((*path, key), text, got=show(getattr(asked, key)), remedy=f"choose a {part}.kind")


def _check_parameter(path: KeyPath, name: str | None, builder: CellBuilder) -> None:
    """Complains about what is no number among the parameters of the cells."""
    if builder.parameters and name is not None and name not in builder.parameters:
        complain_unknown("parameter", path, name, builder.parameters, builder.complaints)


def _check_quantity(law: Law[Any, Any], asked: Any, path: KeyPath, builder: CellBuilder) -> None:
    """Complains about a quantity that the law does not take."""
    known = law.quantities(builder.system.scalars)
    if asked.quantity not in known:
        of = "" if law.name == DEFAULT else f" of a law of kind {show(law.name)}"
        complain_unknown("quantity", (*path, "quantity"), asked.quantity, known, builder.complaints, of)


def complain_unknown(
    what: str, path: KeyPath, word: str, known: Iterable[str], complaints: Complaints, of: str = ""
) -> None:
    """A complaint about a word that is none of those known, with the closest of them."""
    complaints.add(path, unknown(f"{what} {show(word)}{of}", word, known))
