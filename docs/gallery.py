"""Runs every shipped experiment at full size and writes docs/gallery.md: `make gallery`, some hours.

`python docs/gallery.py NAME ...` runs these alone, e.g. committee/goldt, and leaves what the page has of the others;
with `--quick` it takes the quick variants, which the page then calls so.
"""

import json
import resource
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
RUNS, FIGURES, PAGE = ROOT / "runs" / "gallery", ROOT / "docs" / "figures", ROOT / "docs" / "gallery.md"
TIMES = "cpu_seconds.json"
HEAD = """# Gallery

Every experiment that comes with sgdsim, with what it shows. Below each stands the command that made its figures, and
what that took of one core; where it ends in `--quick`, the figures are of the quick variant, under two minutes on two
cores. `sgdsim plan NAME` says what a run takes on your machine. The numbers behind a figure are in `summary.json` and
`results.nc` of its run, and beside published ones in [reproductions](reproductions.md). This page and its figures are
written by `make gallery`.
"""


def main(arguments: Sequence[str]) -> None:
    """Runs what is missing below runs/gallery, copies the figures and writes the page; of all experiments or some."""
    asked, quick = [name for name in arguments if name != "--quick"], "--quick" in arguments
    configs = {
        config.relative_to(ROOT / "configs").with_suffix("").as_posix(): config
        for config in sorted((ROOT / "configs").rglob("*.toml"))
    }
    unknown = [name for name in asked if name not in configs]
    if unknown:
        sys.exit(f"No experiment {', '.join(unknown)}; there are {', '.join(configs)}.")
    kept = _kept() if asked else {}
    parts = []
    for name, config in configs.items():
        parts.append(_made(name, config, quick) if name in asked or not asked else kept.get(name))
    PAGE.write_text("\n".join([HEAD, *(part for part in parts if part is not None)]), encoding="utf-8")


def _kept() -> dict[str, str]:
    """The entries of the page as it is, by the experiment that their command runs."""
    entries = ["## " + part.rstrip("\n") + "\n" for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]]
    return {entry.split("`sgdsim run ")[1].split("`")[0].split()[0]: entry for entry in entries}


def _made(name: str, config: Path, quick: bool) -> str:
    """The entry of an experiment, run where it has not been."""
    command = ["run", name, *["--quick"] * quick]
    folder = RUNS / f"{config.stem}{'-quick' * quick}"
    before = _used()
    run = [sys.executable, "-m", "sgdsim.cli", *command, "-q", "-o", str(folder)]
    subprocess.run(run, check=True, cwd=ROOT)
    seconds = _noted(folder.name, _used() - before)
    return _entry(config, folder, f"`sgdsim {' '.join(command)}`, {minutes(seconds)} of one core")


def _used() -> float:
    """Seconds of a core that the processes begun here have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _noted(name: str, seconds: float) -> float:
    """What a run took the first time: one that is there already takes nothing."""
    path = RUNS / TIMES
    times = json.loads(path.read_text()) if path.is_file() else {}
    times.setdefault(name, round(seconds))
    path.write_text(json.dumps(times, indent=1, sort_keys=True))
    return times[name]


def minutes(seconds: float) -> str:
    """A time as it is said."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"


def _entry(config: Path, folder: Path, command: str) -> str:
    """Title of the run, what its file says of it, its figures and command; trajectories where there is nothing else."""
    text = config.read_text(encoding="utf-8")
    drawn = [folder / "figures" / f"{name}.png" for name in tomllib.loads(text)["report"]["figures"]]
    drawn = [figure for figure in drawn if figure.is_file()]
    telling = [figure for figure in drawn if figure.stem != "trajectories"] or drawn
    lines = [f"## {json.loads((folder / 'summary.json').read_text())['title']}", "", _said(text), ""]
    for figure in telling:
        copy = FIGURES / f"{config.stem}-{figure.stem}.png"
        shutil.copyfile(figure, copy)
        lines += [f"![{figure.stem.replace('_', ' ')}](figures/{copy.name})", ""]
    return "\n".join([*lines, command, ""])


def _said(text: str) -> str:
    """The comment that an experiment file begins with, as a paragraph."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join(lines).replace("*", r"\*").replace("|", r"\|").replace("<", r"\<")


if __name__ == "__main__":
    main(sys.argv[1:])
