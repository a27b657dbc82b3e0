"""A disk that is full, from the first page on: told in a line, and the same command goes on once there is room."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.processes import blocks
from tests.torture.kills import fell
from tests.torture.lab import MORE, Bench, Lab, Loss, numbers, same
from tests.torture.parts import BenchPart, Skipped

PAGE = 4096
"""Bytes that a disk in memory hands out at once: with each more of them another write is the one that fails."""
ROOM = 64 << 20
GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it, less their whole part, lie as evenly between 0 and 1 as can be."""
COMMANDS = ("run", "extend", "merge")


class Disks(BenchPart):
    """A disk in memory, with room for some pages of what a command writes; the sizes are spread over all there are."""

    name = "disks"
    help = "a disk that is full at any write, and the same command again"
    count, small = 120, 3

    def prepare(self, lab: Lab) -> None:
        """See `BenchPart`."""
        self._reference, self._extended = numbers(lab.finished), numbers(lab.extended)
        _ = lab.shards
        trial = lab.root / "trial"
        trial.mkdir()
        mounted(trial, f"size={ROOM}")
        subprocess.run(["umount", str(trial)], check=True)

    def case(self, lab: Lab, bench: Bench, seed: int) -> str:
        """One size of the disk; told by what it was too small for."""
        doing = COMMANDS[seed % len(COMMANDS)]
        disk = bench.place / "disk"
        disk.mkdir()
        mounted(disk, f"size={ROOM}")
        try:
            return self._fill(lab, bench, disk, doing, seed)
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)

    def _fill(self, lab: Lab, bench: Bench, disk: Path, doing: str, seed: int) -> str:
        bench.folder.symlink_to(disk / "run")
        folder = disk / "run"
        if doing == "extend":
            shutil.copytree(lab.finished, folder, symlinks=True)
        command = {
            "run": lab.run_of(folder),
            "extend": ("extend", folder, "--replicas", MORE),
            "merge": ("merge", *lab.shards, "-o", folder),
        }[doing]
        stop = fill(disk, self._pages(lab, doing, seed))
        outcome = bench.command(*command).check(0, 1, 2)
        if outcome.code:
            outcome.names(disk)
            if "No space left" not in outcome.said:
                raise Loss(f"no word of a full disk\n{outcome.said}")
        where = fell(folder, doing) if outcome.code else f"after {doing}"
        kept = blocks(folder) if doing != "extend" else {}
        stop.unlink()
        bench.command(*command).check(0)
        same(folder, self._extended if doing == "extend" else self._reference, f"{doing} on a full disk")
        there = blocks(folder)
        if {name: there.get(name) for name in kept} != kept:
            raise Loss("a block that was done was made again")
        return where

    def _pages(self, lab: Lab, doing: str, seed: int) -> int:
        """Pages that are free: of each command's cases the sizes are as even as those of any number of cases can be."""
        whole = pages(lab.extended) - pages(lab.finished) if doing == "extend" else pages(lab.finished)
        return int(seed // len(COMMANDS) * GOLDEN % 1 * (whole + 2))


def mounted(place: Path, options: str) -> None:
    """Mounts a disk in memory. **Raises:** Skipped where that is not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if os.getuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        raise Skipped("to mount a disk takes root")


def fill(disk: Path, free: int) -> Path:
    """Fills a disk until about so many pages are free; returns the file that does it."""
    ballast = disk / "other data"
    with ballast.open("wb") as stream:
        wanted = max(1, os.statvfs(disk).f_bavail - free)
        # The kernel counts the free pages per core, and tells them a few too many.
        while wanted:
            try:
                os.posix_fallocate(stream.fileno(), 0, wanted * PAGE)
                break
            except OSError:
                wanted -= 1
    return ballast


def pages(folder: Path) -> int:
    """Pages that the files of a folder take, but for what is drawn."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".png", ".pdf", ".html")]
    return sum(-(-path.stat().st_size // PAGE) for path in files)
