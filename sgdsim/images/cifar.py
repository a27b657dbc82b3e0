"""The binary files of CIFAR-10: records of a label and the bytes of one colour image."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from sgdsim.errors import ArgumentError
from sgdsim.images.idx import LARGEST, Folder

TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = "test_batch.bin"
CLASSES = 10
SHAPE = (3, 32, 32)
"""Red, green and blue, each row by row."""
RECORD = 1 + 3 * 32 * 32
"""Bytes of one image and its label."""


def has_files(folder: Path) -> bool:
    """Whether a folder has any of the six files, as one of another data set has not."""
    return any((folder / name).is_file() for name in (*TRAIN, TEST))


def paths(folder: Path) -> tuple[Path, ...]:
    """The five files of training images, and that of test images.

    **Raises:** ArgumentError naming a file that is missing.
    """
    found = tuple(folder / name for name in (*TRAIN, TEST))
    for path in found:
        if not path.is_file():
            raise ArgumentError("data", f"be a folder with all six files of CIFAR-10, {path.name} too", str(folder))
    return found


def read_batch(path: Path) -> tuple[UInt8[np.ndarray, "count 3 32 32"], UInt8[np.ndarray, " count"]]:
    """Images and labels of one file.

    A record of 3073 bytes is a label from 0 to 9, and then the red, green and blue of 32 x 32 pixels, row by row
    (Krizhevsky, Learning multiple layers of features from tiny images, 2009).

    **Raises:** ArgumentError naming the file where it cannot be read, is no whole number of records, has none or too
    many, or a label is beyond 9.
    """
    try:
        size = path.stat().st_size
        if size % RECORD or not 0 < size <= LARGEST:
            must = f"have records of {RECORD} bytes in {path.name}, at least one and at most {LARGEST // RECORD}"
            raise ArgumentError("data", must, f"{size} bytes", str(path))
        records = np.fromfile(path, np.uint8).reshape(-1, RECORD)
    except OSError as error:
        raise ArgumentError("data", f"have a readable {path.name}", str(error), str(path)) from error
    beyond = np.flatnonzero(records[:, 0] >= CLASSES)
    if len(beyond):
        must, got = f"have labels from 0 to 9 in {path.name}", int(records[beyond[0], 0])
        raise ArgumentError("data", must, f"{got}, of image {beyond[0]}", "Is it the binary version of CIFAR-10?")
    return records[:, 1:].reshape(-1, *SHAPE), records[:, 0]


def read_folder(folder: Path) -> Folder:
    """Images and labels for training, then for testing, of a folder with the binary version of CIFAR-10.

    **Raises:** ArgumentError naming the file where one is missing or wrong, or has another number of images than the
    others.
    """
    files = paths(folder)
    parts = [read_batch(path) for path in files]
    for path, (images, _) in zip(files, parts, strict=True):
        # CIFAR-10 has 10 000 in each: what was cut off between two records shows here alone.
        if len(images) != len(parts[0][0]):
            must = f"have as many images in {path.name} as in {files[0].name}, {len(parts[0][0])}"
            raise ArgumentError("data", must, len(images), str(folder))
    *train, (test, test_labels) = parts
    images, labels = (np.concatenate(columns) for columns in zip(*train, strict=True))
    return images, labels, test, test_labels
