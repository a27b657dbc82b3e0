"""Damaged files of runs in every state: any command says what is wrong or goes on, and no number is ever another."""

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.torture import damage
from tests.torture.lab import BLOCKS, MORE, Bench, Lab, Loss, Outcome, intact, numbers, same, until
from tests.torture.parts import BenchPart, chance

STATES = ("finished", "killed", "stopped", "finished", "killed", "merged")
"""Of the folder whose file is damaged; "stopped" is one whose process lives, and goes on after the damage."""
COMMANDS = {
    "finished": ("run", "go on", "status", "verify", "report", "extend"),
    "killed": ("run", "go on", "status", "verify", "extend"),
    "stopped": ("run",),
    "merged": ("merge",),
}
SIDE = {"live", "logs", "failed", "aside"}
"""Folders of which no file can stop a run."""
LOCKED = (damage.rights, damage.mute)


@dataclass
class Corruption:
    """One case: which folder, which of its files, what happens to it, and the command that meets it."""

    state: str
    path: Path
    kind: damage.Damage
    doing: str

    def __str__(self) -> str:
        return f"{self.path} of a {self.state} run: {self.kind.__name__}, then {self.doing}"


class Corruptions(BenchPart):
    """Every kind of file is damaged equally often, whatever their number."""

    name = "corruptions"
    help = "damaged files of running, killed and finished runs"
    count, small = 200, 6

    def prepare(self, lab: Lab) -> None:
        """See `BenchPart`."""
        self._reference, self._extended = numbers(lab.finished), numbers(lab.extended)
        _ = lab.killed, lab.shards
        sides(lab.finished)
        sides(lab.killed)

    def case(self, lab: Lab, bench: Bench, seed: int) -> str:
        """One corruption, told by what came of it."""
        random = chance(self.name, seed)
        state = STATES[seed % len(STATES)]
        source = {"finished": lab.finished, "killed": lab.killed, "merged": lab.shards[0]}.get(state)
        if source is not None:
            shutil.copytree(source, bench.folder, symlinks=True)
        process = None
        if state == "stopped":
            process = stopped(lab, bench, random)
            source = Path(shutil.copytree(bench.folder, bench.place / "before", symlinks=True))
        case = choose(source, state, random)
        try:
            case.kind(bench.folder / case.path, random)
            return self._meet(lab, bench, case, source, process)
        except Loss as loss:
            raise Loss(f"{case}: {loss}") from None

    def _meet(self, lab: Lab, bench: Bench, case: Corruption, source: Path, process) -> str:
        folder = bench.folder
        command, main = commands(lab, bench, case.doing)
        reference = self._extended if case.doing == "extend" else self._reference
        before = (folder / "results.nc").is_file() and intact(folder, self._reference)
        if process is not None:
            os.kill(process.pid, signal.SIGCONT)
            outcome = bench.wait(process, *command)
        else:
            outcome = bench.command(*command)
        outcome.check(0, 1, 2)
        self._honest(case, outcome, folder, before)
        if command != main or outcome.code:
            outcome = bench.command(*main).check(0, 1, 2)
        target = Path(main[-1]) if case.doing == "merge" else folder
        if case.doing == "merge" and outcome.code == 0 and not (target / "results.nc").exists():
            # A block that no folder has is told, and made.
            outcome = bench.command(*lab.run_of(target)).check(0)
        if outcome.code == 0:
            if not (target / "results.nc").exists():
                raise Loss(f"exit code 0, and no results\n{outcome.said}")
            same(target, reference, "damage and all")
            return "went on"
        outcome.names(bench.place)
        side = case.path.parts[0] in SIDE and not ((source / case.path).is_dir() or case.kind in LOCKED)
        if side and case.doing not in ("status", "verify", "report"):
            raise Loss(f"a side file stopped the run\n{outcome.said}")
        damage.restore(folder / case.path, source / case.path)
        bench.command(*main).check(0)
        same(target, reference, "after the repair")
        return "refused"

    def _honest(self, case: Corruption, outcome: Outcome, folder: Path, before: bool) -> None:
        """**Raises:** Loss where a command calls sound, or draws, what holds other numbers."""
        if case.doing in ("verify", "report") and not before and case.path.name == "results.nc":
            outcome.check(1, 2)
        if outcome.code == 2:
            outcome.names(folder.parent)


def choose(source: Path, state: str, random: Random) -> Corruption:
    """A file or folder of a run: first its kind by chance, then which of that kind."""
    found: dict[str, list[Path]] = {}
    for path in sorted(source.rglob("*")):
        found.setdefault(kind_of(path, source), []).append(path.relative_to(source))
    path = random.choice(found[random.choice(sorted(found))])
    return Corruption(state, path, random.choice(damage.kinds(source / path)), random.choice(COMMANDS[state]))


def kind_of(path: Path, source: Path) -> str:
    """What all files have in common that the same code reads."""
    parts = path.relative_to(source).parts
    if path.name.startswith("."):
        return "half-written"
    if path.suffix == ".npz" and parts[0] == "blocks":
        return "block"
    if path.is_dir() and not path.is_symlink():
        return f"folder {parts[0] if len(parts) == 1 else parts[0] + '/*'}"
    return parts[0] if len(parts) == 1 or parts[0] != "live" else "/".join(parts[:2])


def sides(folder: Path) -> None:
    """Gives a run what runs have that were in trouble: a cell that failed, a block that was put aside."""
    (folder / "aside").mkdir(exist_ok=True)
    (folder / "aside" / "c00000-r0000000-0000256.npz").write_bytes(b"PK")
    (folder / "failed").mkdir(exist_ok=True)
    entry = '{"cell": 1, "error": "FloatingPointError: once", "by": "host.1.2", "trace": ""}\n'
    (folder / "failed" / "c00001.json").write_text(entry)


def stopped(lab: Lab, bench: Bench, random: Random):
    """A run whose process is stopped while it writes."""
    when = random.choice([["sync", random.randint(1, 20)], ["save", random.randint(1, BLOCKS)]])
    process = bench.start(*lab.run_of(bench.folder), die=[*when, signal.SIGSTOP])
    until(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    return process


def commands(lab: Lab, bench: Bench, doing: str) -> tuple[tuple, tuple]:
    """The command that meets the damage, and the one that has the results in the end."""
    folder, run = bench.folder, lab.run_of(bench.folder)
    extend = ("extend", folder, "--replicas", MORE)
    merge = ("merge", folder, lab.shards[1], "-o", bench.place / "merged")
    return {
        "run": (run, run),
        "go on": (("run", folder), run),
        "status": (("status", folder), run),
        "verify": (("verify", folder, "--recompute", 0), run),
        "report": (("report", folder), run),
        "extend": (extend, extend),
        "merge": (merge, merge),
    }[doing]
