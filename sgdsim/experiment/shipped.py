"""Experiments by name, without JAX: those that come with sgdsim, those of runs, what was meant by neither."""

from collections.abc import Iterable
from pathlib import Path

from sgdsim.errors import ExperimentError


def shipped() -> dict[str, Path]:
    """The experiment files that come with sgdsim, by name: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    folder = next((folder for folder in (package / "configs", package.parent / "configs") if folder.is_dir()), package)
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.toml")}


def is_run(folder: Path) -> bool:
    """Whether a run was begun in a folder."""
    return (folder / "experiment.toml").is_file() and (folder / "blocks").is_dir()


def find_config(config: str) -> Path:
    """The file itself, the experiment of a run directory, or the shipped experiment of that name.

    **Raises:** ExperimentError where there is none of them, but a shipped experiment whose name is much like it.
    """
    path, known = Path(config), shipped()
    if is_run(path):
        return path / "experiment.toml"
    if path.exists() or config in known:
        return path if path.exists() else known[config]
    if meant := probably(config, known):
        also = "`sgdsim list` shows the experiments that come with sgdsim"
        raise ExperimentError(
            [f"{config}: no such file; did you mean {' or '.join(f'`{one}`' for one in meant)}? {also}"]
        )
    return path


def probably(config: str, known: Iterable[str]) -> list[str]:
    """The names that are most like this one: as a whole, or without the folder."""
    from sgdsim.experiment.wording import closest

    names = list(known)
    word = config.replace("\\", "/").removesuffix(".toml").removeprefix("configs/")
    close = closest(word, names)
    if close is None and (last := closest(word.rpartition("/")[2], {name.rpartition("/")[2]: None for name in names})):
        return sorted(name for name in names if name.rpartition("/")[2] == last)
    return [] if close is None else [close]
