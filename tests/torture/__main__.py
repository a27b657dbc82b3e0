"""Torture: `python -m tests.torture [PART ...]` says what there is, runs it, and exits with 1 after the first loss."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.torture.corruptions import Corruptions
from tests.torture.disks import Disks
from tests.torture.fuzz_experiments import Experiments, Options
from tests.torture.fuzz_files import Blocks, Images
from tests.torture.kills import Kills
from tests.torture.lab import Lab
from tests.torture.parts import Part, Skipped
from tests.torture.sharing import Namespaces, Stopped

PARTS: tuple[Part, ...] = (
    *(Kills(), Corruptions(), Disks(), Stopped(), Namespaces()),
    *(Experiments(), Options(), Blocks(), Images()),
)


def main(arguments: list[str]) -> int:
    """Runs the parts that are asked for; returns the exit code."""
    asked = parse(arguments)
    failed = False
    parts = [part for part in PARTS if part.name in (asked.parts or [part.name for part in PARTS])]
    root = Path(tempfile.mkdtemp(prefix="sgdsim-torture-"))
    with Lab(root, min(2, os.cpu_count() or 1)) as lab:
        for part in parts:
            count = asked.count or (part.small if asked.small else part.count)
            try:
                tally = part.run(lab, range(asked.seed, asked.seed + count), tell, asked.keep_going)
            except Skipped as reason:
                tell(f"{part.name}: skipped, {reason}")
                continue
            failed |= bool(tally.lost)
            if failed and not asked.keep_going:
                break
    if failed:
        tell(f"What lost cases have left is in {root}")
    else:
        shutil.rmtree(root)
    return int(failed)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parts = "\n".join(f"  {part.name:<14}{part.help} ({part.count})" for part in PARTS)
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture",
        description=f"Tortures runs and their files. Parts, with the cases of each:\n{parts}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[[], *(part.name for part in PARTS)])
    parser.add_argument("--seed", type=int, default=0, help="number of the first case")
    parser.add_argument("--count", type=int, help="cases of every part")
    parser.add_argument("--small", action="store_true", help="a few cases of every part, a minute in all")
    parser.add_argument("--keep-going", action="store_true", help="go on after a loss, and tell all")
    return parser.parse_args(arguments)


def tell(line: str) -> None:
    """Prints a line at once: a torture takes minutes."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
