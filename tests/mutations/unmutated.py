"""That the tests pass as things are, without which a failure is no catch."""

import hashlib
import threading
from collections.abc import Sequence

from tests.mutations.planting import Field
from tests.mutations.table import ROOT, Planted

PASSED = ROOT / ".cache" / "mutations"
"""Marks of what has passed, by a digest of the tests and of all sources."""
SECONDS = 900.0


class Unmutated:
    """The tests that some errors name, run without an error: a file at a time, and once for these sources."""

    def __init__(self, errors: Sequence[Planted]) -> None:
        self._tests: dict[str, set[str]] = {}
        for error in errors:
            for name in error.tests:
                self._tests.setdefault(name.partition("::")[0], set()).add(name)
        self._locks = {path: threading.Lock() for path in self._tests}
        self._sources = _sources()

    def fault(self, field: Field, error: Planted) -> dict | None:
        """None where the tests of an error pass; otherwise its outcome."""
        for path in {name.partition("::")[0]: None for name in error.tests}:
            with self._locks[path]:  # others wait until it is known
                found = self._run(field, sorted(self._tests[path]))
            if found is not None:
                return found
        return None

    def _run(self, field: Field, tests: list[str]) -> dict | None:
        mark = PASSED / hashlib.sha256("\0".join([self._sources, *tests]).encode()).hexdigest()
        if mark.exists():
            return None
        answer = field.run(tests, SECONDS)
        if answer["outcome"] != "survived":
            return answer | {"outcome": "error", "by": f"without the error: {answer['outcome']} {answer['by']}"}
        PASSED.mkdir(parents=True, exist_ok=True)
        mark.touch()
        return None


def _sources() -> str:
    paths = sorted(path for room in ("sgdsim", "tests", "configs") for path in (ROOT / room).rglob("*.*"))
    outcomes = ROOT / "tests" / "mutations"
    texts = [
        path.read_bytes()
        for path in paths
        if path.suffix in (".py", ".toml", ".h") and path.is_file() and not path.is_relative_to(outcomes)
    ]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()
