"""IDX files: what was written is read, and what is wrong with a file is told."""

import gzip
import tempfile
from pathlib import Path

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from sgdsim.classification import Classification
from sgdsim.errors import ArgumentError
from sgdsim.images.idx import read_folder, read_idx
from tests.images.by_hand import FILES, idx_bytes, write_folder

SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=7)


@given(values=arrays.arrays(np.uint8, SHAPES), compressed=st.booleans())
def test_what_is_written_is_read(values, compressed):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("values.gz" if compressed else "values")
        content = idx_bytes(values)
        path.write_bytes(gzip.compress(content) if compressed else content)
        read = read_idx(path, values.ndim)
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, values)
        assert read.shape == values.shape


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda content: b"\0\0\x08\x01" + content[4:], r"magic number 0x00000803 in \S+, but got '0x00000801'"),
        (lambda content: b"\x89PNG" + content[4:], "magic number"),
        (lambda content: content[:-1], "12 bytes for 3 x 2 x 2 values .*11: the file is truncated"),
        (lambda content: content + b"\0", "more than 12: the file is too long"),
        (lambda content: content[:7], "header of 16 bytes .* '7 bytes'"),
        (lambda content: b"", "header of 16 bytes"),
        (
            lambda content: content[:4] + b"\xff" * 12 + content[16:],
            "at most 200000000 values .* '4294967295 x 4294967295 x",
        ),
        (lambda content: content[:4] + b"\0\0\x20\0" * 2 + b"\0\0\0\x02" + content[16:], "12: the file is truncated"),
    ],
)
def test_a_wrong_file_is_told(spoil, says, compressed, tmp_path):
    content = spoil(idx_bytes(np.arange(12, dtype=np.uint8).reshape(3, 2, 2)))
    path = tmp_path / f"images{'.gz' * compressed}"
    path.write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(ArgumentError, match=says) as caught:
        read_idx(path, 3)
    assert caught.value.argument == "data"
    assert path.name in str(caught.value)


def test_a_small_archive_of_many_bytes_is_not_read_to_its_end(tmp_path, monkeypatch):
    values = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx_bytes(values)) + gzip.compress(b"\0" * 10**8))
    read = []
    monkeypatch.setattr(gzip.GzipFile, "read", counting(gzip.GzipFile.read, read))
    with pytest.raises(ArgumentError, match="more than 12: the file is too long"):
        read_idx(path, 3)
    assert sum(read) == 16 + 12 + 1


def counting(read, counts):
    """The reader of a file that notes how many bytes it gave."""

    def counted(self, size=-1):
        found = read(self, size)
        counts.append(len(found))
        return found

    return counted


@pytest.mark.parametrize("name", ["x" * 300, "x\0y", "x/" * 3000])
def test_a_name_that_no_folder_can_have_is_none(name):
    with pytest.raises(ArgumentError, match="a folder with the IDX files of MNIST or the binary files") as caught:
        Classification(N=2, gamma=1.0, beta=0.5, data=name)
    assert len(str(caught.value)) < 1500


def test_a_broken_archive_is_told(tmp_path):
    path = tmp_path / "images.gz"
    whole = gzip.compress(idx_bytes(np.zeros((3, 2, 2), np.uint8)))
    for content in (whole[:-9], b"no archive", whole[:12] + b"\xff\xff\xff" + whole[15:]):
        path.write_bytes(content)
        with pytest.raises(ArgumentError, match=r"readable images\.gz"):
            read_idx(path, 3)


def test_a_folder_is_read_compressed_or_not(tmp_path):
    written = write_folder(tmp_path)
    for read, values in zip(read_folder(tmp_path), written, strict=True):
        np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(name, tmp_path):
    write_folder(tmp_path)
    for path in tmp_path.glob(f"{name}*"):
        path.unlink()
    with pytest.raises(ArgumentError, match=f"{name} or {name}.gz"):
        read_folder(tmp_path)
    with pytest.raises(ArgumentError, match="no such folder"):
        read_folder(tmp_path / "nowhere")


def test_images_and_labels_must_match(tmp_path):
    write_folder(tmp_path, train=6, test=3)
    (tmp_path / FILES[3]).write_bytes(idx_bytes(np.zeros(4, np.uint8)))
    (tmp_path / f"{FILES[3]}.gz").unlink()
    with pytest.raises(ArgumentError, match=f"{FILES[2]} and {FILES[3]}, but got '4 labels and 3 images'"):
        read_folder(tmp_path)
    write_folder(tmp_path, train=0)
    with pytest.raises(ArgumentError, match="0 labels and 0 images"):
        read_folder(tmp_path)


def test_both_sets_have_images_of_one_size(tmp_path):
    write_folder(tmp_path)
    (tmp_path / FILES[2]).write_bytes(idx_bytes(np.zeros((3, 3, 2), np.uint8)))
    with pytest.raises(ArgumentError, match="images of one size"):
        read_folder(tmp_path)
