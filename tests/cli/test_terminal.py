"""No text of a user, a file or another process reaches the terminal as anything but text."""

import io
import json
import re
import shutil

import pytest
from rich.console import Console
from typer.testing import CliRunner

from sgdsim import cli
from sgdsim.printable import printable
from sgdsim.run.progress import Bar, Lines
from sgdsim.store.blocks import CellLayout
from sgdsim.store.directory import RunDirectory
from sgdsim.store.log import BLOCK
from sgdsim.store.presence import Sign
from sgdsim.store.worker import PLACE, Worker
from tests.experiment.bad_configs import GOOD
from tests.helpers import begin
from tests.test_printable import ESCAPED, HOSTILE

OBEYED = re.compile(r"[^\n -~\u00a0-\u200d\u2500-\u257f]|\x1b")
"""Anything beside ends of lines and what can be seen, of what these tests print."""
TOML = HOSTILE.replace("\ud800", "")  # which is no character that a file can hold
MARKUP = "[red]x[/red][/y][link=http://z]:dog:"


def sgdsim(*arguments):
    done = CliRunner().invoke(cli.main, [str(argument) for argument in arguments])
    assert isinstance(done.exception, SystemExit | None)
    assert not OBEYED.search(done.output), ascii(done.output)
    return done


@pytest.fixture
def hostile(tmp_path):
    """A run whose every file tries to speak to the terminal."""
    directory = RunDirectory(tmp_path / "run")
    cells = [CellLayout(cell, {HOSTILE: MARKUP, "d": HOSTILE}, 8, 4, [0, 2]) for cell in range(2)]
    begin(directory, {"title": TOML + MARKUP}, cells)
    directory.failures.record(1, HOSTILE + MARKUP)
    worker = Worker("far", PLACE, 7, 8)
    sign = Sign(worker.name, 1, HOSTILE, work=2, done=1, rate=1.0, unit=HOSTILE, others=[HOSTILE])
    (directory.watch.folder / f"{worker.name}.json").write_text(json.dumps(vars(sign)))
    line = {"event": BLOCK, "block": HOSTILE, "seconds": 1.0, "replicas": 8, "diverged": 1}
    (directory.log.folder / f"{worker.name}.jsonl").write_text(json.dumps(line))
    return directory.path


def test_status_shows_what_files_hold_as_text(hostile):
    done = sgdsim("status", hostile)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == printable(TOML) + MARKUP
    assert f"failed: {ESCAPED}{MARKUP}" in done.stdout.splitlines()
    for where in ("axis", "value", "block"):
        assert ESCAPED in done.stdout, where
    assert done.stdout.count(MARKUP) == 4  # the title, a value of each cell, the failure


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", TOML.replace("\0", "")),
        ("plan", HOSTILE),
        ("plan", "experiment.toml", "--set", f"{HOSTILE}=1"),
        ("plan", "experiment.toml", "--set", f"problem.noise={HOSTILE}"),
        ("plan", "experiment.toml", "--set", r'system="\u001b[31m\u202e\u0000"'),
        ("plan", "experiment.toml", "--set", r'problem."\u001b[31m\u202e"=1'),
        ("plan", "experiment.toml", "--set", r'title="\u001b[31m"'),
        ("run", "experiment.toml", "-o", HOSTILE),
        ("run", "experiment.toml", "--shard", HOSTILE),
        ("run", "experiment.toml", "--max-time", HOSTILE),
        ("run", "experiment.toml", "--scheduler", HOSTILE),
        ("verify", ".", "--recompute", HOSTILE),
        (HOSTILE,),
        (f"--{HOSTILE}",),
        ("status", HOSTILE),
        ("new", HOSTILE),
        ("new", TOML.replace("\0", "")),
        ("new", "committee", "-o", HOSTILE),
        ("cite", HOSTILE),
        ("cite", TOML.replace("\0", "")),
        ("show", HOSTILE),
        ("compare", ".", HOSTILE),
        ("index", HOSTILE),
        ("index", TOML.replace("\0", "")),
    ],
    ids=lambda arguments: arguments[0][:6] if arguments[0] != HOSTILE else "hostile",
)
def test_what_is_refused_is_quoted_as_text_in_one_line(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiment.toml").write_text(GOOD)
    refused = sgdsim(*arguments)
    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["experiment.toml"]


def test_a_title_with_marks_of_direction_is_shown_as_text(tmp_path):
    (tmp_path / "experiment.toml").write_text(GOOD)
    shown = sgdsim("plan", tmp_path / "experiment.toml", "--set", f'title="a \u202e b {MARKUP}"')
    assert shown.stdout.splitlines()[0] == rf"a \u202e b {MARKUP}"


@pytest.mark.parametrize("meter", [Bar, Lines])
def test_meters_show_text(meter):
    file = io.StringIO()
    console = Console(file=file, width=200, force_terminal=True, color_system=None)
    with meter(console) as shown:
        shown.start(10, 0)
        shown.cell(HOSTILE + MARKUP)
        shown.message(HOSTILE + MARKUP)
        shown.resume()
        shown.advance(1)
    text = file.getvalue()
    assert ESCAPED + MARKUP in text
    assert not re.search("\x1b\\[31m|[\x07\x00\x9b\u202e]", text)


def test_a_name_of_a_file_is_shown_as_text(tmp_path):
    name = "\x1b[31m\u202e.toml"
    (tmp_path / name).write_text(GOOD.replace('title = "Deviation from the ODE"\n', ""))
    shown = sgdsim("plan", tmp_path / name)
    assert shown.stdout.splitlines()[0] == r"\x1b[31m\u202e"
    shutil.rmtree(tmp_path)
