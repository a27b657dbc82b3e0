"""Block files and data sets by chance: each is read as it was written, or refused by the exception that is for it."""

import gzip
import io
import json
import shutil
import traceback
import zipfile
from pathlib import Path
from random import Random

import numpy as np

from sgdsim.store.block_file import SpoiltBlock
from sgdsim.store.directory import RunDirectory
from tests.images.by_hand import FILES, idx_bytes, write_folder
from tests.processes import ROOT
from tests.torture import damage
from tests.torture.lab import Lab, Loss
from tests.torture.parts import chance
from tests.torture.pool import PoolPart, command, refused_or_taken

BOMB = 1 << 30
"""Bytes that a few megabytes of a zip or gzip file hold."""


class Blocks(PoolPart):
    """Changed block files, read as a run reads them."""

    name = "blocks"
    help = "block files by chance, read bit for bit or found spoilt"
    count, small = 3000, 100

    def prepare(self, lab: Lab) -> None:
        """See `PoolPart`."""
        self._source = lab.finished
        directory = RunDirectory(lab.finished)
        self._cells = directory.read_layout()
        self._packed = packed()

    def warm(self, place: Path) -> None:
        """See `PoolPart`."""
        shutil.copytree(self._source, place / "run", symlinks=True)
        cell = self._cells[0]
        RunDirectory(place / "run").read_block(cell.blocks[0], cell.lanes)

    def case(self, seed: int, place: Path) -> str:
        """One file."""
        random = chance(self.name, seed)
        cell = random.choice(self._cells)
        block = random.choice(cell.blocks)
        directory, whole = RunDirectory(place / "run"), RunDirectory(self._source)
        path = directory.path_of(block)
        how = random.choice([bits, bits, cut, spliced, header, header, arrays])
        if random.random() < 0.01:  # each takes seconds where it is unpacked
            how = self._bomb
        content = whole.path_of(block).read_bytes()
        other = whole.path_of(random.choice(random.choice(self._cells).blocks)).read_bytes()
        path.write_bytes(how(content, other, random))
        name = how.__name__.strip("_")
        try:
            found, head = directory.read_block(block, cell.lanes)
        except SpoiltBlock as error:
            if len(str(error)) > 1000 or "\n" in str(error):
                raise Loss(f"{name}: not one line: {str(error)[:1500]!r}") from None
            return "spoilt"
        except Exception as error:
            trace = traceback.format_exc(limit=-4)
            raise Loss(f"{name}: {type(error).__name__} where it should be SpoiltBlock\n{trace}") from None
        expected, _ = whole.read_block(block, cell.lanes)
        for key, array in expected.tiles.to_arrays().items():
            now = found.tiles.to_arrays().get(key)
            if now is None or (now.dtype, now.shape, now.tobytes()) != (array.dtype, array.shape, array.tobytes()):
                raise Loss(f"{name}: other numbers of {key} were read")
        kinds = (type(found.wall_seconds), type(found.replica_steps), type(head.worker))
        if kinds not in ((float, int, str), (int, int, str)):
            raise Loss(f"{name}: a header of other types was taken: {head}")
        return "whole"

    def _bomb(self, content: bytes, other: bytes, random: Random) -> bytes:
        """Little that unpacks to very much."""
        return self._packed


def bits(content: bytes, other: bytes, random: Random) -> bytes:
    """Some bits are others; half of the time near the end, where a zip file is described."""
    changed = bytearray(content)
    for _ in range(random.choice([1, 1, 2, 5])):
        place = random.randrange(len(changed) - 300 if random.random() < 0.5 else 0, len(changed))
        changed[place] ^= 1 << random.randrange(8)
    return bytes(changed)


def cut(content: bytes, other: bytes, random: Random) -> bytes:
    """A part is missing, or zero, or there twice."""
    first, second = sorted(random.sample(range(len(content) + 1), 2))
    part = random.choice([b"", bytes(second - first), content[first:second] * 2])
    return content[:first] + part + content[second:]


def spliced(content: bytes, other: bytes, random: Random) -> bytes:
    """Another block's content from some place on, or its end, or all of it."""
    place = random.choice([0, random.randrange(len(content))])
    return content[:place] + other[place:]


