"""The contract of a law that can be fitted, and what all of them share."""

import abc
import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

import xarray as xr
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sgdsim.analysis.goodness import in_words
from sgdsim.ensemble.section import Section
from sgdsim.errors import ArgumentError
from sgdsim.laws.text import Statement, Table, Words

if TYPE_CHECKING:  # the contracts need JAX, which those that read a law's results do not pay for
    from sgdsim.contracts import Problem, System

Missing = tuple[str, str, str]
"""A key of a fit, what is wrong with it, and a line that mends it."""
FEW = 12
"""Laws of one kind that are said at the top of a page; more are in their table alone."""


def known(value: object) -> object:
    """None for a number that is not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


Finite = Annotated[float | None, BeforeValidator(known)]
"""A number, None where there is none: JSON holds no NaN."""


def number(value: float | None) -> float:
    """A stored number for arithmetic: NaN where there is none, which is drawn nowhere."""
    return math.nan if value is None else value


Rows = Sequence[Sequence[Finite]]
"""Points, a row each."""


class Record(BaseModel, frozen=True):
    """What is stored in summary.json: known fields only, which do not change."""

    model_config = ConfigDict(strict=False, extra="forbid")


class Fit(BaseModel, frozen=True):
    """[fits.NAME]: a law of one `quantity` of the cells as a function of the parameter `against`.

    `along` names the axis of the grid that the law runs along, where several change `against`, and `where` the values
    of axes to which it is kept, each with a law of its own: { degree = [1, 3] }. Each law has a class of its own with
    the keys that it takes besides.
    """

    model_config = Section.model_config

    law: str
    quantity: str = Field(examples=["sup_deviation"])
    against: str = "dt"
    along: str | None = Field(default=None, examples=["d"])
    where: dict[str, list[int | float | str]] | None = Field(default=None, examples=[{"degree": [1, 3]}])

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the cells that it is a function of, by the keys that name them."""
        return {"against": self.against}

    @property
    def undivided(self) -> bool:
        """Whether one law holds for all cells, not one for every combination of the other axes."""
        return False


class PairFit(Fit, frozen=True):
    """A law in two parameters, `against` and `second`; with `together` one holds for all cells."""

    second: str = Field(examples=["inverse_N"])
    together: bool = False

    @property
    def parameters(self) -> dict[str, str]:
        """Those of both terms, by their keys."""
        return {"against": self.against, "second": self.second}

    @property
    def undivided(self) -> bool:
        """As it was asked for."""
        return self.together


