"""A process that has imported what all tests need, and runs some of them in a child whenever it is asked.

Its arguments are the modules to import: none of sgdsim, whose types pytest checks from the first import on.
It reads lines of JSON, {"tests": [...], "seconds": limit}, and answers each with one: {"outcome", "by", "seconds"}.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import hypothesis
import pytest

OPTIONS = (
    *("-x", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=planted"),
    *("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"),
)
"""Up to the first failure, and without a word about plugins that are there before pytest."""
_FOUND = [phase for phase in hypothesis.Phase if phase not in (hypothesis.Phase.shrink, hypothesis.Phase.explain)]


class Watch:
    """A pytest plugin that keeps the first failure, and counts what passed."""

    def __init__(self) -> None:
        self.passed = 0
        self.failure: dict[str, object] | None = None

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        """What a test asserts and does not hold is a catch; anything else that it raises is a fault of the program."""
        report = (yield).get_result()
        self.passed += report.when == "call" and report.passed
        if report.failed and self.failure is None:
            error = call.excinfo.value
            asserted = call.when == "call" and isinstance(error, AssertionError | pytest.fail.Exception)
            text = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            self.failure = {"test": item.nodeid, "asserted": asserted, "text": text}

    def outcome(self, code: int) -> dict[str, str]:
        """The answer, apart from the time it took."""
        if self.failure is not None:
            caught = self.failure["asserted"]
            by = self.failure["test"] if caught else f"{self.failure['test']}: {self.failure['text']}"
            return {"outcome": "caught" if caught else "error", "by": by}
        if code == 0 and self.passed:
            return {"outcome": "survived", "by": ""}
        return {"outcome": "error", "by": f"pytest ended with {code}, {self.passed} tests passed"}


def attempt(tests: list[str], seconds: float) -> dict[str, object]:
    """Runs the tests up to the first failure, in a process group of their own that is killed when its time is up."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # JAX has threads, but none is at work yet
            child = os.fork()
        if child == 0:
            _child(tests, answer)
        ended = _wait(child, begin + seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        if not ended:
            os.waitpid(child, 0)
            found = {"outcome": "timeout", "by": ""}
        elif answer.exists():
            found = json.loads(answer.read_text())
        else:
            found = {"outcome": "error", "by": "the process died"}
    return found | {"seconds": round(time.monotonic() - begin, 1)}


def _child(tests: list[str], answer: Path) -> None:
    """Never returns."""
    os.setsid()
    watch = Watch()
    try:
        code = pytest.main([*OPTIONS, *tests], plugins=[watch])
        answer.write_text(json.dumps(watch.outcome(int(code))))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)  # what the parent has to tidy up is not the child's


def _wait(child: int, deadline: float) -> bool:
    """Whether it ended in time."""
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.02)
    return False


def main() -> None:
    """Until the input ends. What pytest prints goes to standard error."""
    # The examples of `make test`, but the first that fails will do: to look for a simpler one takes minutes.
    hypothesis.settings.register_profile("planted", deadline=None, derandomize=True, database=None, phases=_FOUND)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for name in sys.argv[1:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(attempt(request["tests"], request["seconds"])), file=answers, flush=True)


if __name__ == "__main__":
    main()
