"""The tables of an experiment file that all systems share, and the check of a table against its section."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeVar, get_args

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, Field, RootModel, ValidationError, model_validator
from pydantic_core import ErrorDetails

from sgdsim.ensemble.section import Section
from sgdsim.ensemble.times import linear_times, log_times
from sgdsim.errors import ArgumentError
from sgdsim.experiment.complaints import Complaints
from sgdsim.experiment.locate import KeyPath
from sgdsim.experiment.wording import closest, must, remedy, show, unknown

AnySection = TypeVar("AnySection", bound=BaseModel)
Table = dict[str, Any]

MANY, FEW = 10_000, 100
"""Of more mistakes in a table than `MANY`, those in the first `FEW` entries of its lists are told."""

MISSING, UNKNOWN, LITERAL = "missing", "extra_forbidden", "literal_error"
"""pydantic's types of error about keys, and one of those about values."""


class Document(Section):
    """The whole file. What is inside its tables is checked by their own sections.

    The tables behind [problem] are those of `source.FURTHER`, which some systems have.
    """

    title: str = ""
    system: str = Field(examples=["committee"])
    problem: Table
    rule: Table = Field(default={})
    data: Table = Field(default={})
    student: Table = Field(default={})
    grid: Table = Field(default={})
    digests: dict[str, str] = Field(default={})
    start: Table
    times: Table
    theory: Table = Field(default={})
    simulator: Table = Field(default={})
    ensemble: Table
    fits: Table = Field(default={})
    report: Table = Field(default={})
    quick: Table = Field(default={})


class TimesSection(Section):
    """[times]: where the observables are recorded; with `start`, at t = 0 too, before the `count` times.

    `per` names a parameter by which the times of each cell are divided: t = final/gamma for per = "gamma".
    """

    words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("T", "t_max", "tmax", "t_final", "t_end", "time", "end", "stop", "horizon"), "`final`"),
        **dict.fromkeys(("steps", "n_steps", "iterations", "epochs"), "`final`, steps times dt"),
        **dict.fromkeys(("n", "N", "num", "points", "n_times", "saves"), "`count`"),
        **dict.fromkeys(("start", "t_min", "tmin", "t0", "begin"), "`first`"),
        **dict.fromkeys(("scale", "grid"), "`spacing`"),
    }

    final: float = Field(gt=0, le=1e100, examples=[5.0])
    count: int = Field(ge=1, le=100_000, examples=[50])
    spacing: Literal["linear", "log"] = "linear"
    first: float | None = Field(default=None, gt=0)
    start: bool = False
    per: str | None = Field(default=None, examples=["gamma"])

    @model_validator(mode="after")
    def _fill(self) -> "TimesSection":
        if self.spacing == "log" and self.first is None:
            self.first = self.final / 1000
        return self

    def build(self) -> Float[np.ndarray, " times"]:
        """The save times. **Raises:** ArgumentError where `first` does not fit."""
        return np.concatenate([[0.0] * self.start, self._later()])

    def _later(self) -> Float[np.ndarray, " count"]:
        if self.spacing == "log":
            return log_times(self.final, self.count, self.first)
        if self.first is not None:
            raise ArgumentError("first", 'be left out unless spacing = "log"', self.first)
        return linear_times(self.final, self.count)


class EnsembleSection(Section):
    """[ensemble]: how many replicas, and how they are split. `batch` and `block` are chosen where left out."""

    words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("runs", "n_runs", "trials", "repeats", "samples", "seeds", "realisations"), "`replicas`"),
        **dict.fromkeys(("random_seed", "rng", "random_state"), "`seed`"),
        "batch_size": "`batch`, replicas at once, or in [problem] `batch`, samples of a step",
    }

    replicas: int = Field(ge=1, le=10**12, examples=[512])
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    batch: int | None = Field(default=None, ge=1, le=10**12)
    block: int | None = Field(default=None, ge=1, le=10**12)


COMMON_FIGURES = (
    *("scaling", "trajectories", "risk", "bias", "threshold", "threshold_start", "stability", "against"),
    "finite_size",
)
"""Figures that runs of any system can have; the others belong to one, see `System.figures`."""


class ReportSection(Section):
    """[report]: what is drawn.

    With `samples`, risks are drawn against the samples used (per dimension, of a system with a dimension d), with
    `steps` against steps, and with both side by side, in place of t.
    """

    figures: list[str] = Field(default=["trajectories"])
    samples: bool = False
    steps: bool = False
    against: Any = Field(default=[])


class AgainstSection(Section):
    """[[report.against]]: one panel of the figure "against", a quantity of the cells over a parameter, without a law.

    The quantities are those of a power law; `level` belongs to the same ones.
    """

    quantity: str = Field(examples=["samples_to_level"])
    axis: str = Field(examples=["batch"])
    level: float | None = Field(default=None, gt=0)


