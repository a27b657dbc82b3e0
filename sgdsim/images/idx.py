"""IDX files, the format of MNIST: a magic number, a size for each dimension, and bytes."""

import gzip
import math
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from sgdsim.errors import ArgumentError

IMAGES, LABELS = 3, 1
"""Dimensions of a file of images (count, rows, columns), and of labels (count)."""
LARGEST = 200_000_000
"""Values of a file at most: four times the images of MNIST."""
_PIECE = 1 << 20
FILES = {
    "train images": ("train-images-idx3-ubyte", IMAGES),
    "train labels": ("train-labels-idx1-ubyte", LABELS),
    "test images": ("t10k-images-idx3-ubyte", IMAGES),
    "test labels": ("t10k-labels-idx1-ubyte", LABELS),
}
"""The four files of a folder, each as it is or with .gz behind its name."""

Folder = tuple[
    UInt8[np.ndarray, "train *pixels"],
    UInt8[np.ndarray, " train"],
    UInt8[np.ndarray, "test *pixels"],
    UInt8[np.ndarray, " test"],
]
"""Images and labels for training, then for testing."""


def read_idx(path: Path, dims: int) -> UInt8[np.ndarray, "..."]:
    """The bytes of an IDX file of so many dimensions, compressed or not.

    Big-endian: the magic number 0x00000800 + dims (unsigned bytes), a 32-bit size for each dimension, the values, the
    last index running fastest (LeCun, Cortes & Burges, the MNIST database). No more is read than the sizes promise, as
    a small archive may hold any number of bytes.

    **Raises:** ArgumentError naming the file where it cannot be read, has another magic number, ends too early or too
    late, or has more than `LARGEST` values.
    """
    try:
        with _opened(path) as file:
            sizes = _sizes(file.read(4 * (1 + dims)), path, dims)
            # What does not compress grows by a thousandth. Zeros behind an archive, as many as there may be, are no end
            # of it, and would be read one by one.
            if path.stat().st_size > 1.01 * math.prod(sizes) + _PIECE:
                raise ArgumentError(
                    "data", f"have {math.prod(sizes)} values in {path.name}", "a longer file", str(path)
                )
            values, left = _values(file, math.prod(sizes))
    except (OSError, EOFError, zlib.error) as error:  # a truncated archive is an EOFError
        must = f"have a readable {path.name}"
        raise ArgumentError("data", must, str(error) or type(error).__name__, str(path)) from error
    if left:
        shape = " x ".join(map(str, sizes))
        many = math.prod(sizes)
        got = f"more than {many}: the file is too long" if left > 0 else f"{many + left}: the file is truncated"
        raise ArgumentError("data", f"have {many} bytes for {shape} values in {path.name}", got, str(path))
    return values.reshape(sizes)


def _opened(path: Path) -> BufferedIOBase:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _sizes(header: bytes, path: Path, dims: int) -> list[int]:
    """The sizes that a header tells. **Raises:** ArgumentError where it is none, or they are too large."""
    magic, length = 0x800 + dims, 4 * (1 + dims)
    if len(header) < length:
        raise ArgumentError(
            "data", f"have a header of {length} bytes in {path.name}", f"{len(header)} bytes", str(path)
        )
    found, *sizes = struct.unpack(f">{1 + dims}I", header)
    if found != magic:
        raise ArgumentError("data", f"have the magic number {magic:#010x} in {path.name}", f"{found:#010x}", str(path))
    if math.prod(sizes) > LARGEST:
        shape = " x ".join(map(str, sizes))
        raise ArgumentError("data", f"have at most {LARGEST} values in {path.name}", shape, str(path))
    return sizes


def _values(file: BufferedIOBase, count: int) -> tuple[UInt8[np.ndarray, " count"], int]:
    """So many bytes of a file, and how many fewer it has, as a negative number, or 1 where there is more."""
    values = np.empty(count, np.uint8)
    filled = 0
    # Piece by piece: what a header promises falsely takes no memory.
    while piece := file.read(min(_PIECE, count - filled)):
        values[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
        filled += len(piece)
    # The byte behind the last is asked for in any case: only then an archive compares its checksum.
    return values, filled - count or len(file.read(1))


def read_folder(folder: Path) -> Folder:
    """Images and labels for training, then for testing, of a folder in the layout of MNIST.

    **Raises:** ArgumentError naming the file where one is missing or wrong, has no image, or where images and labels
    differ in number or the two sets of images in size.
    """
    train, train_labels, test, test_labels = (read_idx(_find(folder, name), dims) for name, dims in FILES.values())
    for part, images, labels in (("train", train, train_labels), ("test", test, test_labels)):
        files = f"{FILES[f'{part} images'][0]} and {FILES[f'{part} labels'][0]}"
        if len(images) != len(labels) or not len(images):
            must = f"have as many labels as images, and at least one, in {files}"
            raise ArgumentError("data", must, f"{len(labels)} labels and {len(images)} images", str(folder))
    if train.shape[1:] != test.shape[1:]:
        files = f"{FILES['train images'][0]} and {FILES['test images'][0]}"
        raise ArgumentError("data", f"have images of one size in {files}", [train.shape[1:], test.shape[1:]])
    return train, train_labels, test, test_labels


def paths(folder: Path) -> tuple[Path, ...]:
    """The four files of a folder. **Raises:** ArgumentError naming one that is missing."""
    return tuple(_find(folder, name) for name, _ in FILES.values())


def _find(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    found = sorted(path.name for path in folder.iterdir())[:8] if folder.is_dir() else "no such folder"
    raise ArgumentError("data", f"be a folder with a file {name} or {name}.gz", str(folder), f"There: {found}.")
