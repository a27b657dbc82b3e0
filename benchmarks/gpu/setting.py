"""What a section is told, and how it copes with what cannot be measured."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import jax

from sgdsim.errors import ArgumentError

T = TypeVar("T")


class NoGpu(Exception):
    """JAX finds no GPU."""


@dataclass(frozen=True)
class Missing:
    """Stands for a number that could not be had."""

    why: str


@dataclass(frozen=True)
class Setting:
    """How a section is to be run.

    - `small`: at tiny sizes, on a CPU.
    - `ends`: the time of the monotonic clock when the section has to be over.
    - `troubles`: filled with what failed or came out wrong.
    """

    small: bool
    ends: float
    troubles: list[str] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.ends - time.monotonic()

    def need_gpu(self) -> None:
        """**Raises:** NoGpu where there is none, and the section is not run small."""
        if not self.small and jax.default_backend() != "gpu":
            raise NoGpu(f"No GPU: JAX runs on {jax.default_backend()} here. Use --cpu to try this at tiny sizes.")

    def attempt(self, measure: Callable[[], T], seconds: float = 5.0) -> T | Missing:
        """A measurement that takes about so many `seconds`, or why there is none; it does not take others along."""
        if not self.small and self.left < seconds:
            return Missing("no time left")
        try:
            return measure()
        except NoGpu:
            raise
        except Exception as error:
            if "RESOURCE_EXHAUSTED" in str(error):
                return Missing("does not fit")
            if self.small and isinstance(error, ArgumentError):
                # A form that only a GPU, or only a machine with a compiler, can have.
                return Missing(f"not here: {error}")
            text = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
            self.troubles.append(text)
            return Missing(f"failed ({text})")

    def check(self, what: str, good: bool) -> str:
        """A verdict, which is kept where it is bad."""
        if not good:
            self.troubles.append(what)
        return "yes" if good else "**no**"


def shown(value: object, form: str = ".3g") -> str:
    """A cell of a table: a number, a text, why there is none, or nothing."""
    if isinstance(value, Missing):
        return value.why
    if value is None:
        return ""
    return value if isinstance(value, str) else format(value, form)


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """A table in Markdown, line by line as its rows come."""
    names = list(head)
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(map(shown, row))} |"
    yield ""