def check_table(
    section: type[AnySection],
    table: object,
    path: KeyPath,
    complaints: Complaints,
    *,
    axes: Mapping[str, KeyPath] | None = None,
) -> AnySection | None:
    """The table as a section, or None with a complaint for each mistake.

    Of a section with variants (a pydantic union by `kind`), it is the variant. `axes` says which keys came from
    elsewhere, and from where.
    """
    chosen = _variant(section, table, path, complaints)
    if chosen is None:
        return None
    try:
        return chosen.model_validate(table)
    except ValidationError as error:
        mistakes = _mistakes(error, chosen, table)
        if not mistakes:
            complaints.add(path, f"has {error.error_count()} mistakes, all behind the first {FEW} entries of its lists")
        # A misspelt key is told once: that the right one is missing follows from it.
        slips = {key for mistake in mistakes if mistake["type"] == UNKNOWN for key in _meant(_key(mistake), chosen)}
        for mistake in mistakes:
            if complaints.full:
                break
            if mistake["type"] != MISSING or _key(mistake) not in slips:
                place = (axes or {}).get(_key(mistake), (*path, *mistake["loc"]))
                _complain(chosen, mistake, place, complaints)
    return None


def _mistakes(error: ValidationError, section: type[BaseModel], table: object) -> list[ErrorDetails]:
    """What is wrong, in pydantic's words; of very long lists that which is wrong with their first entries, if any is.

    Each takes a kilobyte, so that a list of a million words in the place of numbers would take a gigabyte.
    """
    if error.error_count() <= MANY:
        return error.errors(include_url=False)
    try:
        section.model_validate(_first_entries(table))
    except ValidationError as some:
        return some.errors(include_url=False)
    return []


def _first_entries(value: object) -> object:
    """The value, with the first of the entries of every list in it."""
    if isinstance(value, dict):
        return {key: _first_entries(inner) for key, inner in value.items()}
    return [_first_entries(inner) for inner in value[:FEW]] if isinstance(value, list) else value


def _key(mistake: ErrorDetails) -> str:
    """The key that pydantic blames; empty for the table itself."""
    return str(next(iter(mistake["loc"]), ""))


def variants(section: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The variants of a section by their `kind`, if it has any."""
    if not issubclass(section, RootModel):
        return {}
    choices = get_args(section.model_fields["root"].annotation)
    return {get_args(choice.model_fields["kind"].annotation)[0]: choice for choice in choices}


def _variant(section: type[AnySection], table: object, path: KeyPath, complaints: Complaints) -> type[Any] | None:
    """The section itself, or its variant that the table's `kind` names."""
    known = variants(section)
    if not known or not isinstance(table, dict):
        return section
    kind = table.get("kind")
    if kind is None:
        complaints.add((*path, "kind"), f"missing; choose one of {', '.join(map(show, known))}")
    # A list as `kind` could not be looked up in a dict.
    elif not isinstance(kind, str):
        complaints.add((*path, "kind"), "must be a string", got=show(kind))
    elif kind not in known:
        complaints.add((*path, "kind"), unknown(f"kind {show(kind)}", kind, known))
    return known.get(kind) if isinstance(kind, str) else None


def _complain(section: type[BaseModel], mistake: ErrorDetails, path: KeyPath, complaints: Complaints) -> None:
    """One of pydantic's mistakes, in our words."""
    kind, value, context = mistake["type"], mistake["input"], mistake.get("ctx", {})
    key = str(path[-1])
    if kind == MISSING:
        complaints.add(path, f"missing; add {_example(section, key)}")
    elif kind == UNKNOWN:
        text = unknown(
            "table" if isinstance(value, dict) else "key", key, section.model_fields, hint(path, section, complaints)
        )
        complaints.add(path, text)
    else:
        otherwise = getattr(section, "otherwise", {}).get(key, "") if kind == LITERAL else ""
        complaints.add(path, must(kind, context), got=show(value), remedy=remedy(kind, context, value) or otherwise)


def hint(path: KeyPath, section: type[BaseModel], complaints: Complaints) -> str:
    """What an unknown key stands for, where that is known: for a word of the field, or for a key of another table."""
    key = str(path[-1])
    if phrase := _phrase(key, section):
        return f"did you mean {phrase}?"
    homes = [f"[{table}]" for table, keys in complaints.homes.items() if key in keys and table != path[0]]
    return f"it is a key of {' and '.join(homes)}" if homes else ""


def _meant(key: str, section: type[BaseModel]) -> set[str]:
    """The keys of a section that an unknown key may stand for."""
    return {*re.findall(r"`(\w+)`", _phrase(key, section)), *filter(None, [closest(key, section.model_fields)])}


def _phrase(key: str, section: type[BaseModel]) -> str:
    words = getattr(section, "words", {})
    return words.get(key) or words.get(key.lower().replace("-", "_"), "")


def _example(section: type[BaseModel], key: str) -> str:
    field = section.model_fields[key]
    if field.annotation == Table:
        return f"a table [{key}]"
    return f"it, e.g. `{key} = {show(field.examples[0])}`" if field.examples else "it"
