"""One section, in a process of its own: `python -m benchmarks.gpu.section NAME SECONDS [--cpu]`."""

import importlib
import sys
import time

from benchmarks.gpu.sections import NO_GPU
from benchmarks.gpu.setting import NoGpu, Setting

_MARGIN = 5.0
"""Seconds that starting and stopping take of those of the section."""


def main() -> None:
    """Prints the lines of the section as they come; the exit code says whether all is well."""
    name, seconds, *options = sys.argv[1:]
    setting = Setting(small="--cpu" in options, ends=time.monotonic() + float(seconds) - _MARGIN)
    try:
        for line in importlib.import_module(f"benchmarks.gpu.{name}").lines(setting):
            print(line, flush=True)
    except NoGpu as error:
        print(error, flush=True)
        sys.exit(NO_GPU)
    for trouble in setting.troubles:
        print(trouble, file=sys.stderr)
    sys.exit(1 if setting.troubles else 0)


if __name__ == "__main__":
    main()
