"""What sgdsim raises and warns of: two exceptions and a warning, whose messages name the cause and the remedy.

No message holds a character that a terminal would obey, whatever it quotes.
"""

import pickle
from typing import Any

from sgdsim.printable import printable, shorten

_LONGEST = 1000
"""Characters of a value in a message at most."""


class ArgumentError(ValueError):
    """A value that the physics or the numerics cannot take: "Argument `x` must ..., but got ...".

    `argument` names the offending argument, so that an experiment file can blame the key it came from.
    """

    def __init__(self, argument: str, must: str, got: object, remedy: str = "") -> None:
        self.argument = argument
        self.must = must
        self.got = got
        self.remedy = remedy
        hint = f" {remedy}" if remedy else ""
        super().__init__(printable(f"Argument `{argument}` must {must}, but got {_shown(got)}.{hint}"))

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process, to which `got` may have no way: then it is sent as it is shown."""
        got = self.got
        try:
            pickle.dumps(got)
        except Exception:  # pickle raises whatever the object does
            got = _Written(_shown(got))
        return type(self), (self.argument, self.must, got, self.remedy)


class _Written:
    """Stands for an object by how it is written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


class CautionWarning(UserWarning):
    """What a user should know of a problem that is simulated from Python; `sgdsim plan` and `run` print the same.

    `warnings.simplefilter("ignore", sgdsim.CautionWarning)` silences it, "error" makes an exception of it.
    """


class ExperimentError(Exception):
    """Everything that is wrong with an experiment file or a run directory, one finished line for each problem."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = [printable(problem) for problem in problems]
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process: the lines, of which the message alone would make letters."""
        return type(self), (self.problems,)


def unwritable(error: Exception) -> str:
    """What could not be read or written, and why, in a line."""
    if isinstance(error, OSError):
        # Of a file that is renamed the second name is the one that a reader knows.
        name = error.filename2 or error.filename or "a file of the run"
        return f"{name}: cannot be read or written ({error.strerror or error})"
    return str(error)


def _shown(got: object) -> str:
    """A value in one line, as Python writes it."""
    try:
        text = repr(got)
    except ValueError:  # Python writes out no integer of more than some thousand digits
        return f"{type(got).__name__} of very many digits"
    return shorten(" ".join(text.split()) if "\n" in text else text, _LONGEST)