class Fitted(Fit, Record, frozen=True):
    """What every fit puts into the summary beside its keys, which are its fields too.

    - `cells`: indices of the cells that it runs over.
    - `points`: what was fitted, a row for each of them; which columns there are is the law's.
    - `problem`: why there is no fit; then the fitted numbers are None.
    """

    cells: Sequence[int] = ()
    points: Rows = ()
    problem: str | None = None

    def __str__(self) -> str:
        # Here and not above: the catalogue of laws is made of files that import this one.
        from sgdsim.laws.catalogue import headline

        return headline(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


class Judged(Record, frozen=True):
    """How well a law holds, see `sgdsim.analysis.goodness.judged`; None without errors of the points."""

    chi2: Finite = None
    dof: int | None = None
    p_value: Finite = None
    widening: Finite = None


@dataclass(frozen=True)
class Members:
    """The cells that one law runs over: their problems, and their results in the same order."""

    system: "System"
    problems: "Sequence[Problem]"
    cells: Sequence[xr.Dataset]

    def x(self, fit: Fit) -> list[float]:
        """The abscissa of every cell."""
        return self.column(fit.against)

    def column(self, parameter: str) -> list[float]:
        """A parameter of every cell."""
        return [float(problem.parameters()[parameter]) for problem in self.problems]


Keys = TypeVar("Keys", bound=Fit)
Found = TypeVar("Found", bound=Fitted)


class Law(abc.ABC, Generic[Keys, Found]):
    """A law that can be fitted: its keys, how it is fitted, what it puts into the summary, and how it is told.

    `Keys` is a `Fit` with the law's name as the default of `law`; `Found` has the same fields and the fitted numbers.
    Fitting may use the system; what tells of a fit knows its entry in the summary only, and how a quantity is called.
    """

    keys: ClassVar[type[Any]]
    """The class `Keys`."""
    found: ClassVar[type[Any]]
    """The class `Found`."""
    number: ClassVar[str]
    """The field of `Found` that the law is fitted for: None where no fit could be made."""
    compares: ClassVar[bool] = False
    """Whether it holds a simulation against theory, and so needs both."""
    reach: ClassVar[str] = ""
    """The key that asks theory for a curve beyond the cells, of a law that has one."""
    expects: ClassVar[Any] = None
    """The Protocol of what a system may expect of such a law, see `System.expectations`; None where it has none."""
    said: ClassVar[float] = FEW
    """Laws of this kind are said at the top of a page where they are no more than so many."""
    columns: ClassVar[tuple[str, ...]] = ()
    """Headings of its table on a page, the first of which is that of the fit's name."""

    @property
    def name(self) -> str:
        """What it is called in an experiment file."""
        return self.keys.model_fields["law"].default

    @abc.abstractmethod
    def quantities(self, names: Sequence[str]) -> tuple[str, ...]:
        """The quantities it takes, of a system with these scalar observables."""

    def mistakes(self, fit: Keys) -> Iterable[tuple[str, str]]:
        """Keys that do not fit together, each with what it must be."""
        return ()

    def misses(self, fit: Keys, columns: Mapping[str, Sequence[float]]) -> Missing | None:
        """What it cannot do without, and the parameters of the cells, `columns`, do not give."""
        return None

    def reaches(self, fit: Keys) -> int | None:
        """The largest value of the second parameter at which theory is asked, for a curve beside the points."""
        return getattr(fit, self.reach) if self.reach else None

    def expectation(self, system: "System") -> Any:
        """What the theory of a system expects of the law, with the methods of `expects`; None without an expectation.

        **Raises:** ArgumentError where what the system has under the law's name lacks one of these methods.
        """
        # A Protocol at run time sees names of methods, not what they take: more than that is for a type checker.
        found = system.expectations.get(self.name)
        if found is not None and (self.expects is None or not isinstance(found, self.expects)):
            argument = f"System.expectations[{self.name!r}] of {system.name}"
            must = "be left out" if self.expects is None else f"have the methods of {self.expects.__name__}"
            raise ArgumentError(argument, must, type(found).__name__, f"See {type(self).__module__}.")
        return found

    @abc.abstractmethod
    def fit(self, fit: Keys, members: Members) -> Found:
        """The fit as the summary holds it, without the indices of its cells."""

    @abc.abstractmethod
    def headline(self, found: Found) -> str:
        """A fit that could be made, in one line of text."""

    @abc.abstractmethod
    def statement(self, found: Found, words: Words) -> Statement:
        """A fit that could be made, as it is said at the top of a page."""

    @abc.abstractmethod
    def row(self, name: str, found: Found, words: Words) -> tuple[str, ...]:
        """A fit that could be made, in the table of its kind: a cell for each of `columns`."""

    def table(self, fits: Mapping[str, Found], words: Words) -> Table:
        """The fits of this kind that could be made, by name."""
        return Table(self.columns, tuple(self.row(name, found, words) for name, found in fits.items()))

    @abc.abstractmethod
    def notes(self, fits: Mapping[str, Found]) -> list[str]:
        """Sentences below the table, the first about its errors."""


def numbers(law: Any) -> dict[str, Any]:
    """The fields of a fitted law, none without one."""
    return {} if law is None else dataclasses.asdict(law)


def judgement(found: Judged) -> str:
    """chi2 in words; where the law does not hold, that too, and what was done to its errors; empty without a chi2."""
    if found.chi2 is None or found.dof is None:
        return ""
    return in_words(found.chi2, found.dof, found.widening or 1.0)


def reason(error: ArgumentError) -> str:
    """What was wrong with the data, as the `problem` of a fit."""
    return f"no fit: `{error.argument}` must {error.must}"


def attempt(fit: Callable[[], Any]) -> tuple[Any, str | None]:
    """The law, or why there is none."""
    try:
        return fit(), None
    except ArgumentError as error:
        return None, reason(error)
