"""What may happen to a file: the kinds of damage, each a function that does it to a path."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

HUGE = 1 << 40
"""Bytes of a file that nobody can read whole; none of them lies on a disk."""
JUNK = ("[]", "{}", "null", "3", '"x"', "[[[]]]", '{"format": 2}', '{"event": "begin"}', '{"cell": [], "error": 3}')
"""Valid JSON of a wrong shape."""
VALUES = (None, True, -1, 0, 1e308, 10**30, "", "x" * 300, [], {}, [[]], {"a": 1})
"""What stands in the place of a value of any other type."""


def flip(path: Path, random: Random) -> None:
    """One bit is another."""
    content = bytearray(path.read_bytes())
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)


def truncate(path: Path, random: Random) -> None:
    """The end is missing."""
    content = path.read_bytes()
    path.write_bytes(content[: random.randrange(len(content))])


def empty(path: Path, random: Random) -> None:
    """Nothing is left."""
    path.write_bytes(b"")


def zeros(path: Path, random: Random) -> None:
    """As long as it was, and all zeros: what a file system may leave after a crash."""
    path.write_bytes(bytes(len(path.read_bytes())))


def noise(path: Path, random: Random) -> None:
    """Bytes by chance."""
    path.write_bytes(random.randbytes(random.randrange(1, 5000)))


def junk(path: Path, random: Random) -> None:
    """Valid JSON, and not what is expected."""
    path.write_text(random.choice(JUNK) + "\n")


def nested(path: Path, random: Random) -> None:
    """Brackets within brackets: readers that call themselves have no end."""
    path.write_text("[" * 100_000)


def doubled(path: Path, random: Random) -> None:
    """The content twice."""
    path.write_bytes(path.read_bytes() * 2)


def digit(path: Path, random: Random) -> None:
    """A digit is another."""
    content = bytearray(path.read_bytes())
    places = [place for place, byte in enumerate(content) if 48 <= byte < 58]
    if places:
        place = random.choice(places)
        content[place] = random.choice([byte for byte in range(48, 58) if byte != content[place]])
    path.write_bytes(content)


def letter(path: Path, random: Random) -> None:
    """A letter of a name is another."""
    content = bytearray(path.read_bytes())
    places = [place for place, byte in enumerate(content) if chr(byte).isalpha()]
    if places:
        content[random.choice(places)] = ord("q")
    path.write_bytes(content)


def value(path: Path, random: Random) -> None:
    """One value of a JSON file, or of a line of one, is of another type or size, or gone."""
    lines = path.read_text(errors="replace").split("\n") if path.suffix == ".jsonl" else [path.read_text()]
    place = random.choice([number for number, line in enumerate(lines) if line.strip()] or [0])
    try:
        content = json.loads(lines[place])
    except ValueError:
        return junk(path, random)
    places = list(holders(content))
    if places:
        holder, key = random.choice(places)
        if random.random() < 0.3:
            del holder[key]
        else:
            holder[key] = random.choice(VALUES)
        lines[place] = json.dumps(content)
    path.write_text("\n".join(lines))
    return None


def holders(content):
    """Every place in a document where a value stands: what holds it, and under which key."""
    keys = content.keys() if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for key in keys:
        yield content, key
        yield from holders(content[key])


def gone(path: Path, random: Random) -> None:
    """Not there."""
    remove(path)


def folder(path: Path, random: Random) -> None:
    """A folder of that name, with something in it."""
    remove(path)
    path.mkdir()
    if random.random() < 0.5:
        (path / "x").write_text("x")


def file(path: Path, random: Random) -> None:
    """A regular file of that name."""
    remove(path)
    path.write_text(random.choice([*JUNK, "", "x"]))


def dangling(path: Path, random: Random) -> None:
    """A link to nothing."""
    remove(path)
    path.symlink_to(path.parent / "nowhere" / "at all")


def loop(path: Path, random: Random) -> None:
    """A link to itself."""
    remove(path)
    path.symlink_to(path.name)


def elsewhere(path: Path, random: Random) -> None:
    """A link to a word, as claims are, that names no process."""
    remove(path)
    path.symlink_to(random.choice(["x", "host", "host.1", "host.1.2", "a.b.c", "host.-1.0", "host.1e9.7", "/", "."]))


def fifo(path: Path, random: Random) -> None:
    """A pipe at whose other end is nobody."""
    remove(path)
    os.mkfifo(path)


def huge(path: Path, random: Random) -> None:
    """So long that no memory holds it."""
    os.truncate(path, HUGE)


def rights(path: Path, random: Random) -> None:
    """Nobody may read or write it."""
    path.chmod(0)


def mute(path: Path, random: Random) -> None:
    """Nobody may write it."""
    path.chmod(0o500 if path.is_dir() else 0o400)


Damage = Callable[[Path, Random], None]
PLACE: tuple[Damage, ...] = (gone, folder, file, dangling, loop, elsewhere, fifo)
"""What may stand where a file, a folder or a link was."""
BYTES: tuple[Damage, ...] = (flip, truncate, empty, zeros, noise, junk, nested, doubled, huge, rights, mute)
TEXT: tuple[Damage, ...] = (digit, letter, value, digit, value)
FOLDER: tuple[Damage, ...] = (gone, file, dangling, loop, fifo, rights, mute)


def kinds(path: Path) -> tuple[Damage, ...]:
    """What may happen to this path."""
    if path.is_symlink():
        return PLACE
    if path.is_dir():
        return FOLDER
    if path.stat().st_size == 0:
        return (*PLACE, junk, noise, huge, rights)
    return (*BYTES, *PLACE, *(TEXT if path.suffix in (".json", ".jsonl", ".toml", ".html") else (flip,) * 3))


def remove(path: Path) -> None:
    """Removes whatever stands there."""
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o700)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def restore(path: Path, source: Path) -> None:
    """Puts back what was damaged, as it is in the folder that the run is a copy of."""
    remove(path)
    if source.is_symlink():
        path.symlink_to(source.readlink())
    elif source.is_dir():
        shutil.copytree(source, path, symlinks=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, path)
