"""Nonsense of any size and kind is refused in one line each, in no time; nothing but ExperimentError comes out."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sgdsim.errors import ExperimentError
from sgdsim.experiment.complaints import MOST
from sgdsim.experiment.experiment import load_experiment
from sgdsim.experiment.source import read_source
from sgdsim.printable import printable
from sgdsim.run.plan import make_plan
from sgdsim.store.blocks import MAX_BLOCKS
from tests.experiment.bad_configs import GOOD

ROOT = Path(__file__).parents[2]


def problems(path, *options):
    """The lines that refuse an experiment; none where it loads."""
    try:
        load_experiment(path, options)
    except ExperimentError as error:
        lines = error.problems
    else:
        return []
    assert lines
    assert all(line == printable(line) and len(line) < 2500 for line in lines)
    return lines


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("limits") / "experiment.toml"
    path.write_text(GOOD)
    return path


TEXTS = {
    "newlines": (GOOD + "\n" * 10_000_000, "is larger than 4 MB; no experiment is"),
    "dotted key": (
        GOOD + "\n[x]\n" + ".".join("a" * 20_000) + " = 1",
        "37: more than 10 parts of a key; no experiment has",
    ),
    "dotted header": (GOOD + "[" + ".".join("a" * 20_000) + "]", "35: more than 10 parts of a key; no experiment has"),
    "brackets": (GOOD + "x = " + "[" * 100_000, "35: more than 10 levels of brackets; no experiment has"),
    "tables": (GOOD + "x = " + "{a=" * 100_000, "35: more than 10 levels of brackets; no experiment has"),
    "keys": (GOOD + "a = 1\n" * 20_000, "10008: more than 10000 keys; no experiment has"),
    "entries": (GOOD + f"x = [{'1,' * 600_000}]", "35: more than 500000 entries of lists; no experiment has"),
    "digits": (
        GOOD + f"x = {'1' * 10**6}",
        "35: more than 1000 characters without quotes or a blank; no experiment has",
    ),
}


@pytest.mark.parametrize(("text", "line"), TEXTS.values(), ids=TEXTS)
def test_a_text_without_measure_is_refused_before_it_is_parsed(text, line, tmp_path, monkeypatch):
    path = tmp_path / "experiment.toml"
    path.write_text(text)
    monkeypatch.setattr("tomllib.loads", None)
    assert problems(path) == [f"{path}: {line}" if line.startswith("is ") else f"{path}:{line}"]


@pytest.mark.parametrize("place", ["/dev/zero", "fifo", "x" * 300, "x/" * 3000, "x\0y"])
def test_what_is_no_file_is_refused(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    (line,) = problems(Path(place))
    assert re.search("is no regular file|cannot be read|null", line)


def test_of_very_many_mistakes_the_first_are_told(tmp_path, monkeypatch):
    path = tmp_path / "experiment.toml"
    path.write_text(GOOD + "".join(f"[a{number}]\n" for number in range(500)))
    lines = problems(path)
    assert len(lines) == MOST + 1
    assert lines[0].startswith(f"{path}:35: a0: unknown table; ")
    assert lines[-1] == f"{path}: and more: mend these first"
    monkeypatch.setattr("sgdsim.experiment.schema.MANY", 1000)
    wrong = "1," * 2000
    path.write_text(GOOD.replace('["scaling"]', f"[{wrong}]"))
    assert problems(path)[0] == f"{path}:34: report.figures[0]: must be a string (got 1)"
    path.write_text(GOOD.replace('["scaling"]', f"""[{'"a",' * 200}{wrong}]"""))
    assert problems(path) == [f"{path}:33: report: has 2000 mistakes, all behind the first 100 entries of its lists"]


def test_an_experiment_that_could_not_be_read_again_is_refused(tmp_path, monkeypatch):
    """The folder of a run holds it written out, with every default."""
    path = tmp_path / "experiment.toml"
    fits = "".join(f'[fits.f{number}]\nquantity = "sup_deviation"\nagainst = "dt"\n' for number in range(60))
    monkeypatch.setattr("sgdsim.bounds.MOST_KEYS", 300)
    path.write_text(GOOD + fits)
    (line,) = problems(path)
    assert line == f"{path}: written out in full, it has more than 300 keys; choose less"


NUMBERS = ("1e999", "-1e999", "nan", "1" + "0" * 900, "0x" + "f" * 900, "9" * 5000, "-0x1")
OPTIONS = (
    *("", "=", "=1", ".=1", '""=1', "a..b=1", "a=", "a=1=2", "[a]=1", "a]=1", "a\n=1", "a=1\nb=2", "a=1#"),
    *("quick=1", "quick.x=1", "problem=1", "problem.d.x=1", "problem.d.x.y=1", "problem.noise={x={y=1}}"),
    *("grid.zip=[[[]]]", "fits.scaling=[]", "problem.d=\u0663", "\u202e=1", "problem.noise=\x1b[31m"),
    *('title="\\u001b"', 'title="\\u0000"', 'title="a\\nb"', "title=\udcff", 'title="\udcff"'),
    ".".join("a" * 10_000) + "=1",
    ".".join(["problem"] * 10) + "=1",
    "problem.noise=" + "[" * 30_000,
    "problem.noise=" + "{a=" * 30_000 + "1" + "}" * 30_000,
    "problem.noise=" + "x" * 100_000,
    'problem.activation="' + "x" * 100_000 + '"',
    "x" * 100_000 + "=1",
    "report.figures=[" + ",".join(f'"x{number}"' for number in range(5000)) + "]",
    *(f"problem.noise={number}" for number in NUMBERS),
    *(f"ensemble.replicas={number}" for number in NUMBERS),
    *(f"{key}={2**64}" for key in ("problem.d", "ensemble.seed", "start.seed", "times.count", "ensemble.block")),
    *("grid.d={ linear = [1, 2, 1_000_000_000] }", "grid.d={ log = [1, 1e300, 99_999] }"),
    *("grid.d={ log = [1, 2, 0x" + "f" * 900 + "] }", "times.count=1_000_000_000_000", "times.final=1e100"),
    *("times.final=5e-324", "problem.k=1_000_000_000_000_000", "problem.k=100_000", "problem.k=50_000"),
    *("start.overlap=1" + "0" * 900, "start.P=[[1" + "0" * 900 + "]]", "start.seed=-1"),
)


@pytest.mark.parametrize("option", OPTIONS, ids=range(len(OPTIONS)))
def test_options_of_nonsense_are_refused(option, good):
    lines = problems(good, *["grid.d=[1_000_000]"] * ("problem.k" in option), option)
    assert lines
    assert len(lines) <= MOST + 1
    assert all(re.match(r"--set |.*experiment\.toml", line) for line in lines)


PIECES = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        [
            *"[]{}=.,\"'#\n\\ ",
            '"""',
            "'''",
            "[[",
            "]]",
            "1e999",
            "nan",
            "0x",
            "problem",
            "grid",
            "zip",
            "d",
            "\x00",
            "\u202e",
        ]
    ),
)
VALUES = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.dates()
    | st.sampled_from([10**400, -(2**63)]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
TABLES = (
    "problem",
    "grid",
    "start",
    "times",
    "theory",
    "simulator",
    "ensemble",
    "fits",
    "report",
    "quick",
    "digests",
    "rule",
    "data",
)
KEYS = st.sampled_from(
    [
        "d",
        "k",
        "p",
        "p0",
        "noise",
        "zip",
        "kind",
        "seed",
        "count",
        "final",
        "replicas",
        "block",
        "scaling",
        "figures",
        "against",
        "title",
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_read_or_refused(tmp_path, text):
    path = tmp_path / "experiment.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read_source(path)
        lines = ["read"]
    except ExperimentError as error:
        lines = error.problems
    assert lines == ["read"] or (lines and all(line.startswith(str(path)) for line in lines))


@given(st.dictionaries(st.sampled_from(TABLES), VALUES | st.dictionaries(KEYS, VALUES, max_size=3), max_size=3))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_document_loads_or_is_refused(tmp_path, tables):
    path = tmp_path / "experiment.toml"
    whole = tomllib.loads(GOOD) | tables
    path.write_text(tomli_w.dumps(whole), "utf-8")
    problems(path)


@given(st.sampled_from(TABLES), KEYS, st.lists(PIECES, max_size=8).map("".join))
@settings(max_examples=150)
def test_any_option_loads_or_is_refused(good, table, key, value):
    for line in problems(good, f"{table}.{key}={value}"):
        assert re.match(r"--set |.*experiment\.toml", line)


def test_a_run_of_too_many_blocks_is_refused_with_the_block_that_would_do(good):
    many = load_experiment(good, ["ensemble.replicas=1_000_000_000_000", "ensemble.block=100"])
    with pytest.raises(ExperimentError) as caught:
        make_plan(many)
    (line,) = caught.value.problems
    told = re.fullmatch(
        r"(.*): ensemble.block: gives (\d+) blocks of 100 replicas, and a run has at most 1000000;"
        r" write `block = (\d+)`, or more",
        line,
    )
    assert told is not None
    assert told[1] == str(good)
    assert int(told[2]) > MAX_BLOCKS
    enough = load_experiment(good, ["ensemble.replicas=1_000_000_000_000", f"ensemble.block={told[3]}"])
    assert 0.99 * MAX_BLOCKS < sum(cell.blocks for cell in make_plan(enough).cells) <= MAX_BLOCKS
    tiles = int(told[3]) - 1
    with pytest.raises(ExperimentError):
        make_plan(load_experiment(good, ["ensemble.replicas=1_000_000_000_000", f"ensemble.block={tiles - 256}"]))


COMMANDS = {
    "newlines": ["plan", "large.toml"],
    "dotted": ["plan", "dotted.toml"],
    "blocks": [
        "run",
        "good.toml",
        "-o",
        "out",
        "--set",
        "ensemble.replicas=1000000000000",
        "--set",
        "ensemble.block=100",
    ],
    "time": ["run", "good.toml", "--max-time", "9" * 400],
    "path": ["run", "good.toml", "-o", "x" * 300],
}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_refusal_takes_little_memory(command, tmp_path):
    """The process itself, which refuses beyond 500 MB more than its start: an address space is what can be limited."""
    (tmp_path / "good.toml").write_text(GOOD)
    (tmp_path / "large.toml").write_text(TEXTS["newlines"][0])
    (tmp_path / "dotted.toml").write_text(TEXTS["dotted key"][0])
    measure = (
        "import resource, subprocess, sys;"
        "done = subprocess.run([sys.executable, '-m', 'sgdsim.cli', *sys.argv[1:]], capture_output=True, text=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, done.returncode, done.stderr, end='')"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    run = subprocess.run(
        [sys.executable, "-c", measure, *command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    kilobytes, code, told = run.stdout.split(" ", 2)
    assert code == "2", told
    assert len(told.splitlines()) == 1
    assert int(kilobytes) < 500_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dotted.toml", "good.toml", "large.toml"]
