"""kill -9 at any moment of every command: the same command goes on, and the numbers are those of an undisturbed run."""

import os
import shutil
import signal
import time
from pathlib import Path
from random import Random

from tests.processes import blocks
from tests.torture.lab import BLOCKS, MORE, Bench, Lab, Loss, numbers, same
from tests.torture.parts import BenchPart, chance

WRITES = {"begun": 25, "taken up": 17, "results": 6, "merge": 24, "extend": 12, "report": 1}
"""About how often a command has written a file whole when it ends."""
SETTINGS = ("begun", "taken up", "results", "merge", "extend", "report", "verify")
SECONDS = 2.0
"""What a command takes that was not measured yet; kills from outside are spread evenly over it."""
TRIES = 5
"""To kill a command before it ends."""


class Kills(BenchPart):
    """Every second kill comes from outside at any time, the others from the process itself while it writes."""

    name = "kills"
    help = "kill -9 during every command, and the same command again"
    count, small = 100, 6

    def prepare(self, lab: Lab) -> None:
        """See `BenchPart`."""
        self._reference, self._extended = numbers(lab.finished), numbers(lab.extended)
        self._took = dict.fromkeys(SETTINGS, SECONDS)
        _ = lab.killed, lab.merging, lab.shards

    def case(self, lab: Lab, bench: Bench, seed: int) -> str:
        """One kill, told by what the disk held then."""
        setting = SETTINGS[seed % len(SETTINGS)]
        random = chance(self.name, seed)
        for _ in range(TRIES):
            bench.clear()
            command = set_up(setting, lab, bench)
            if killed := kill(bench, command, setting, random, self._took[setting]):
                break
        where = fell(bench.folder, setting) if killed else "too late"
        kept = blocks(bench.folder)
        # An extension that was killed may have blocks with a part of a tile, which go when it is done.
        began = time.monotonic()
        bench.command(*command).check(0)
        self._took[setting] = time.monotonic() - began
        there = blocks(bench.folder)
        if setting != "extend" and {name: there.get(name) for name in kept} != kept:
            raise Loss(f"a block that was done was lost or made again, killed {where}")
        same(bench.folder, self._extended if setting == "extend" else self._reference, f"killed {where}")
        if setting not in ("report", "verify") and (left := list(bench.folder.rglob("*.tmp"))):
            raise Loss(f"{left[0]} was left behind, killed {where}")
        return where


def set_up(setting: str, lab: Lab, bench: Bench) -> tuple:
    """Copies the folder that a command is killed in; returns the command."""
    source = {"begun": None, "taken up": lab.killed, "results": lab.merging, "merge": None}.get(setting, lab.finished)
    if source is not None:
        copy(source, bench.folder)
    return {
        "begun": lab.run_of(bench.folder),
        "taken up": lab.run_of(bench.folder),
        "results": lab.run_of(bench.folder),
        "merge": ("merge", *lab.shards, "-o", bench.folder),
        "extend": ("extend", bench.folder, "--replicas", MORE),
        "report": ("report", bench.folder),
        "verify": ("verify", bench.folder),
    }[setting]


def kill(bench: Bench, command: tuple, setting: str, random: Random, seconds: float) -> bool:
    """Starts a command that takes so long, and kills it; returns whether that was before its end."""
    if setting in WRITES and random.random() < 0.5:
        saves = setting in ("begun", "taken up") and random.random() < 0.3
        moment = ("save", random.randint(1, BLOCKS // 2)) if saves else ("sync", random.randint(1, WRITES[setting]))
        outcome = bench.command(*command, die=moment)
    else:
        process = bench.start(*command)
        time.sleep(random.uniform(0.0, seconds))
        os.kill(process.pid, signal.SIGKILL)
        outcome = bench.wait(process, *command)
    if outcome.code == -signal.SIGKILL:
        return True
    outcome.check(0)
    return False


def fell(folder: Path, setting: str) -> str:
    """Where a kill fell, by what is on disk."""
    if setting in ("report", "verify", "extend", "merge"):
        return f"in {setting}"
    if not (folder / "blocks" / "index.json").exists():
        return "at the start"
    done = len(blocks(folder))
    if done == 0:
        return "before the first block"
    if done < BLOCKS:
        return "between blocks"
    return "in the report" if (folder / "summary.json").exists() else "in the results"


def copy(source: Path, target: Path) -> None:
    """A folder as it is, with times of writing, links and whatever else."""
    shutil.copytree(source, target, symlinks=True)
