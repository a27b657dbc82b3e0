"""Prints the counts of the house and every import that breaks a rule."""

import sys

from tests.house.counts import counts
from tests.house.rules import violations
from tests.house.source import modules


def main() -> int:
    """The exit code is 1 where a rule is broken."""
    files = modules()
    found = counts(files)
    width = max(map(len, found)) + 2
    for name, value in found.items():
        print(f"{name:{width}}{value}")
    broken = violations(files)
    for line in broken:
        print(line)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
