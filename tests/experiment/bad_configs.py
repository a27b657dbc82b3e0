"""Wrong experiment files, each with the lines that tell what is wrong: the table of all tests of bad input.

Most are in bad_configs.txt, as changes to the good file below:

    [name]
    - a line to take out
    + a line to put there instead (the last place a line was taken out)
    --set an option
    --quick
    > a line of the expected answer; one that ends in "..." is the beginning of it, and the rest is worded elsewhere
"""

from dataclasses import dataclass, field
from pathlib import Path

GOOD = """\
title = "Deviation from the ODE"
system = "committee"

[problem]
k = 2
p0 = 2
noise = 0.01

[grid]
d = [50, 100]

[start]
kind = "overlap"
overlap = 0.5

[times]
final = 1.0
count = 5

[theory]
kind = "exact"

[simulator]
kind = "chain"

[ensemble]
replicas = 8

[fits.scaling]
quantity = "sup_deviation"
against = "dt"

[report]
figures = ["scaling"]
"""


@dataclass
class Bad:
    """A wrong experiment.toml, the `path` and `options` to load it with, and the lines of the answer."""

    name: str
    lines: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    content: bytes = b""
    path: str = "experiment.toml"
    quick: bool = False

    def write(self, folder: Path) -> None:
        (folder / "experiment.toml").write_bytes(self.content)

    def tells(self, problems: list[str]) -> bool:
        """Whether these are the expected lines."""
        return len(problems) == len(self.lines) and all(
            problem.startswith(line[:-3]) if line.endswith("...") else problem == line
            for problem, line in zip(problems, self.lines, strict=True)
        )


def _read(block: str) -> Bad:
    """One entry of bad_configs.txt."""
    name, *changes = block.splitlines()
    bad, text, place = Bad(name.strip("[]")), GOOD.splitlines(), 0
    for mark, rest in ((change[:1], change[2:]) for change in changes):
        if mark == "+":
            text.insert(place, rest)
            place += 1
        elif mark == ">":
            bad.lines.append(rest)
        elif (mark, rest) == ("-", "quick"):
            bad.quick = True
        elif rest.startswith("set "):
            bad.options.append(rest.removeprefix("set "))
        else:
            assert mark == "-", f"{name}: what is {mark}?"
            assert text.count(rest) == 1, f"{name}: {rest} is there {text.count(rest)} times"
            place = text.index(rest)
            del text[place]
    bad.content = "\n".join([*text, ""]).encode()
    return bad


def _changed() -> list[Bad]:
    blocks = Path(__file__).with_suffix(".txt").read_text().strip().split("\n\n")
    return [_read(block) for block in blocks if not block.startswith("#")]


BAD = [
    Bad(
        "no file",
        ["none.toml: no such file; `sgdsim list` shows the experiments that come with sgdsim"],
        path="none.toml",
    ),
    Bad("folder", [".: is a folder; give the experiment's TOML file"], path="."),
    Bad(
        "not UTF-8",
        ["experiment.toml:2: not UTF-8 text (byte 0xff); save the file as UTF-8"],
        content=b'title = "ok"\nsystem = "\xff"\n',
    ),
    Bad(
        "nested too deeply",
        ["experiment.toml:1: more than 10 levels of brackets; no experiment has"],
        content=b"a = " + b"[" * 5000,
    ),
    Bad(
        "integer too long",
        ["experiment.toml:1: more than 1000 characters without quotes or a blank; no experiment has"],
        content=b"a = " + b"1" * 5000,
    ),
    Bad(
        "empty file",
        [
            'experiment.toml: system: missing; add it, e.g. `system = "committee"`',
            "experiment.toml: problem: missing; add a table [problem]",
            "experiment.toml: start: missing; add a table [start]",
            "experiment.toml: times: missing; add a table [times]",
            "experiment.toml: ensemble: missing; add a table [ensemble]",
        ],
    ),
    *_changed(),
]
