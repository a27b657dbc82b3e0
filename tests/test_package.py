"""What is shipped: the version from one place, what the wheel and the source distribution hold, CITATION.cff."""

import ast
import importlib.util
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

from sgdsim import __version__
from sgdsim.sources import SOURCES

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The names in the wheel, what it says of itself, and the names in the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", folder], check=True, cwd=ROOT, capture_output=True
    )
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        said = Parser().parsestr(archive.read(metadata).decode())
    with tarfile.open(source) as archive:
        sources = {name.partition("/")[2] for name in archive.getnames()}
    return names, said, sources, wheel.stat().st_size


def test_the_version_has_one_place(built):
    assert built[1]["Version"] == __version__
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_wheel_holds_what_it_needs(built):
    names, _, _, size = built
    assert "sgdsim/py.typed" in names
    shipped = {
        f"sgdsim/configs/{path.relative_to(ROOT / 'configs').as_posix()}" for path in ROOT.glob("configs/*/*.toml")
    }
    assert shipped <= names
    beside = {
        path.relative_to(ROOT).as_posix() for path in ROOT.glob("sgdsim/**/*") if path.suffix in (".py", ".h", ".j2")
    }
    assert beside <= names
    assert {f"sgdsim/cli/templates/{name}.toml" for name in ("committee", "meanfield")} <= names
    assert not [name for name in names if name.split("/")[0] not in ("sgdsim", f"sgdsim-{__version__}.dist-info")]
    assert size < 2e6


def test_the_source_distribution_holds_docs_and_configs(built):
    sources = built[2]
    for name in ("README.md", "CITATION.cff", "LICENSE", "docs/commands.md", "configs/committee/theorem.toml"):
        assert name in sources, name
    assert any(name.startswith("tests/") for name in sources)


def test_what_few_need_is_behind_an_extra(built):
    asked = built[1].get_all("Requires-Dist")
    for name, extra in (("scikit-learn", "data"), ("mlxtend", "data"), ("distributed", "cluster")):
        found = [line for line in asked if line.startswith(name)]
        assert found
        assert all("; extra == " in line for line in found)
        assert any(f"extra == '{extra}'" in line for line in found)


def imported():
    """The packages that modules of sgdsim import, wherever in them, with the rooms that do."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "sgdsim").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"sgdsim"}:
                found.setdefault(name, set()).add(path.parent.relative_to(ROOT / "sgdsim").as_posix())
    return found


def test_every_package_that_is_imported_is_asked_for():
    """By the project itself, whatever the tests bring; Dask by its extra, for its room alone."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    known = {re.split(r"[>\[]", line)[0].replace("-", "_") for line in asked}
    missing = {name: rooms for name, rooms in imported().items() if name not in known}
    assert missing.pop("pydantic_core") == {"experiment"}  # of pydantic
    assert missing.pop("distributed") == missing.pop("dask") == {"run/dask"}
    assert missing == {}


def citation():
    spec = importlib.util.spec_from_file_location("citation", ROOT / "docs" / "citation.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_citation_is_that_of_the_sources():
    module = citation()
    assert module.FILE.read_text(encoding="utf-8") == module.text(), "run python docs/citation.py"
    found = yaml.safe_load(module.text())
    assert found["version"] == found["preferred-citation"]["version"] == __version__
    assert [entry["title"] for entry in found["references"]] == [paper.title for paper in SOURCES.values()]
    (mei,) = [entry for entry in found["references"] if entry["title"].startswith("A mean field view")]
    assert mei["authors"][2] == {"family-names": "Nguyen", "given-names": "Phan-Minh"}
    assert (mei["volume"], mei["start"], mei["end"]) == ("115", "E7665", "E7671")
    assert mei["identifiers"] == [{"type": "other", "value": "arXiv:1804.06561"}]


def test_the_quick_matrix_names_what_there_is():
    text = (ROOT / ".github" / "workflows" / "matrix.yml").read_text()
    job = yaml.safe_load(text)["jobs"]["quick"]
    matrix = job["strategy"]["matrix"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    classified = [name.rpartition(" ")[2] for name in project["classifiers"] if ":: Python :: 3." in name]
    assert set(classified) <= set(matrix["python"])
    assert matrix["python"][0] == project["requires-python"].removeprefix(">=")
    assert len(matrix["os"]) == 3
    (tests,) = [step["run"] for step in job["steps"] if step.get("name") == "Test"]
    for path in (word for word in tests.split() if word.startswith("tests/")):
        assert (ROOT / path).exists(), path
    assert "http" not in text
    oldest = subprocess.run(
        [sys.executable, ROOT / ".github" / "oldest.py"], capture_output=True, text=True, check=True
    )
    bounds = [
        line.replace(">=", "==") for line in project["dependencies"] if line.startswith("jax") and "typing" not in line
    ]
    assert oldest.stdout.split() == bounds
    assert len(bounds) == 2
