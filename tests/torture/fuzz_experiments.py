"""Experiment files and --set options by chance: each is planned, or refused in plain lines."""

import re
from pathlib import Path
from random import Random

from tests.experiment.bad_configs import GOOD
from tests.processes import ROOT
from tests.torture.lab import Lab
from tests.torture.parts import chance
from tests.torture.pool import PoolPart, command, refused_or_taken

SHIPPED = (
    *("committee/theorem", "committee/fluctuations", "committee/large_batch", "committee/batch_reuse"),
    *("committee/per_replica", "committee/phase_diagram", "committee/weights_check", "committee/momentum"),
    *("committee/gd_to_one_pass", "committee/optimisers", "committee/three_layers", "committee/universality"),
    *("committee/universality_images", "committee/mixture", "committee/effective_noise", "committee/sign"),
    *("meanfield/density", "meanfield/linear_noise", "meanfield/rates", "meanfield/mei", "meanfield/bridge"),
    *("recovery/aging", "recovery/dmft", "recovery/linear_regression", "recovery/sgd_is_faster"),
    *("recovery/interrupted_aging", "classification/histograms", "classification/regularisation"),
    *("classification/bad_minima",),
)
"""Files that are changed: of every system, and all of them planned in less than a second."""
NUMBERS = (
    *("0", "1", "-1", "2", "-0.0", "0.5", "1e308", "1e-308", "5e-324", "inf", "-inf", "nan", "1_000_000_000_000"),
    *("9223372036854775807", "18446744073709551616", "1" + "0" * 30, "9" * 5000, "1e12", "1e300", "0x7fffffff"),
)
LIKELY = ("0.01", "0.1", "0.3", "1.0", "2", "3", "5", "10", "40", "100", "1000")
OTHERS = (
    *("true", "[]", "{}", '""', '"x"', "[[]]", "[1, 2]", "[1e400]", '[1, "x"]', "1979-05-27T07:32:00Z", "07:32:00"),
    *('"' + "x" * 300 + '"', '"' + "a/" * 3000 + '"', '"\\u0000"', '"\\u001b[31mred"', '"\\u009b1A"', '"../../x"'),
    *('"digits"', '"none"', "[" * 200 + "]" * 200, "{a = {b = {c = 1}}}", '"💥"', "[" + "1," * 3000 + "]"),
)
GIANTS = (
    lambda text: "\n" * 3_000_000 + text,
    lambda text: text + ".".join(["a"] * 20_000) + " = 1\n",
    lambda text: text + "x = " + "9" * 100_000 + "\n",
    lambda text: text + "x = " + "[" * 5_000 + "\n",
    lambda text: text + "".join(f"k{number} = 1\n" for number in range(50_000)),
    lambda text: text + "[" + ".".join(["a"] * 5_000) + "]\n",
    lambda text: text + "# " + "x" * 5_000_000 + "\n",
    lambda text: text + "x = '''" + "line\n" * 500_000 + "'''\n",
)
"""Files that are as long as nobody writes them."""
_PAIR = re.compile(r"^( *[\w.\"-]+ *= *)(.+)$", re.MULTILINE)
_NAME = re.compile(r"^(\w+)( *=)", re.MULTILINE)


def corpus() -> list[str]:
    """The files that are changed."""
    return [GOOD, *((ROOT / "configs" / f"{name}.toml").read_text() for name in SHIPPED)]


def odd(random: Random) -> str:
    """A value that may be expected, or not at all."""
    return random.choice(random.choice([NUMBERS, NUMBERS, LIKELY, LIKELY, OTHERS]))


def other_value(text: str, random: Random) -> str:
    """A key has another value."""
    found = list(_PAIR.finditer(text))
    if not found:
        return text
    match = random.choice(found)
    inner = random.random()
    value = odd(random) if inner < 0.6 else f"[{odd(random)}, {odd(random)}]" if inner < 0.8 else f"[{match[2]}]"
    return text[: match.start(2)] + value + text[match.end(2) :]


def other_name(text: str, random: Random) -> str:
    """A key has another name, a near one or that of another key."""
    found = list(_NAME.finditer(text))
    if not found:
        return text
    match, stranger = random.choice(found), random.choice(found)
    name = random.choice([match[1][:-1] or "x", match[1] + "s", stranger[1], f'"{match[1]}\\u0007"', "quick"])
    return text[: match.start(1)] + name + text[match.end(1) :]


def other_lines(text: str, random: Random) -> str:
    """Lines are missing, doubled, or elsewhere."""
    lines = text.splitlines()
    first, second = random.randrange(len(lines)), random.randrange(len(lines))
    how = random.randrange(4)
    if how == 0:
        del lines[first]
    elif how == 1:
        lines.insert(second, lines[first])
    elif how == 2:
        lines.insert(second, lines.pop(first))
    else:
        lines[min(first, second) : max(first, second)] = []
    return "\n".join(lines) + "\n"


