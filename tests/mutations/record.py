"""What became of every planted error: results.toml, a line for each, written anew after each."""

import json
import platform
import threading
import tomllib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.mutations.table import FOLDER, Planted

PATH = FOLDER / "results.toml"
HEAD = """\
# What became of the errors of errors/*.toml, written by `make mutate`. `code` stands for the error, the definition that
# it is in and the test that saw it: where these have changed, `make mutate` plants it again.
"""


@dataclass(frozen=True)
class Outcome:
    """`outcome`: caught, survived, timeout, or error, where something else than an assertion failed.

    - `by`: the test that failed first, or what went wrong.
    - `seconds`: how long it took.
    - `code`: the digest of what it holds for.
    """

    outcome: str
    by: str
    seconds: float
    code: str

    def line(self) -> str:
        """An inline table of TOML."""
        fields = ", ".join(f"{name} = {json.dumps(value)}" for name, value in vars(self).items())
        return f"{{ {fields} }}"


class Record:
    """The outcomes by the words of the errors; all that the file holds of errors of the table."""

    def __init__(self, errors: list[Planted], path: Path = PATH) -> None:
        self._path, self._errors, self._lock = path, errors, threading.Lock()
        stored = tomllib.loads(path.read_text()) if path.exists() else {}
        rooms = [room for name, room in stored.items() if name != "versions"]
        self.outcomes = {wrong: Outcome(**fields) for room in rooms for wrong, fields in room.items()}

    def fresh(self, error: Planted) -> bool:
        """Whether it was caught by one of its tests, as the table and the code now are."""
        found = self.outcomes.get(error.wrong)
        if found is None or found.outcome != "caught" or not error.names(found.by):
            return False
        try:
            return found.code == error.digest(found.by)
        except ValueError:  # the test is gone
            return False

    def add(self, error: Planted, answer: dict) -> None:
        """Keeps the outcome, and writes all of them."""
        code = error.digest(answer["by"] if answer["outcome"] == "caught" else "")
        with self._lock:
            self.outcomes[error.wrong] = Outcome(**answer, code=code)
            temporary = self._path.with_suffix(".part")
            temporary.write_text(self._text())
            temporary.replace(self._path)  # a kill leaves the one or the other

    def _text(self) -> str:
        packages = ("jax", "jaxlib", "equinox", "diffrax", "numpy", "scipy", "pytest")
        versions = {"python": platform.python_version()} | {name: version(name) for name in packages}
        lines = ["[versions]", *(f"{name} = {json.dumps(value)}" for name, value in versions.items())]
        room = None
        for error in self._errors:
            if error.wrong in self.outcomes:
                lines += ["", f"[{error.room}]"] if error.room != room else []
                lines.append(f"{json.dumps(error.wrong)} = {self.outcomes[error.wrong].line()}")
                room = error.room
        return HEAD + "\n" + "\n".join(lines) + "\n"
