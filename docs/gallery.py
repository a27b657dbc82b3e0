"""Runs the quick variant of every shipped experiment and writes docs/gallery.md: `make gallery`.

`python docs/gallery.py NAME ...` runs these alone, e.g. committee/goldt, and leaves what the page has of the others.
"""

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
FIGURES, PAGE = ROOT / "docs" / "figures", ROOT / "docs" / "gallery.md"
HEAD = """# Gallery

Every experiment that comes with sgdsim, in its quick variant (under two minutes on two cores). Without `--quick` the
same command runs it at full size; `sgdsim plan NAME` says what that takes. The numbers behind a figure are in
`summary.json` and `results.nc` of its run. This page and its figures are written by `make gallery`.
"""


def main(asked: Sequence[str]) -> None:
    """Runs what is missing below runs/gallery, copies the figures and writes the page; of all experiments or some."""
    configs = {
        config.relative_to(ROOT / "configs").with_suffix("").as_posix(): config
        for config in sorted((ROOT / "configs").rglob("*.toml"))
    }
    unknown = [name for name in asked if name not in configs]
    if unknown:
        sys.exit(f"No experiment {', '.join(unknown)}; there are {', '.join(configs)}.")
    kept = _kept() if asked else {}
    parts = [_made(name, config) if name in asked or not asked else kept.get(name) for name, config in configs.items()]
    PAGE.write_text("\n".join([HEAD, *(part for part in parts if part is not None)]), encoding="utf-8")


def _kept() -> dict[str, str]:
    """The entries of the page as it is, by the experiment that their command runs."""
    entries = ["## " + part.rstrip("\n") + "\n" for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]]
    return {entry.split("`sgdsim run ")[1].split()[0]: entry for entry in entries}


def _made(name: str, config: Path) -> str:
    """The entry of an experiment, run where it has not been."""
    command = ["run", name, "--quick"]
    folder = ROOT / "runs" / "gallery" / config.stem
    subprocess.run([sys.executable, "-m", "sgdsim.cli", *command, "-q", "-o", str(folder)], check=True, cwd=ROOT)
    return _entry(config, folder, " ".join(["sgdsim", *command]))


def _entry(config: Path, folder: Path, command: str) -> str:
    """Title of the run, its figures and command; the trajectories are shown where there is nothing else."""
    drawn = [folder / "figures" / f"{name}.png" for name in tomllib.loads(config.read_text())["report"]["figures"]]
    drawn = [figure for figure in drawn if figure.is_file()]
    telling = [figure for figure in drawn if figure.stem != "trajectories"] or drawn
    lines = [f"## {json.loads((folder / 'summary.json').read_text())['title']}", ""]
    for figure in telling:
        copy = FIGURES / f"{config.stem}-{figure.stem}.png"
        shutil.copyfile(figure, copy)
        lines += [f"![{figure.stem.replace('_', ' ')}](figures/{copy.name})", ""]
    return "\n".join([*lines, f"`{command}`", ""])


if __name__ == "__main__":
    main(sys.argv[1:])