def other_bytes(content: bytes, random: Random) -> bytes:
    """Bytes are others, missing, or too many."""
    content = bytearray(content)
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(content) + 1)
        how = random.randrange(4)
        if how == 0 and place < len(content):
            content[place] ^= 1 << random.randrange(8)
        elif how == 1:
            content[place:place] = random.randbytes(random.randint(1, 8))
        elif how == 2:
            del content[place : place + random.randint(1, 60)]
        else:
            content[place:place] = random.choice(b"\"'[]{}=.#\n\\\0").to_bytes() * random.randint(1, 3)
    return bytes(content)


def mixed(random: Random, files: list[str]) -> bytes:
    """A changed file: mostly valid TOML with odd values, else with other lines or bytes."""
    text = random.choice(files)
    if random.random() < 0.01:
        return random.choice(GIANTS)(text).encode()
    if random.random() < 0.1:
        other = random.choice(files).splitlines()
        start = random.randrange(len(other))
        text += "\n".join(other[start : start + random.randint(1, 12)]) + "\n"
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        text = random.choice([other_value, other_value, other_value, other_name, other_lines])(text, random)
    content = text.encode()
    return other_bytes(content, random) if random.random() < 0.2 and content else content


class Experiments(PoolPart):
    """Changed experiment files."""

    name = "toml"
    help = "experiment files by chance, planned or refused"
    count, small = 3000, 40

    def prepare(self, lab: Lab) -> None:
        """See `PoolPart`."""
        self._files = corpus()

    def warm(self, place: Path) -> None:
        """See `PoolPart`."""
        command("plan", str(ROOT / "configs" / f"{SHIPPED[0]}.toml"))

    def case(self, seed: int, place: Path) -> str:
        """One file."""
        path = place / "experiment.toml"
        path.write_bytes(mixed(chance(self.name, seed), self._files))
        quick = ["--quick"] if seed % 10 == 0 else []
        return refused_or_taken(
            ["plan", str(path), *quick], f"a file of {path.stat().st_size} bytes{self._change(path)}"
        )

    def told(self, seed: int, place: Path) -> str:
        """See `PoolPart`."""
        return self._change(place / "experiment.toml")

    def _change(self, path: Path) -> str:
        """The lines of a file that none of the good ones has."""
        known = {line for text in self._files for line in text.splitlines()}
        lines = path.read_bytes().decode(errors="replace").splitlines()
        return "".join(f"\n| {line[:300]}" for line in lines if line not in known)[:1500]


class Options(PoolPart):
    """Options --set."""

    name = "set"
    help = "--set options by chance, planned or refused"
    count, small = 1000, 20

    def prepare(self, lab: Lab) -> None:
        """See `PoolPart`."""
        self._keys = {name: keys((ROOT / "configs" / f"{name}.toml").read_text()) for name in SHIPPED}

    def warm(self, place: Path) -> None:
        """See `PoolPart`."""
        command("plan", str(ROOT / "configs" / f"{SHIPPED[0]}.toml"))

    def case(self, seed: int, place: Path) -> str:
        """One to three options."""
        arguments = self._arguments(seed)
        return refused_or_taken(arguments, " ".join(argument[:200] for argument in arguments))

    def told(self, seed: int, place: Path) -> str:
        """See `PoolPart`."""
        return " ".join(argument[:200] for argument in self._arguments(seed))

    def _arguments(self, seed: int) -> list[str]:
        random = chance(self.name, seed)
        name = random.choice(SHIPPED)
        arguments = ["plan", str(ROOT / "configs" / f"{name}.toml")]
        for _ in range(random.choice([1, 1, 2, 3])):
            # Mostly a key of the file itself: that of another system is refused before its value is looked at.
            known = self._keys[name if random.random() < 0.8 else random.choice(SHIPPED)]
            arguments += ["--set", option(random, known)]
        return arguments


def keys(text: str) -> list[str]:
    """Every dotted key of a file."""
    found, table = [], ""
    for line in text.splitlines():
        if match := re.fullmatch(r"\[([\w.]+)\]", line):
            table = match[1] + "."
        elif match := _NAME.match(line):
            found.append(table + match[1])
    return found


def option(random: Random, known: list[str]) -> str:
    """KEY=VALUE, or nearly."""
    key, value = random.choice(known), odd(random)
    how = random.random()
    if how < 0.7:
        return f"{key}={value}"
    if how < 0.8:
        return f"{key}{random.choice(['', '.', '.x', '.x.y', '..', '[0]', '.' * 300, '.a' * 20_000])}={value}"
    if how < 0.9:
        text = "".join(random.choice("ab.=[]{}\"'\\#\n\t\x1b é💥1e9-") for _ in range(random.randint(0, 40)))
        return text if random.random() < 0.5 else f"{key}={text}"
    return random.choice([key, f"{key}=", "=", f"={value}", f"{key} = {value}", f"grid.{key}={value}", "x" * 100_000])
