"""The folder of a run: extended it is what it would be if run so large from the beginning, and verified it is sound."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import xarray as xr

from benchmarks.gpu.setting import Missing, Setting, table
from benchmarks.sweeps import EXPERIMENT
from sgdsim.cli import main as sgdsim

SETS = ("grid.d=[100,300]", "ensemble.block=256", "times.count=10", "theory.fluctuations=false", "report.figures=[]")
SMALL = ("grid.d=[100]", "ensemble.block=16")


def lines(setting: Setting) -> Iterator[str]:
    """One table."""
    setting.need_gpu()
    with tempfile.TemporaryDirectory() as folder:
        yield from table(("committee/scaling_law, cut down", "s", "as it must be"), _rows(setting, Path(folder)))


def _rows(setting: Setting, folder: Path) -> Iterator[tuple[str, object, str]]:
    few, many = ("16", "32") if setting.small else ("512", "1024")
    begin = ["committee/scaling_law", *_sets(SETS)]
    if setting.small:
        # Without theory, whose compilation would take longer than all else here.
        file = folder / "small.toml"
        file.write_text(EXPERIMENT)
        begin = [str(file), *_sets(SMALL)]
    grown, whole = (str(folder / name) for name in ("grown", "whole"))
    made = True
    for what, command in (
        (f"sgdsim run, {few} replicas a cell", ["run", *begin, "--set", f"ensemble.replicas={few}", "-o", grown]),
        (f"sgdsim extend --replicas {many}", ["extend", grown, "--replicas", many]),
        ("sgdsim verify --recompute 2", ["verify", grown, "--recompute", "2"]),
        (
            f"sgdsim run, {many} replicas from the beginning",
            ["run", *begin, "--set", f"ensemble.replicas={many}", "-o", whole],
        ),
    ):
        done = setting.attempt(lambda command=command: _call([*command, "-q"]), 15)
        if isinstance(done, Missing):
            made = False
            yield what, done, ""
        else:
            yield what, done[1], setting.check(f"{what}: exit code {done[0]}", done[0] == 0)
    differ = setting.attempt(lambda: _different(Path(grown), Path(whole)), 0) if made else Missing("nothing to compare")
    what = "arrays of results.nc in which the extended run differs"
    if isinstance(differ, Missing):
        yield what, differ, ""
    else:
        yield what, str(len(differ)), setting.check(f"{what}: {differ}", not differ)


def _sets(settings: tuple[str, ...]) -> list[str]:
    return [option for each in settings for option in ("--set", each)]


def _call(command: list[str]) -> tuple[int, float]:
    """Exit code and seconds of a command in this process."""
    began = time.monotonic()
    with redirect_stdout(sys.stderr):
        code = sgdsim(command, standalone_mode=False)
    return int(code or 0), time.monotonic() - began


def _different(one: Path, other: Path) -> list[str]:
    """Names of arrays whose bits differ."""
    with xr.open_dataset(one / "results.nc") as left, xr.open_dataset(other / "results.nc") as right:
        names = sorted(str(name) for name in {*left.variables, *right.variables})
        return [name for name in names if name not in left or name not in right or not left[name].equals(right[name])]
