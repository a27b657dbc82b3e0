"""What README and docs/ tell a reader to type: commands there are, and code that runs as written."""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tomllib

import matplotlib
import pytest
import typer

from sgdsim import cli
from sgdsim.experiment.experiment import load_experiment
from sgdsim.systems import SYSTEMS
from tests.docs.pages import DOCS, PAGES, blocks, commands, run, same
from tests.extending.guests import EXAMPLES
from tests.house.source import ROOT

ROOMS = ("classification", "committee", "contracts", "meanfield", "recovery", "rules")
COMMANDS = typer.main.get_command(cli.main).commands
CONFIGS = ROOT / "configs"
SHIPPED = {path.relative_to(CONFIGS).with_suffix("").as_posix() for path in CONFIGS.rglob("*.toml")}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
LONG = (
    *("committee", "sharp_bits", "python", "meanfield", "extending", "rules/inputs"),
    *("bridge", "training", "rules/targets", "howto/choose", "howto/results", "howto/sweep", "howto/python_runs"),
    *("tutorials/committee", "tutorials/recovery", "tutorials/meanfield", "tutorials/classification"),
)


INSTALLED = ("README.md", "docs/start.md")
"""The pages that a new user follows, which are run from the wheel."""


def name(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_is_one(page):
    for program, first, *rest in commands(page):
        if program == "sgdsim":
            _look_up(first, rest)
        elif program == "make":
            assert first in TARGETS, first
        elif first == "-m":
            assert importlib.util.find_spec(rest[0]), rest
        elif first.endswith(".py"):
            assert any((folder / first).exists() for folder in (ROOT, DOCS)), first


def _look_up(command, words):
    """That a command of ours has these options, takes so many arguments, and knows the experiment."""
    if command.startswith("--") or command.isupper():  # an option of sgdsim itself; COMMAND
        return
    assert command in COMMANDS, command
    parameters = COMMANDS[command].params
    options = {spelling: one for one in parameters for spelling in one.opts if spelling.startswith("-")}
    places, words = [], [*words]
    while words:
        word, _, given = words.pop(0).partition("=")
        if word.startswith("-"):
            assert word in options or word == "--help", (command, word)
            if word in options and not options[word].is_flag and not given:
                words = words[1:]
        else:
            places.append(word)
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    assert len(places) <= len(arguments) or arguments[-1].nargs == -1, (command, places)
    if command in ("plan", "run"):  # an experiment of ours, or a file or a folder of the reader's
        place = places[0] if places else "CONFIG"
        assert place in SHIPPED or place.endswith(".toml") or place.isupper() or place.startswith("runs/"), place


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_toml_is_one(page, tmp_path):
    for block in blocks(page):
        if block.language == "toml" and tomllib.loads(block.text).get("system") in SYSTEMS:
            (tmp_path / "block.toml").write_text(block.text)
            assert load_experiment(tmp_path / "block.toml").cells


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    matplotlib.use("agg")
    return tmp_path


def test_the_python_of_the_first_page_runs_as_written(folder):
    run(DOCS / "start.md", folder, languages=("python",))


@pytest.mark.slow
@pytest.mark.parametrize("page", LONG)
def test_a_page_runs_as_written(page, folder):
    run(DOCS / f"{page}.md", folder)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder into which the wheel has been installed, without what it depends on."""
    dist, site = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("site")
    python = [sys.executable, "-m"]
    subprocess.run(
        [*python, "hatchling", "build", "-t", "wheel", "-d", dist], check=True, cwd=ROOT, capture_output=True
    )
    options = ["--quiet", "--no-index", "--no-deps", "--no-compile", "--target", site]
    subprocess.run([*python, "pip", "install", *options, *dist.glob("*.whl")], check=True, cwd=dist)
    return site


@pytest.mark.slow
@pytest.mark.parametrize("page", INSTALLED)
def test_a_page_runs_from_the_wheel_in_an_empty_folder(page, installed, tmp_path):
    """The sources are found behind the wheel, for the page and what reads it."""
    code = (
        f"import sys, pathlib, sgdsim; assert pathlib.Path(sgdsim.__file__).is_relative_to({str(installed)!r});"
        f"from tests.docs.pages import run; run(pathlib.Path({str(ROOT / page)!r}), pathlib.Path.cwd())"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)]), "MPLBACKEND": "agg"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs").is_dir() or page != "README.md"


def test_no_page_with_python_is_forgotten():
    with_python = {name(page) for page in PAGES if any(block.language == "python" for block in blocks(page))}
    assert with_python <= {f"docs/{page}.md" for page in LONG} | {*INSTALLED}


def test_numbers_may_differ_in_their_last_digit_alone():
    assert same("s = 0.504(5), chi2 = 1.2e-3", "s = 0.505(6), chi2 = 1.1e-3")
    assert not same("s = 0.504", "s = 0.507")
    assert not same("s = 0.504", "t = 0.504")
    assert not same("s = 0.504", "s = -0.504")


def test_every_page_has_its_place_in_the_site():
    nav = (ROOT / "mkdocs.yml").read_text().split("\nnav:\n")[1]
    placed = re.findall(r": ([\w/]+\.(?:md|py))$", nav, re.MULTILINE)
    pages = {path.relative_to(DOCS).as_posix() for path in (*DOCS.rglob("*.md"), *DOCS.glob("notebooks/*.py"))}
    assert len(placed) == len(set(placed))
    assert {*placed} - pages == {"CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/RESULTS.md"}
    assert pages <= {*placed}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s:#]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link


def test_what_is_exact_names_tests_there_are():
    named = re.findall(r"`(\w+/test_\w+\.py)(?:::(\w+))?`", (DOCS / "exact.md").read_text())
    assert len(named) > 40
    for file, function in named:
        assert f"def {function}" in (ROOT / "tests" / file).read_text(), (file, function)


@pytest.mark.parametrize("room", ROOMS)
def test_the_api_pages_have_every_public_name(room):
    module = importlib.import_module(f"sgdsim.{room}")
    source = (ROOT / "sgdsim" / room / "__init__.py").read_text()
    public = set(re.findall(r" as (\w+)$", source, re.MULTILINE)) or {*module.__all__}
    page = (DOCS / "api" / f"{room}.md").read_text()
    assert public == set(re.findall(rf"^::: sgdsim\.{room}\.(\w+)$", page, re.MULTILINE))
