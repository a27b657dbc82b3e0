"""From the grid to cells: one problem each, checked against its start, theory, simulator and save times."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel

from sgdsim.contracts import Problem, Scalar, Simulator, Start, System, Theory
from sgdsim.ensemble.parts import check_problem
from sgdsim.errors import ArgumentError
from sgdsim.experiment.complaints import Complaints
from sgdsim.experiment.grid import Grid, Home
from sgdsim.experiment.locate import KeyPath
from sgdsim.experiment.schema import Table, check_table

MAX_STEPS = 2**53
"""Beyond this, the number of a step is not exact in float64."""


@dataclass(frozen=True)
class Cell:
    """One problem of an experiment, with all that is needed to simulate it.

    - `index`: position in the grid, which the random numbers depend on.
    - `asked`: save times as in the table [times], the same in all cells.
    - `times`: those of the cell, `asked` or divided by its parameter `times.per`; realised in whole numbers of steps.
    - `theory`: None also where the experiment asks for one and this problem has none.
    - `simulator`: None where the theory is solved alone.
    - `axes`: the cell's coordinates in the grid.
    """

    index: int
    problem: Problem
    start: Start
    theory: Theory | None
    simulator: Simulator | None
    asked: Float[np.ndarray, " times"]
    times: Float[np.ndarray, " times"]
    axes: dict[str, Scalar]


@dataclass
class CellBuilder:
    """Builds the cells of a grid. What is wrong with any of them becomes a complaint, and then it is left out.

    - `homes`: the tables [problem] and, of a system that has them, [rule], [data] and [student], as written.
    - `sections`: "start", "theory", "simulator" and "times", None where the table is wrong.
    - `constants`: the keys of each home that are the same in all cells, defaults included; known after `build`, and
      without those beside [problem] of which nothing is said.
    - `parameters`: the names of the numbers among the parameters of a cell; known after `build`.
    """

    system: System
    homes: Sequence[Home]
    grid: Grid
    sections: Mapping[str, Any]
    complaints: Complaints
    constants: dict[str, Table] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()

    def build(self) -> list[Cell]:
        """The cells, in the order of the grid.

        A theory that exists for some of them only is left out of the others; one that exists for none is a mistake.
        """
        parts = {name: self._part(name) for name in self.sections}
        # The rest of the problem is checked all the same, with an example in the place of the axis that is wrong: all
        # mistakes are told at once.
        if self.grid.broken:
            axes = self._stand_in() | next(self.grid.points())
            for home in self._spoken():
                self._section(home, axes)
            return []
        self.complaints.n_cells = len(self.grid)
        points = [(axes, self._problem(axes)) for axes in self.grid.points()]
        theory = parts["theory"]
        alone = asks_for_none(self.sections["simulator"])
        if alone and asks_for_none(self.sections["theory"]):
            self.complaints.add(("theory", "kind"), 'must not be "none" where nothing is simulated')
        # Asked of the cells together: only then is a theory that exists for none a mistake, and one for some a
        # choice.
        holds = [theory is not None and problem is not None and theory.exists(problem) for _, problem in points]
        somewhere = any(holds)
        cells = []
        for index, (axes, problem) in enumerate(points):
            if problem is None:
                continue
            self.parameters = self.parameters or _numbers(problem)
            own: dict[str, Any] = parts | {"times": self._times(problem, parts["times"], axes)}
            own["theory"] = theory if holds[index] or alone or not somewhere else None
            self._check(problem, own, axes)
            if alone and parts["start"] is not None and parts["start"].per_replica:
                self.complaints.add(("start", "per_replica"), "must be false where nothing is simulated")
            if not self.complaints:
                cells.append(Cell(index=index, problem=problem, asked=parts["times"], axes=axes, **own))
        return cells

    def _times(self, problem: Problem, times: Any, axes: dict[str, Scalar]) -> Any:
        """The save times of a cell: those of the table, divided by the parameter that it names, if any."""
        per = None if times is None else self.sections["times"].per
        if times is None or per is None:
            return times
        unit = problem.parameters().get(per)
        if isinstance(unit, int | float) and unit > 0:
            return times / unit
        with self._blaming("times", axes):
            known = ", ".join(_numbers(problem))
            raise ArgumentError("per", "be a parameter > 0 of every cell", per, f"There are {known}.")
        return None

    def _part(self, name: str) -> Any:
        """What a section builds: the start, theory, simulator or save times."""
        section = self.sections[name]
        if section is not None:
            with self._blaming(name):
                return section.build()
        return None

    def _problem(self, axes: dict[str, Scalar]) -> Any:
        """The problem at one point of the grid."""
        sections: dict[str, Any] = {home.name: self._section(home, axes) for home in self._spoken()}
        if any(section is None for section in sections.values()):
            return None
        built = None
        with self._blaming("problem", axes):
            problem = sections.pop("problem").build()
            check_problem(problem)
            built = problem
        for name, section in sections.items():
            problem, built = built, None
            if problem is not None:
                with self._blaming(name, axes):
                    built = section.apply(problem)
        return built

    def _spoken(self) -> list[Home]:
        """The homes that something is said of: [problem], and others where the file has a key or an axis of them."""
        problem, *others = self.homes
        axes = {*self.grid.paths, *self.grid.broken}
        return [problem, *(home for home in others if home.fixed or axes & home.section.model_fields.keys())]

    def _section(self, home: Home, axes: dict[str, Scalar]) -> BaseModel | None:
        """The section of a home at one point of the grid; axes that no home knows are complained of elsewhere."""
        own = {key: value for key, value in axes.items() if key in home.section.model_fields}
        section = check_table(home.section, {**home.fixed, **own}, (home.name,), self.complaints, axes=self.grid.paths)
        if section is not None:
            values = section.model_dump(exclude_none=True, exclude=set(self.grid.paths))
            known = self.constants.get(home.name, values)
            # What differs between cells follows from an axis: it is no constant of the experiment.
            self.constants[home.name] = {key: value for key, value in known.items() if values.get(key) == value}
        return section

    def _stand_in(self) -> dict[str, Any]:
        """Values for axes that could not be read, so that their keys are not called missing."""
        fields = {key: field for home in self.homes for key, field in home.section.model_fields.items()}
        return {key: shown[0] for key in self.grid.broken if key in fields and (shown := fields[key].examples)}

    def _check(self, problem: Problem, parts: Mapping[str, Any], axes: dict[str, Scalar]) -> None:
        """Complains where a part that could be built does not take this problem."""
        for name in ("simulator", "theory", "start"):
            if parts[name] is not None:
                with self._blaming(name, axes):
                    parts[name].check(problem)
        if parts["theory"] is not None and parts["start"] is not None:
            with self._blaming("theory", axes):
                parts["theory"].check_start(problem, parts["start"])
        times = parts["times"]
        if times is not None:
            with self._blaming("times", axes):
                _check_steps(problem, times)

    @contextmanager
    def _blaming(self, stage: str, axes: Mapping[str, Scalar] | None = None) -> Iterator[None]:
        """Turns an ArgumentError into a complaint."""
        try:
            yield
        except ArgumentError as error:
            self.complaints.add_argument(self._path(stage, error.argument), error, axes or {})

    def _path(self, stage: str, argument: str) -> KeyPath:
        """The key to blame for an argument: itself, an axis, or those it was computed from; else the table in hand."""
        section = self.sections.get(stage)
        if section is not None and argument in type(section).model_fields:
            return (stage, argument)
        derived = [getattr(home.section, "derived", {}).get(argument, ()) for home in self.homes]
        candidates = (argument, *(key for keys in derived for key in keys))
        written: dict[str, KeyPath] = {key: (home.name, key) for home in self.homes for key in home.fixed}
        for places in (self.grid.paths, written):
            for key in candidates:
                if key in places:
                    return places[key]
        for home in self.homes:
            if argument in home.section.model_fields:
                return (home.name, argument)
        return (stage, "kind") if hasattr(section, "kind") else (stage,)


def asks_for_none(section: Any) -> bool:
    """Whether a section (theory, simulator) asks for none; what it cannot build is complained of elsewhere."""
    try:
        return section is not None and section.build() is None
    except ArgumentError:
        return False


def _numbers(problem: Problem) -> tuple[str, ...]:
    return tuple(name for name, value in problem.parameters().items() if not isinstance(value, str))


def _check_steps(problem: Problem, times: Float[np.ndarray, " times"]) -> None:
    """Raises unless the last save time is at least one step, and a number of steps that can be counted."""
    final, dt = float(times[-1]), problem.dt
    if final / dt <= 0.5:  # rounds to no step
        raise ArgumentError("final", f"be at least one step, dt = {dt:g}", final)
    if final / dt > MAX_STEPS:
        raise ArgumentError("final", f"be at most 2**53 steps of dt = {dt:g}", final)
