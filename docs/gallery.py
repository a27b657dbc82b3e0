"""Runs the quick variant of every shipped experiment and writes docs/gallery.md: `make gallery`."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "figures"
HEAD = """# Gallery

Every experiment that comes with sgdsim, in its quick variant (under two minutes on two cores). Without `--quick` the
same command runs it at full size; `sgdsim plan NAME` says what that takes. The numbers behind a figure are in
`summary.json` and `results.nc` of its run. This page and its figures are written by `make gallery`.
"""


def main() -> None:
    """Runs what is missing below runs/gallery, copies the figures and writes the page."""
    parts = [HEAD]
    for config in sorted((ROOT / "configs").rglob("*.toml")):
        name = config.relative_to(ROOT / "configs").with_suffix("").as_posix()
        command = ["run", name, "--quick"]
        folder = ROOT / "runs" / "gallery" / config.stem
        subprocess.run([sys.executable, "-m", "sgdsim.cli", *command, "-q", "-o", str(folder)], check=True, cwd=ROOT)
        parts.append(_entry(config, folder, " ".join(["sgdsim", *command])))
    (ROOT / "docs" / "gallery.md").write_text("\n".join(parts), encoding="utf-8")


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
    main()
