"""Pages of the documentation as programs: blocks of code in order, with what they say is printed."""

import contextlib
import io
import itertools
import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from sgdsim import cli
from tests.house.source import ROOT

FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the rest of the line of its fence, and what is in it."""

    language: str
    info: str
    text: str

    @property
    def title(self) -> str:
        """The file that it is the content of, where its fence says so: title="my.toml"."""
        found = re.search(r'title="([^"]+)"', self.info)
        return found[1] if found else ""


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order, without what they are indented by."""
    for _, info, text in FENCE.findall(page.read_text()):
        language, _, rest = info.strip().partition(" ")
        yield Block(language, rest, textwrap.dedent(text))


def commands(page: Path) -> Iterator[list[str]]:
    """Every command of ours that a page has: in blocks of a shell, indented, or in backquotes in the text."""
    text = page.read_text()
    prose = FENCE.sub("", text)
    shell = [line for block in blocks(page) if block.language in ("bash", "sh") for line in _joined(block.text)]
    spans = [" ".join(span.split()) for span in re.findall(r"`(sgdsim [^`]+)`", prose)]
    indented = [line.strip() for line in prose.splitlines() if re.match(r" {4}(sgdsim|make|python) ", line)]
    for line in [*shell, *indented, *spans]:
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"exec|[A-Z_]+=\S*", words[0]):
            words = words[1:]
        words = list(itertools.takewhile(lambda word: word not in ("&", "|", "&&", ";"), words))
        if len(words) > 1 and words[0] in ("sgdsim", "make", "python") and "..." not in words:
            yield [word.rstrip(";") for word in words]


def _joined(text: str) -> list[str]:
    """Lines of a shell, those that a backslash continues in one."""
    return [line.strip() for line in re.sub(r"\\\n *", "", text).splitlines()]


def run(page: Path, folder: Path, languages: tuple[str, ...] = ("bash", "python")) -> None:
    """Runs a page in a folder that is the current one: writes its files, runs its commands and its Python, in order.

    A block of `text` after one that is run is what that printed: all of what Python printed, lines of what a command
    did. Blocks of other `languages` are left out. **Raises:** AssertionError where something else was printed.
    """
    printed, before, names = "", "", {"__name__": "page"}
    for block in blocks(page):
        if block.title:
            (folder / block.title).write_text(block.text)
        if block.language in languages:
            printed = _commands(block) if block.language == "bash" else _python(block, names, page)
        elif block.language == "text" and before in languages:
            said, is_so = block.text.strip().splitlines(), printed.strip().splitlines()
            assert before == "bash" or len(said) == len(is_so), (block.text, printed)
            for line in said:
                assert any(same(line, other) for other in is_so), f"{page.name}: {line!r} is not in\n{printed}"
        before = block.language


def same(said: str, printed: str) -> bool:
    """Whether two lines have the same words, and numbers that differ by two units of their last digit at most."""
    if NUMBER.split(" ".join(said.split())) != NUMBER.split(" ".join(printed.split())):
        return False
    pairs = zip(NUMBER.findall(said), NUMBER.findall(printed), strict=True)
    return all(abs(float(left) - float(right)) <= 2.001 * _unit(left) for left, right in pairs)


def _unit(number: str) -> float:
    """The last digit of a number, of size 1."""
    digits, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))


def _commands(block: Block) -> str:
    """What the commands of ours in a block print; lines for other programs are left out."""
    printed = ""
    for line in _joined(block.text):
        program, *words = shlex.split(line, comments=True) or [""]
        if program == "sgdsim":
            done = CliRunner().invoke(cli.main, words)
            assert done.exit_code == 0, (line, done.output, done.exception)
            printed += done.output
    return printed


def _python(block: Block, names: dict, page: Path) -> str:
    """What a block prints, run among the names that the blocks before it left."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(block.text, f"{page.name}: {block.text[:40]!r}", "exec"), names)
    return output.getvalue()