def header(content: bytes, other: bytes, random: Random) -> bytes:
    """What the block says of itself is of another type, size or value."""
    with np.load(io.BytesIO(content)) as stored:
        parts = dict(stored)
    entry = json.loads(parts["receipt"].tobytes())
    holder, key = random.choice(list(damage.holders(entry)))
    if random.random() < 0.2:
        del holder[key]
    else:
        holder[key] = random.choice([*damage.VALUES, "O", "<U300", "|O8", "V9", [-1], [10**12, 10**12], "\u001b[31m"])
    text = json.dumps(entry) if random.random() < 0.9 else random.choice(["[" * 50_000, "NaN", "", "9" * 6000])
    parts["receipt"] = np.frombuffer(text.encode(), np.uint8)
    return saved(parts)


def arrays(content: bytes, other: bytes, random: Random) -> bytes:
    """The arrays of the file are others, of another type, more, or fewer."""
    with np.load(io.BytesIO(content)) as stored:
        parts = dict(stored)
    name = random.choice(list(parts))
    odd = np.array([{"a": 1}, None], dtype=object)
    choices = [odd, parts[name][:-8], np.zeros(0), np.float64(1), parts[name].astype(np.float32), np.array("text")]
    how = random.randrange(3)
    if how == 0:
        del parts[name]
    elif how == 1:
        parts[random.choice(["x", "../../x", "x/y", "numbers "])] = random.choice(choices)
    else:
        parts[name] = random.choice(choices)
    return saved(parts)


def saved(parts: dict) -> bytes:
    """Arrays as a file."""
    stream = io.BytesIO()
    np.savez(stream, **parts)
    return stream.getvalue()


def packed() -> bytes:
    """A zip file of megabytes that unpacks to gigabytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in ("numbers.npy", "receipt.npy"):
            with archive.open(name, "w", force_zip64=True) as entry:
                head = io.BytesIO()
                np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (BOMB,)})
                entry.write(head.getvalue())
                for _ in range(BOMB >> 24):
                    entry.write(bytes(1 << 24))
    return stream.getvalue()


class Images(PoolPart):
    """Changed folders of IDX files, as an experiment's data."""

    name = "idx"
    help = "IDX folders by chance, planned or refused"
    count, small = 300, 20

    def prepare(self, lab: Lab) -> None:
        """See `PoolPart`."""
        self._bomb = gzip.compress(idx_bytes(np.zeros((BOMB >> 8, 16, 16), np.uint8)), 1)

    def warm(self, place: Path) -> None:
        """See `PoolPart`."""
        command(*self._plan("digits"))

    def case(self, seed: int, place: Path) -> str:
        """One folder."""
        random, folder = chance(self.name, seed), place / f"data{seed}"
        folder.mkdir()
        write_folder(folder, seed=seed)
        what = self._spoil(folder, random)
        try:
            return refused_or_taken(self._plan(str(folder)), what)
        finally:
            shutil.rmtree(folder)

    def _plan(self, data: str) -> list[str]:
        config = ROOT / "configs" / "classification" / "small_gamma.toml"
        return [
            "plan",
            str(config),
            "--set",
            f'problem.data="{data}"',
            "--set",
            "problem.N=100",
            "--set",
            "problem.batch=2",
        ]

    def _spoil(self, folder: Path, random: Random) -> str:
        path = folder / random.choice(sorted(path.name for path in folder.iterdir()))
        how = random.random()
        if how < 0.02:
            path.unlink()
            (folder / f"{FILES[0]}.gz").write_bytes(self._bomb)
            return "a gzip file that unpacks to gigabytes"
        if how < 0.4 and path.suffix == ".gz":
            content = bytearray(gzip.decompress(path.read_bytes()))
            content[random.randrange(min(len(content), 20))] = random.choice([0, 1, 3, 8, 127, 128, 255])
            path.write_bytes(gzip.compress(bytes(content)))
            return f"{path.name}: another byte within the archive"
        if how < 0.4:
            content = bytearray(path.read_bytes())
            content[random.randrange(16)] = random.choice([0, 1, 3, 8, 127, 128, 255])
            path.write_bytes(content)
            return f"{path.name}: another byte of the header"
        kind = random.choice(damage.kinds(path))
        kind(path, random)
        return f"{path.name}: {kind.__name__}"
