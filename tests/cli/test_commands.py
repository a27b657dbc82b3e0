"""The commands new and cite, names that are misspelt, completion, JSON, and what exit codes mean."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sgdsim import cli
from sgdsim.cli.app import EXIT_CODES, tell_json
from sgdsim.cli.completion import complete
from sgdsim.cli.new import TEMPLATES, commented
from sgdsim.experiment.experiment import load_experiment
from sgdsim.experiment.shipped import shipped
from sgdsim.run.stop import Exit
from sgdsim.sources import SOURCES, software
from sgdsim.sources import SYSTEMS as PAPERS
from sgdsim.systems import SYSTEMS, load_system
from tests.experiment.bad_configs import GOOD

ROOT = Path(__file__).parents[2]


def sgdsim(*arguments, code=0, env=None):
    done = CliRunner().invoke(cli.main, [str(argument) for argument in arguments], env=env)
    assert done.exit_code == code, (done.output, done.exception)
    return done


def test_every_system_has_a_template_and_papers():
    assert set(TEMPLATES) == set(SYSTEMS) == set(PAPERS)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_new_file_is_a_good_experiment(system, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = sgdsim("new", system).stdout
    file = f"{system}.toml"
    assert told == f"{file}: edit it, then: sgdsim plan {file}; sgdsim run {file} --quick; sgdsim run {file}\n"
    full, quick = (load_experiment(Path(file), quick=quick) for quick in (False, True))
    assert full.system.name == system
    assert quick.replicas < full.replicas
    assert quick.fits == full.fits
    assert quick.figures == full.figures


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_new_file_runs(system, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sgdsim("new", system, "-o", "my.toml")
    sgdsim("plan", "my.toml", "--quick")
    sgdsim("run", "my.toml", "--quick", "-q")
    page = (tmp_path / "runs" / "my-quick" / "report.html").read_text()
    figures = tomllib.loads((tmp_path / "my.toml").read_text())["report"]["figures"]
    assert all((tmp_path / "runs" / "my-quick" / "figures" / f"{name}.png").is_file() for name in figures)
    assert "no fit" not in page


def test_what_a_file_does_not_set_stands_in_comments():
    """The same experiment, every line of it in its order, and every other key of its tables in a comment, once."""
    for name, path in shipped().items():
        text = path.read_text(encoding="utf-8")
        written = commented(text, name)
        document = tomllib.loads(text)
        assert tomllib.loads(written) == document, name
        left = iter(written.splitlines())
        assert all(line in left for line in text.splitlines() if line), name
        system = load_system(document["system"])
        listed = re.findall(r"^# (\w+) = ", written, re.MULTILINE)
        axes = [key for table in (document.get("grid", {}), *document.get("grid", {}).get("zip", [])) for key in table]
        for key in system.problem_section.model_fields:
            given = key in document["problem"] or key in axes
            assert listed.count(key) >= (not given), (name, key)
            assert given or f"\n# {key} = " in written
        for table, section in system.tables.items():
            assert {*listed, *document.get(table, {}), *axes} >= set(section.model_fields), (name, table)


def test_keys_come_with_their_defaults_and_ranges():
    text = '# mine\ntitle = "t"\nsystem = "committee"\n\n# physics\n[problem]\nk = 2\n\n[grid]\np = [1, 2]\n'
    lines = commented(text, "mine").splitlines()
    assert lines[1:8] == ["", "# mine", 'title = "t"', 'system = "committee"', "", "# physics", "[problem]"]
    assert not any(line.startswith(("# p =", "# k =")) for line in lines)
    assert "# noise = 0.0                     # variance of the label noise (>= 0)" in lines
    assert any(line.startswith('# activation = "erf"') and '"relu"' in line for line in lines)
    assert '# kind: one of "overlap", "equal", "explicit", "sphere", "gaussian", "combination", "teacher"' in lines
    tables = [*load_system("committee").sections][1:]
    assert [lines.index(f"# [{table}]") for table in tables] == sorted(lines.index(f"# [{table}]") for table in tables)
    assert lines.index("# [rule]") > lines.index("p = [1, 2]")


def test_tables_may_stand_in_any_order():
    text = '[fits.a]\nlaw = "power"\n[report]\nfigures = []\n[fits.b]\nlaw = "bias"\n[problem]\nk = 2\n'
    text = f'system = "committee"\n[quick]\n"problem.k" = 1\n{text}[[grid.zip]]\np = [1]\n[start]\nseed = 1\n'
    written = commented(text, "mine")
    assert tomllib.loads(written) == tomllib.loads(text)
    assert "# p =" not in written
    assert written.index("# [rule]") < written.index("[quick]")
    mistaken = 'system = "committee"\ngrid = 3\nproblem = []\n'
    assert tomllib.loads(commented(mistaken, "mine")) == tomllib.loads(mistaken)


def test_new_of_a_file_without_a_system_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("k = 1\n")
    (line,) = sgdsim("new", "mine.toml", "-o", "other.toml", code=2).stderr.splitlines()
    assert line.startswith("Argument `system` must be one of committee, meanfield")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_new_overwrites_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "goldt.toml").write_text("mine")
    (line,) = sgdsim("new", "committee/goldt", code=2).stderr.splitlines()
    assert line == "goldt.toml: is there already; choose another file with -o FILE"
    assert (tmp_path / "goldt.toml").read_text() == "mine"
    sgdsim("new", "committee/goldt", "-o", "other.toml")
    assert load_experiment(Path("other.toml")).resolved == load_experiment(shipped()["committee/goldt"]).resolved


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("goldt", "committee/goldt"),
        ("goldt.toml", "committee/goldt"),
        ("comittee/goldt", "committee/goldt"),
        ("committee/theorm.toml", "committee/theorem"),
        ("configs/meanfield/rate", "meanfield/rates"),
        ("threshold_strat", "recovery/threshold_start"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "run", "new", "cite"])
def test_a_misspelt_name_is_told_what_was_meant(command, name, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (line,) = sgdsim(command, name, code=2).stderr.splitlines()
    known = "`sgdsim list` shows the experiments that come with sgdsim"
    assert line == f"{name}: no such file; did you mean `{meant}`? {known}"
    assert not list(tmp_path.iterdir())


def test_a_name_like_no_other_is_told_where_names_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (line,) = sgdsim("plan", "my.toml", code=2).stderr.splitlines()
    assert line == "my.toml: no such file; `sgdsim list` shows the experiments that come with sgdsim"


def test_cite_lists_sgdsim_and_what_the_experiment_uses(tmp_path):
    entries = sgdsim("cite", "committee/batch_reuse").stdout
    assert entries.startswith(software() + "\n@")
    found = re.findall(r"^@\w+\{(\w+),$", entries, re.MULTILINE)
    assert found == ["sgdsim", "veiga2022", "saad1995", "benarous2021", "dandi2024", "salmon2011"]
    assert SOURCES["dandi2024"].bibtex in entries
    found = re.findall(r"^@\w+\{(\w+),$", sgdsim("cite").stdout, re.MULTILINE)
    assert found == ["sgdsim", *SOURCES]
    assert "kamali2023dmft" in sgdsim("cite", "recovery").stdout
    (tmp_path / "mine.toml").write_text(GOOD)
    assert "@inproceedings{veiga2022," in sgdsim("cite", tmp_path / "mine.toml").stdout
    (tmp_path / "mine.toml").write_text("no toml")
    (line,) = sgdsim("cite", tmp_path / "mine.toml", code=2).stderr.splitlines()
    assert "not valid TOML" in line


def test_completion_of_experiments_and_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "committee").mkdir()
    (tmp_path / "committee" / "goal.toml").write_text("")
    (tmp_path / "committee" / "goal.txt").write_text("")
    assert complete("committee/go") == ["committee/goal.toml", "committee/goldt"]
    assert "committee/" in complete("")
    assert complete(f"{tmp_path}/comm") == [f"{tmp_path}/committee/"]
    assert complete("nowhere/x") == []
    variables = {"_SGDSIM_COMPLETE": "complete_bash", "COMP_WORDS": "sgdsim run committee/gold", "COMP_CWORD": "2"}
    shown = subprocess.run(
        [sys.executable, "-c", "from sgdsim.cli import main; main(prog_name='sgdsim')"],
        env={**os.environ, **variables, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert shown.stdout.split() == ["committee/goldt"]


def test_list_and_plan_as_json(tmp_path):
    found = json.loads(sgdsim("list", "--json").stdout)
    assert {entry["name"] for entry in found} == set(shipped())
    assert {entry["system"] for entry in found} == set(SYSTEMS)
    (tmp_path / "mine.toml").write_text(GOOD)
    done = sgdsim("plan", tmp_path / "mine.toml", "--json")
    planned = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert (planned["name"], planned["system"], planned["cautions"]) == ("mine", "committee", [])
    assert [cell["axes"]["d"] for cell in planned["cells"]] == [50, 100]
    assert planned["cells"][1]["steps"] == 2 * planned["cells"][0]["steps"]
    parts = [planned["seconds"][name] for name in ("start", "compile", "theory", "simulate", "report")]
    assert planned["seconds"]["first"] == pytest.approx(sum(parts))


def test_json_holds_no_nan_and_nothing_that_a_terminal_obeys(capsys):
    tell_json({"a": [float("nan"), 1.5, None, True], "b\x1b": "\x7f\u202e", "c": Path("x"), "d": (float("inf"),)})
    text = capsys.readouterr().out
    assert text.isascii()
    assert "\x7f" not in text
    assert json.loads(text) == {"a": [None, 1.5, None, True], "b\x1b": "\x7f\u202e", "c": "x", "d": [None]}


def test_exit_codes_stand_in_help_and_docs():
    assert set(EXIT_CODES) == set(Exit)
    shown = " ".join(sgdsim("--help", env={"COLUMNS": "200"}).stdout.split())
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for code, words in EXIT_CODES.items():
        assert f"{code:d} {words}" in shown
        assert f"| {code:d} | {words} |" in page


def test_every_command_stands_in_the_docs():
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for name in cli.app.COMMANDS:
        assert f"| `{name}" in page, name


def test_a_reader_that_has_enough_is_no_failure_of_a_disk():
    command = f"{sys.executable} -m sgdsim.cli cite | head -1"
    shown = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout == "@software{sgdsim,\n"
    assert shown.stderr == ""
