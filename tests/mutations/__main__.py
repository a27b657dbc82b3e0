"""Plants the errors of `errors/`, one at a time in a copy of the sources, and tells which of them the tests see."""

import argparse
import fnmatch
import queue
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.mutations.planting import Field
from tests.mutations.record import Record
from tests.mutations.table import Planted, planted
from tests.mutations.unmutated import Unmutated


def main() -> int:
    """The exit code is 1 where an error was not caught."""
    options = _options()
    errors = planted()
    record = Record(errors)
    chosen = [error for error in errors if _matches(error, options.only)]
    waiting = [error for error in chosen if options.again or not record.fresh(error)]
    print(f"{len(chosen)} planted errors, {len(chosen) - len(waiting)} of them known to be caught", flush=True)
    if waiting:
        _plant(waiting, record, min(options.jobs, len(waiting)))
    left = [error for error in chosen if not record.fresh(error)]
    for error in left:
        outcome = record.outcomes.get(error.wrong)
        print(f"not caught: {error.room}: {error.wrong}: {outcome.line() if outcome else 'not run'}")
    print(f"{len(chosen) - len(left)} of {len(chosen)} caught")
    return int(bool(left))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--only", default="*", help="errors whose room, file or words match this pattern (*word*)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once, each in a copy of its own")
    parser.add_argument("--again", action="store_true", help="also those that are known to be caught")
    return parser.parse_args()


def _matches(error: Planted, pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for text in (error.room, error.file, error.wrong))


def _plant(errors: Sequence[Planted], record: Record, jobs: int) -> None:
    """Each in turn, on the first copy that is free, when its tests have passed as things are."""
    fields: queue.Queue[Field] = queue.Queue()
    for _ in range(jobs):
        fields.put(Field())
    unmutated = Unmutated(errors)

    def one(error: Planted) -> None:
        field = fields.get()
        try:
            answer = unmutated.fault(field, error) or field.run_with(error)
        finally:
            fields.put(field)
        record.add(error, answer)
        print(f"{answer['outcome']:9} {answer['seconds']:6.1f} s  {error.room}: {error.wrong}", flush=True)

    try:
        with ThreadPoolExecutor(jobs) as pool:
            for done in [pool.submit(one, error) for error in errors]:
                done.result()
    finally:
        while not fields.empty():
            fields.get().close()


if __name__ == "__main__":
    sys.exit(main())
