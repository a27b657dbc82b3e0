"""A folder of images, in whichever of the two layouts it is: that of MNIST, or the binary files of CIFAR-10."""

from pathlib import Path

from sgdsim.images import cifar, idx


def is_folder(path: str) -> bool:
    """Whether there is a folder of this name; there is none of a name that no folder can have."""
    try:
        return Path(path).is_dir()
    except OSError:  # of a name that is too long, or that may not be looked at
        return False


def read_folder(folder: Path) -> idx.Folder:
    """Images and labels for training, then for testing. **Raises:** ArgumentError naming a file that is wrong."""
    return cifar.read_folder(folder) if cifar.has_files(folder) else idx.read_folder(folder)


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of writing (ns) of the files of a folder.

    **Raises:** ArgumentError naming the file where one is missing.
    """
    paths = cifar.paths(folder) if cifar.has_files(folder) else idx.paths(folder)
    return tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
