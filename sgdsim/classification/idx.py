"""IDX files, the format of MNIST: a magic number, a size for each dimension, and bytes."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from sgdsim.errors import ArgumentError

IMAGES, LABELS = 3, 1
"""Dimensions of a file of images (count, rows, columns), and of labels (count)."""
FILES = {
    "train images": ("train-images-idx3-ubyte", IMAGES),
    "train labels": ("train-labels-idx1-ubyte", LABELS),
    "test images": ("t10k-images-idx3-ubyte", IMAGES),
    "test labels": ("t10k-labels-idx1-ubyte", LABELS),
}
"""The four files of a folder, each as it is or with .gz behind its name."""

Folder = tuple[
    UInt8[np.ndarray, "train rows columns"],
    UInt8[np.ndarray, " train"],
    UInt8[np.ndarray, "test rows columns"],
    UInt8[np.ndarray, " test"],
]
"""Images and labels for training, then for testing."""


def read_idx(path: Path, dims: int) -> UInt8[np.ndarray, "..."]:
    """The bytes of an IDX file of so many dimensions, compressed or not.

    Big-endian: the magic number 0x00000800 + dims (unsigned bytes), a 32-bit size for each dimension, the values, the
    last index running fastest (LeCun, Cortes & Burges, the MNIST database).

    **Raises:** ArgumentError naming the file where it cannot be read, has another magic number, or ends too early or
    too late.
    """
    content = _content(path)
    magic, head = 0x800 + dims, 4 * (1 + dims)
    if len(content) < head:
        raise ArgumentError("data", f"have a header of {head} bytes in {path.name}", f"{len(content)} bytes", str(path))
    found, *sizes = struct.unpack(f">{1 + dims}I", content[:head])
    if found != magic:
        raise ArgumentError("data", f"have the magic number {magic:#010x} in {path.name}", f"{found:#010x}", str(path))
    expected = int(np.prod(sizes, dtype=object))
    if len(content) - head != expected:
        shape = " x ".join(map(str, sizes))
        got = f"{len(content) - head}: the file is {'truncated' if len(content) - head < expected else 'too long'}"
        raise ArgumentError("data", f"have {expected} bytes for {shape} values in {path.name}", got, str(path))
    return np.frombuffer(content, np.uint8, offset=head).reshape(sizes)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:  # a truncated archive is an EOFError
        raise ArgumentError(
            "data", f"have a readable {path.name}", str(error) or type(error).__name__, str(path)
        ) from (error)


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


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of writing (ns) of the four files of a folder.

    **Raises:** ArgumentError naming the file where one is missing.
    """
    files = [_find(folder, name) for name, _ in FILES.values()]
    return tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files)


def _find(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    found = sorted(path.name for path in folder.iterdir())[:8] if folder.is_dir() else "no such folder"
    raise ArgumentError("data", f"be a folder with a file {name} or {name}.gz", str(folder), f"There: {found}.")
