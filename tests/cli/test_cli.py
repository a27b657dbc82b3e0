"""The command line: what it prints, what it returns, and that it never shows a traceback or leaves a trace."""

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sgdsim import __version__, cli
from sgdsim.cli.app import COMMANDS
from sgdsim.run.versions import PACKAGES
from sgdsim.store.directory import RunDirectory
from sgdsim.store.summary import Summary
from tests.experiment.bad_configs import BAD, GOOD

ROOT = Path(__file__).parents[2]
QUICK = """
[quick]
"problem.d" = 50
"ensemble.replicas" = 2
"""


def sgdsim(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small experiment, run to its end."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "experiment.toml").write_text(GOOD)
    done = sgdsim("run", folder / "experiment.toml", "-o", folder / "out")
    assert done.exit_code == 0, (done.output, done.exception)
    return folder, done


def test_run_prints_the_fit_and_the_report(finished):
    folder, done = finished
    number = r"-?[\d.]+\(\d+\)"
    lines = done.stdout.splitlines()
    assert re.fullmatch(
        rf"scaling: sup_deviation = C dt\^s with s = {number}, expected 0.5; C = {number}; chi2.*", lines[0]
    )
    assert re.fullmatch(r"16 replicas, 0 diverged, [\d.e+]+ steps/s over [\d.]+ s of simulation", lines[1])
    assert lines[2] == f"report: {folder / 'out' / 'report.html'}"
    assert "2 cells, 2 blocks, 0 of them on disk" in done.stderr


def test_run_leaves_everything_the_reader_needs(finished):
    folder, _ = finished
    run = RunDirectory(folder / "out")
    for path in (run.experiment, run.provenance, run.index, run.results, run.summary, run.path / "report.html"):
        assert path.is_file(), path
    assert not list(run.path.rglob("*.tmp"))
    provenance = json.loads(run.provenance.read_text())
    assert provenance["status"] == "finished"
    assert set(provenance["versions"]) == {"python", "sgdsim", *PACKAGES}
    assert provenance["seed"] == 0
    assert provenance["started"] <= provenance["finished"]
    assert provenance["devices"]
    assert provenance["earlier_sessions"] == []


def test_the_stored_experiment_runs_again_into_the_same_folder(finished):
    folder, _ = finished
    again = sgdsim("run", folder / "out" / "experiment.toml", "-o", folder / "out", "--quiet")
    assert again.exit_code == 0, again.output
    assert again.output == ""
    (earlier,) = json.loads((folder / "out" / "provenance.json").read_text())["earlier_sessions"]
    assert earlier["status"] == "finished"


def test_another_experiment_is_refused_with_the_remedy(finished):
    folder, _ = finished
    options = ("--set", "problem.noise=0.5", "--set", "ensemble.seed=7")
    refused = sgdsim("run", folder / "experiment.toml", "-o", folder / "out", *options)
    assert refused.exit_code == 2
    what = "holds a different experiment (differing: problem.noise, ensemble.seed)"
    assert refused.stderr.splitlines() == [f"{folder / 'out'}: {what}; choose another folder with -o DIR"]


def test_report_draws_again(finished):
    folder, _ = finished
    page = folder / "out" / "report.html"
    page.unlink()
    drawn = sgdsim("report", folder / "out")
    assert drawn.exit_code == 0, drawn.output
    assert str(page) in drawn.stdout.splitlines()
    assert page.is_file()


@pytest.mark.parametrize("command", ["status", "report"])
@pytest.mark.parametrize("place", [".", "nowhere"])
def test_a_folder_that_is_no_run(tmp_path, monkeypatch, command, place):
    monkeypatch.chdir(tmp_path)
    refused = sgdsim(command, place)
    assert refused.exit_code == 2
    assert len(refused.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_bad_input(bad, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bad.write(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    options = [part for option in bad.options for part in ("--set", option)]
    refused = sgdsim("run", bad.path, *options, *["--quick"] * bad.quick)
    assert refused.exit_code == 2
    assert isinstance(refused.exception, SystemExit)
    assert refused.stdout == ""
    assert bad.tells(refused.stderr.splitlines()), refused.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("place", ["file/run", "/proc/run", "/dev/null/run"])
def test_an_unwritable_folder(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiment.toml").write_text(GOOD)
    (tmp_path / "file").write_text("")
    refused = sgdsim("run", "experiment.toml", "-o", place)
    assert refused.exit_code == 2
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"{place}: cannot write a run here (")
    assert line.endswith("; choose another folder with -o DIR")
    assert {path.name for path in tmp_path.iterdir()} == {"experiment.toml", "file"}


LONG, DEEP = "x" * 300, "x/" * 3000


@pytest.mark.parametrize(
    "command",
    [
        *(("run", "experiment.toml", "-o", place) for place in (LONG, DEEP, "x\0y", "x/" * 2030)),
        *(("plan", place) for place in (LONG, DEEP, "x\0y")),
        *((command, place) for command in ("run", "status", "verify", "report") for place in (LONG, "x\0y")),
        ("extend", LONG, "--replicas", "3"),
        ("merge", LONG, "-o", "out"),
        ("merge", "out", "-o", DEEP),
        ("run", "experiment.toml", "--scheduler-file", LONG),
        ("run", "experiment.toml", "--max-time", "9" * 400 + "s"),
        ("run", "experiment.toml", "--shard", "1/" + "9" * 5000),
        ("verify", "out", "--recompute", "9" * 5000),
        ("extend", "out", "--replicas", "9" * 5000),
    ],
    ids=lambda command: " ".join(part[:12] for part in command),
)
def test_a_name_or_number_without_measure_is_refused_in_a_line(finished, monkeypatch, command):
    monkeypatch.chdir(finished[0])
    before = sorted(finished[0].rglob("*"))
    refused = sgdsim(*command)
    assert refused.exit_code == 2
    (line,) = refused.stderr.splitlines()
    assert re.fullmatch(rf"root {command[0]}: Invalid value for .*; see root {command[0]} --help", line)
    assert len(line) < 400
    assert sorted(finished[0].rglob("*")) == before


@pytest.mark.parametrize("command", [("run", "experiment.toml"), ("merge", "out"), ("run", "out")])
def test_a_folder_of_somebody_else_is_refused(finished, tmp_path, monkeypatch, command):
    monkeypatch.chdir(finished[0])
    (tmp_path / "results.nc").write_text("mine")
    refused = sgdsim(*command, "-o", tmp_path)
    assert refused.exit_code == 2
    assert refused.stderr.splitlines() == [
        f"{tmp_path}: is no run, and not empty (there: results.nc); choose another folder with -o DIR"
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["results.nc"]
    assert (tmp_path / "results.nc").read_text() == "mine"


def test_the_default_folder_is_named_after_the_experiment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(GOOD)
    assert sgdsim("run", "small.toml", "--quiet", "--set", "report.figures=[]").exit_code == 0
    assert RunDirectory(tmp_path / "runs" / "small").summary.is_file()


def test_the_quick_variant_is_planned_and_run_beside_the_full_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(GOOD + QUICK)
    assert "2 cells, 1.2e+03 steps" in sgdsim("plan", "small.toml").stdout
    assert "1 cells, 100 steps" in sgdsim("plan", "small.toml", "--quick").stdout
    assert sgdsim("run", "small.toml", "--quick", "--quiet", "--set", "report.figures=[]").exit_code == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name == "small-quick"
    summary = Summary.load(RunDirectory(run).summary)
    assert (summary.experiment, summary.n_replicas) == ("small-quick", 2)
    assert "quick" not in RunDirectory(run).read_experiment()


def test_list_names_every_shipped_experiment_on_one_line():
    shown = sgdsim("list")
    shipped = {str(path.relative_to(ROOT / "configs"))[:-5] for path in (ROOT / "configs").rglob("*.toml")}
    lines = shown.stdout.splitlines()[1:]
    assert {line.split()[0] for line in lines} == shipped
    assert all(len(line.split()) > 3 for line in lines)


def test_a_shipped_experiment_is_found_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    by_name = sgdsim("plan", "committee/scaling_law")
    assert by_name.exit_code == 0
    assert by_name.stdout == sgdsim("plan", ROOT / "configs" / "committee" / "scaling_law.toml").stdout


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["list"], ["--version"]])
def test_a_quick_answer_imports_nothing_slow(arguments):
    code = "import sys; from sgdsim.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    shown = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not {"jax", "xarray", "matplotlib", "scipy", "pandas", "equinox"} & set(shown.stderr.split())


def test_help_lists_the_commands_in_the_order_of_their_use():
    shown = sgdsim("--help").stdout
    places = [re.search(rf"\W{name} ", shown).start() for name in COMMANDS]
    assert places == sorted(places)
    assert set(COMMANDS) == {command.name or command.callback.__name__ for command in cli.main.registered_commands}


def test_help_is_fast():
    """Beside what typer and rich alone take to be imported (0.14 s on a quiet machine): of sgdsim there is little."""

    def used():
        return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])

    def seconds(*arguments):
        began = used()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True, cwd=ROOT)
        return used() - began

    libraries = ("-c", "import typer, rich.console, rich.table, rich.markdown, rich.panel")
    pairs = [(seconds("-m", "sgdsim.cli", "--help"), seconds(*libraries)) for _ in range(5)]
    ours, theirs = map(min, zip(*pairs, strict=True))
    assert ours < 2 * theirs


