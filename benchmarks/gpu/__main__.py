"""Everything that is worth knowing of a GPU, in less than eight minutes: `python -m benchmarks.gpu`.

It runs from a checkout that need not be installed. Every section has a process and a time limit of its own, so that
none takes the others along, and every line is printed as soon as it is known. Exit code 1: a section was cut, or
something in it failed or came out wrong; 2: there is no GPU, or an option is wrong.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from benchmarks.gpu.process import Outcome, follow
from benchmarks.gpu.sections import NO_GPU, SECTIONS, TOTAL, Section, chosen, limit
from benchmarks.table import RESULTS, replace

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Measures, prints, and writes on demand."""
    options = _options()
    # So that a program that ends this one ends the section in hand as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began, failed = time.monotonic(), []
    for index, section in enumerate(options.sections):
        left = options.seconds - (time.monotonic() - began)
        print(f"\n### {section.title}\n", flush=True)
        outcome = run(section, limit(left, options.sections[index:]), options.cpu)
        if outcome.code == NO_GPU:
            sys.exit(2)
        if outcome.code != 0:
            failed.append(section.name)
        if options.write:
            write(section, outcome, " ".join(["python -m benchmarks.gpu", *sys.argv[1:]]))
    print(f"\n{time.monotonic() - began:.0f} s in all; " + (f"look at {', '.join(failed)}" if failed else "all well"))
    sys.exit(1 if failed else 0)


def run(section: Section, seconds: float, cpu: bool) -> Outcome:
    """One section in a process of its own, its lines printed as they come."""
    command = [sys.executable, "-m", "benchmarks.gpu.section", section.name, f"{seconds:.1f}", *["--cpu"] * cpu]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
    if cpu:
        environment["JAX_PLATFORMS"] = "cpu"
    return follow(command, environment, ROOT, seconds)


def write(section: Section, outcome: Outcome, command: str, path: Path = RESULTS) -> None:
    """Puts what a section printed between its own markers in RESULTS.md."""
    text = "\n".join([f"### {section.title}", "", f"`{command}`", "", *outcome.lines])
    replace(text, f"gpu {section.name}", path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    names = ", ".join(f"{section.name} ({section.title.lower()})" for section in SECTIONS)
    parser.add_argument("--only", metavar="A,B", help=f"sections, of {names}")
    parser.add_argument("--seconds", type=float, default=TOTAL, help="for all sections together (default: %(default)s)")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--cpu", action="store_true", help="try the program on the CPU, at tiny sizes")
    kind.add_argument("--write", action="store_true", help="put the tables into benchmarks/RESULTS.md")
    options = parser.parse_args()
    try:
        options.sections = chosen(options.only)
    except ValueError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    main()
