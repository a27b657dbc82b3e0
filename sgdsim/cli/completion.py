"""What a shell may complete the name of an experiment to."""

from pathlib import Path

from sgdsim.experiment.shipped import shipped


def complete(incomplete: str) -> list[str]:
    """Names of shipped experiments that begin so, and files and folders: for the completion of a shell."""
    head, _, _ = incomplete.rpartition("/")
    folder = Path(head or ("/" if incomplete.startswith("/") else "."))
    try:
        found = [path for path in folder.iterdir() if path.is_dir() or path.suffix == ".toml"]
    except OSError:
        found = []
    paths = [f"{path.as_posix()}/" if path.is_dir() else path.as_posix() for path in found]
    return sorted(name for name in {*shipped(), *paths} if name.startswith(incomplete))
