"""IDX files of a small made-up data set."""

import gzip
import struct

import numpy as np

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx_bytes(values):
    """An array of bytes as an IDX file."""
    return struct.pack(f">{1 + values.ndim}I", 0x800 + values.ndim, *values.shape) + values.tobytes()


def write_folder(folder, train=6, test=3, size=2, seed=0):
    """The four files of a small made-up data set, two of them compressed; returns the arrays."""
    rng = np.random.default_rng(seed)
    arrays = []
    for name, count in zip(FILES, (train, train, test, test), strict=True):
        labels = "labels" in name
        values = rng.integers(0, 3, count, np.uint8) if labels else rng.integers(0, 256, (count, size, size), np.uint8)
        path = folder / (f"{name}.gz" if labels else name)
        path.write_bytes(gzip.compress(idx_bytes(values)) if labels else idx_bytes(values))
        arrays.append(values)
    return arrays


CIFAR = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")


def write_cifar(folder, count=2, seed=0):
    """The six files of a made-up CIFAR-10 of so many images in each; returns a list of labels and images for each."""
    rng = np.random.default_rng(seed)
    arrays = []
    for name in CIFAR:
        labels, images = rng.integers(0, 10, count, np.uint8), rng.integers(0, 256, (count, 3, 32, 32), np.uint8)
        records = b"".join(bytes([label]) + image.tobytes() for label, image in zip(labels, images, strict=True))
        (folder / name).write_bytes(records)
        arrays.append((labels, images))
    return arrays
