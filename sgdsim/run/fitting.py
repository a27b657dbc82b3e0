"""A law fitted from Python, over the cells of a finished run or over Datasets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import xarray as xr
from pydantic import ValidationError

from sgdsim.contracts import Scalar, System
from sgdsim.errors import ArgumentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.experiment.groups import groups
from sgdsim.experiment.wording import must
from sgdsim.laws.catalogue import LAWS, fit_law, fit_of, section
from sgdsim.laws.law import Fit, Fitted, Members
from sgdsim.run.further import further
from sgdsim.store.curves import Curves
from sgdsim.store.finished import Run, open_run
from sgdsim.systems import load_system

Results = Run | str | PathLike[str] | xr.Dataset | Sequence[xr.Dataset]
"""A finished run, its folder, a Dataset over cells, or those of `simulate`, one for each cell."""


@dataclass(frozen=True)
class _Known:
    """What is known of a problem that is there in numbers alone."""

    values: Mapping[str, Scalar]

    def parameters(self) -> Mapping[str, Scalar]:
        return self.values


@dataclass(frozen=True)
class _Point:
    """A cell as `groups` and `Members` take it; `index` is its place in the grid."""

    index: int
    problem: Any
    axes: Mapping[str, Scalar]
    data: xr.Dataset


def fit(
    results: Results,
    law: str = "power",
    *,
    quantity: str,
    against: str = "dt",
    along: str | None = None,
    where: Mapping[str, Sequence[Scalar]] | None = None,
    **keys: Any,
) -> Fitted:
    """One law of a `quantity` of the cells as a function of the parameter `against`, as [fits.NAME] of a file gives it.

    **Arguments:**

    - `results`: a finished run or its folder; a Dataset over cells, e.g. `run.data`; or several that `simulate`
      returned, each of which is a cell. From a run, the fit says what theory expects too.
    - `law`: "power", "log_power", "threshold", "bias", "onset", "two_term", "power_log", "known",
      "finite_size", or that of an installed package.
    - `quantity`: e.g. "sup_deviation", or a scalar observable at the last time, e.g. "excess_risk".
    - `along`, `where`: the axis of the grid that the law runs along, and the values of others to which it is kept.
    - `keys`: what the law takes besides, e.g. level=1e-3, second="p", together=True.

    **Returns:** the entry that summary.json would hold: the numbers with their errors, chi2, the points, and where no
    fit could be made `problem` instead, which says why. `sgdsim.plot.scaling(run, found)` draws it.

    **Raises:** ArgumentError where an argument does not fit, and where there are several laws, one for every
    combination of other axes: `where` chooses.
    """
    table = {"law": law, "quantity": quantity, "against": against, "along": along, **keys}
    table |= {} if where is None else {"where": {name: list(values) for name, values in where.items()}}
    asked = _checked(table)
    system, cells, experiment = _cells(results)
    _check_names(asked, system, cells)
    chosen = _chosen(asked, cells)
    _check_law(asked, chosen)
    found = fit_law(asked, Members(system, [cell.problem for cell in chosen], [cell.data for cell in chosen]))
    indices = [cell.index for cell in chosen]
    more = {} if experiment is None else further(experiment, asked, indices)
    return found.model_copy(update={"cells": indices} | more)


def _checked(table: dict[str, Any]) -> Fit:
    """The keys of a law, each of its type. **Raises:** ArgumentError."""
    law = table["law"]
    if law not in LAWS:
        raise ArgumentError("law", f"be one of {', '.join(LAWS)}", law)
    known = LAWS[law].keys.model_fields
    for key, field in known.items():
        if field.is_required() and key not in table:
            raise ArgumentError(key, f"be given for the law {law}", None)
    for key in table:
        if key not in known:
            raise ArgumentError(key, f"be left out for the law {law}", table[key], f"It takes {', '.join(known)}.")
    try:
        return fit_of(section(law).model_validate(table))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        words = must(first["type"], first.get("ctx", {})).removeprefix("must ")
        raise ArgumentError(str(first["loc"][0]), words, first["input"]) from None


def _cells(results: Results) -> tuple[System, list[_Point], Any]:
    """The system, the cells, and the experiment where there is one; cells that failed are left out."""
    if isinstance(results, str | PathLike):
        results = open_run(results)
    if isinstance(results, Run):
        experiment = load_experiment(results.folder / "experiment.toml")
        rows = zip(experiment.cells, results.summary.cells, strict=True)
        points = [
            _Point(cell.index, cell.problem, cell.axes, results.data.isel(cell=cell.index))
            for cell, told in rows
            if not told.error
        ]
        return experiment.system, points, experiment
    parts = [results] if isinstance(results, xr.Dataset) else list(results)
    if not parts or not all(isinstance(part, xr.Dataset) for part in parts):
        raise ArgumentError("results", "be a finished run, its folder, or Datasets of simulate", results)
    return *_of_datasets(parts), None


def _of_datasets(parts: Sequence[xr.Dataset]) -> tuple[System, list[_Point]]:
    names = {str(part.attrs.get("system")) for part in parts}
    if len(names) != 1:
        raise ArgumentError("results", "be of one system", sorted(names))
    # What theory expects of a law it says of problems, not of numbers.
    system = replace(load_system(names.pop()), expectations={})
    curves = [Curves.of(part) for part in parts]
    rows = [(row, part.results.isel(cell=cell)) for part in curves for cell, row in enumerate(part.parameters)]
    axes = [name for name in rows[0][0] if len({row.get(name) for row, _ in rows}) > 1]
    return system, [
        _Point(index, _Known(row), {name: row.get(name, "") for name in axes}, data)
        for index, (row, data) in enumerate(rows)
    ]


def _check_names(asked: Fit, system: System, cells: Sequence[_Point]) -> None:
    """**Raises:** ArgumentError for a quantity, a parameter or an axis that the cells do not have, and other keys."""
    quantities, known = LAWS[asked.law].quantities(system.scalars), cells[0].problem.parameters()
    if asked.quantity not in quantities:
        raise ArgumentError("quantity", f"be one of {', '.join(quantities)}", asked.quantity)
    numbers = [name for name, value in known.items() if isinstance(value, int | float)]
    for key, name in asked.parameters.items():
        if name not in numbers:
            raise ArgumentError(key, f"be one of {', '.join(numbers)}", name)
    for key, names in (("along", [asked.along] if asked.along else []), ("where", asked.where or {})):
        for name in names:
            if name not in cells[0].axes:
                raise ArgumentError(key, f"name axes of the grid, {', '.join(cells[0].axes)}", name)
    for key, text in LAWS[asked.law].mistakes(asked):
        raise ArgumentError(key, text.removeprefix("must "), getattr(asked, key))


def _chosen(asked: Fit, cells: Sequence[_Point]) -> list[_Point]:
    """The cells of the one law. **Raises:** ArgumentError where there are none, or several laws."""
    where = asked.where or {}
    kept = [cell for cell in cells if all(cell.axes[axis] in values for axis, values in where.items())]
    if not kept:
        raise ArgumentError("where", "leave some of the cells", dict(where))
    if asked.undivided:
        return kept
    against, *second = asked.parameters.values()
    found = groups(kept, against, *second, along=asked.along, apart=where)
    if len(found) > 1:
        labels = "; ".join(label for label, _ in found)
        raise ArgumentError(
            "where", "single out one law of several", dict(where), f"There is one for each of {labels}."
        )
    return [kept[member] for member in found[0][1]]


def _check_law(asked: Fit, cells: Sequence[_Point]) -> None:
    """**Raises:** ArgumentError where these cells do not give what the law cannot do without."""
    law = LAWS[asked.law]
    rows = [cell.problem.parameters() for cell in cells]
    names = asked.parameters.values()
    if missing := law.misses(asked, {name: [float(row[name]) for row in rows] for name in names}):
        key, text, remedy = missing
        raise ArgumentError(key, text.removeprefix("must "), getattr(asked, key, None), f"Write e.g. {remedy}.")
