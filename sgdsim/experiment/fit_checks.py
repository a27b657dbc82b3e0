"""Complaints about fits and points of what the cells of an experiment do not have."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sgdsim.analysis.dataset import DEVIATIONS
from sgdsim.experiment.cells import Cell, CellBuilder, asks_for_none
from sgdsim.experiment.complaints import Complaints
from sgdsim.experiment.locate import KeyPath
from sgdsim.experiment.schema import AgainstSection, FitSection
from sgdsim.experiment.wording import show, unknown
from sgdsim.laws.catalogue import LAWS
from sgdsim.laws.quantities import Fit, scalars


def check_fits(fits: Mapping[str, Any], builder: CellBuilder, cells: Sequence[Cell]) -> None:
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
            complain_unknown("axis of the grid", (*path, "along"), fit.along, builder.grid.paths, builder.complaints)
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


def check_points(points: Sequence[AgainstSection | None], builder: CellBuilder) -> None:
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
        complain_unknown("parameter", path, name, builder.parameters, builder.complaints)


def _check_keys(fit: Any, path: KeyPath, names: list[str], complaints: Complaints) -> None:
    """Complains about keys of one fit that do not fit together."""
    law = LAWS[fit.law]
    known = law.quantities(names)
    if fit.quantity not in known:
        of = "" if fit.law == "power" else f" of a law of kind {show(fit.law)}"
        complain_unknown("quantity", (*path, "quantity"), fit.quantity, known, complaints, of)
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


def complain_unknown(
    what: str, path: KeyPath, word: str, known: Iterable[str], complaints: Complaints, of: str = ""
) -> None:
    """A complaint about a word that is none of those known, with the closest of them."""
    complaints.add(path, unknown(f"{what} {show(word)}{of}", word, known))