def test_version():
    assert sgdsim("--version").stdout == f"sgdsim {__version__}\n"


def test_a_traceback_is_never_shown_to_a_shell(tmp_path):
    """The same through a real process: code 2, one line, empty output."""
    (tmp_path / "experiment.toml").write_text(GOOD.replace("noise = 0.01", "noise = -1.0"))
    command = [
        sys.executable,
        "-m",
        "sgdsim.cli",
        "run",
        str(tmp_path / "experiment.toml"),
        "-o",
        str(tmp_path / "out"),
    ]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert refused.returncode == 2
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert "problem.noise: must be >= 0" in line
    assert not (tmp_path / "out").exists()


def test_a_run_ends_with_what_is_in_doubt(tmp_path, monkeypatch):
    (tmp_path / "experiment.toml").write_text(GOOD)
    monkeypatch.setattr("sgdsim.committee.problem.Committee.doubts", lambda problem, final: ["mind the end"])
    done = sgdsim("run", tmp_path / "experiment.toml", "-o", tmp_path / "out", "--set", "report.figures=[]")
    assert "caution: mind the end (cells 0 and 1)\n" in done.stdout
    assert "mind the end (cells 0 and 1)" in (tmp_path / "out" / "report.html").read_text()


def test_plan_and_run_show_cautions(tmp_path, monkeypatch):
    (tmp_path / "experiment.toml").write_text(GOOD)
    monkeypatch.setattr("sgdsim.committee.problem.Committee.cautions", lambda problem: ["mind the step"])
    line = "caution: mind the step (cells 0 and 1)\n"
    assert sgdsim("plan", tmp_path / "experiment.toml").stderr == line
    command = ("run", tmp_path / "experiment.toml", "-o", tmp_path / "out", "--set", "report.figures=[]")
    done = sgdsim(*command)
    assert done.stderr.startswith(line)
    assert "caution:" not in done.stdout
    assert sgdsim(*command, "-q").output == ""
