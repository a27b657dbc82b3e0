"""The binary files of CIFAR-10: what was written is read, and what is wrong with a file is told."""

import numpy as np
import pytest

from sgdsim.errors import ArgumentError
from sgdsim.images.cifar import RECORD, read_folder
from sgdsim.images.images import load_images
from tests.images.by_hand import CIFAR, write_cifar


def test_what_is_written_is_read(tmp_path):
    arrays = write_cifar(tmp_path, count=3)
    train, train_labels, test, test_labels = read_folder(tmp_path)
    for number, (labels, images) in enumerate(arrays[:5]):
        np.testing.assert_array_equal(train[3 * number : 3 * number + 3], images)
        np.testing.assert_array_equal(train_labels[3 * number : 3 * number + 3], labels)
    np.testing.assert_array_equal(test, arrays[5][1])
    np.testing.assert_array_equal(test_labels, arrays[5][0])


def test_a_colour_is_a_plane_and_rows_follow_one_another(tmp_path):
    write_cifar(tmp_path, count=1)
    content = bytearray((tmp_path / CIFAR[1]).read_bytes())
    content[0] = 7
    content[1 + 2 * 1024 + 5 * 32 + 9] = 251  # blue, row 5, column 9
    (tmp_path / CIFAR[1]).write_bytes(content)
    images, labels, _, _ = read_folder(tmp_path)
    assert images[1, 2, 5, 9] == 251
    assert labels[1] == 7


def test_a_folder_by_its_path_is_read_again_when_it_is_written_anew(tmp_path):
    write_cifar(tmp_path)
    first = load_images(str(tmp_path))
    assert (first.train.shape, first.test.shape, first.pixels) == ((10, 3072), (2, 3072), 3072)
    assert load_images(str(tmp_path)) is first
    train, _, test, _ = read_folder(tmp_path)
    np.testing.assert_allclose(first.test * train.std() + train.mean(), test.reshape(2, -1))
    arrays = write_cifar(tmp_path, count=3, seed=1)
    np.testing.assert_array_equal(load_images(str(tmp_path)).test_labels, arrays[5][0])


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        (CIFAR[2], lambda content: content[:-1], rf"records of 3073 bytes in data_batch_3.bin.*{2 * RECORD - 1} bytes"),
        (CIFAR[5], lambda content: content + b"\0", "records of 3073 bytes in test_batch.bin"),
        (CIFAR[0], lambda content: b"", "records of 3073 bytes in data_batch_1.bin, at least one .* '0 bytes'"),
        (CIFAR[4], lambda content: content[:RECORD], "as many images in data_batch_5.bin as in data_batch_1.bin, 2"),
        (
            CIFAR[1],
            lambda content: content[:RECORD] + b"\x0a" + content[RECORD + 1 :],
            "labels from 0 to 9 in data_batch_2.bin, but got '10, of image 1'.*the binary version",
        ),
    ],
)
def test_a_wrong_file_is_told(name, spoil, says, tmp_path):
    write_cifar(tmp_path)
    path = tmp_path / name
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ArgumentError, match=says) as caught:
        load_images(str(tmp_path))
    assert caught.value.argument == "data"


def test_a_missing_file_is_told(tmp_path):
    write_cifar(tmp_path)
    (tmp_path / CIFAR[3]).unlink()
    with pytest.raises(ArgumentError, match=r"all six files of CIFAR-10, data_batch_4\.bin too"):
        load_images(str(tmp_path))


def test_an_unreadable_file_is_told(tmp_path, monkeypatch):
    write_cifar(tmp_path)

    def broken(*_):
        raise OSError("Input/output error")

    monkeypatch.setattr(np, "fromfile", broken)
    with pytest.raises(ArgumentError, match=r"readable data_batch_1\.bin, but got 'Input/output error'"):
        load_images(str(tmp_path))
