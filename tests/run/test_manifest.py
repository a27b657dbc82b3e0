"""The manifest: what does not belong together is refused by name, and what was changed since is found."""

import dataclasses
import importlib
import json
import os
import re
import shutil
import sys
import types
from pathlib import Path

import pytest
import xarray as xr

from sgdsim.cli import run as cli
from sgdsim.errors import ExperimentError
from sgdsim.run.extend import extend
from sgdsim.run.merge import unite
from sgdsim.run.opened import OpenRun, load_run, open_run
from sgdsim.run.progress import Meter
from sgdsim.run.provenance import begin_session
from sgdsim.run.results import write_results
from sgdsim.run.status import StatusReader
from sgdsim.run.verify import check_blocks, check_results
from sgdsim.store.code import _READ, Code, code_of, code_of_system
from sgdsim.store.directory import RunDirectory
from sgdsim.store.origin import mixture
from sgdsim.store.stored import Stored, file_digest
from sgdsim.store.summary import Summary
from sgdsim.systems import SYSTEMS, load_system
from tests.helpers import finish, make_blocks, make_some
from tests.toy import SYSTEM, Walker, make_experiment

OTHER = "other code (differing: sgdsim/rules/rule.py)"


def other_code(monkeypatch):
    """Has this process simulate with another file of rules than that of the run."""
    files = code_of_system(SYSTEM).files
    changed = Code({**files, "sgdsim/rules/rule.py": "0123456789abcdef"})
    monkeypatch.setattr("sgdsim.run.opened.code_of_system", lambda system, problems: changed)
    return changed


@pytest.fixture
def half(tmp_path):
    """A run of which the blocks of the first cell are on disk."""
    opened = open_run(make_experiment(d=(20, 40), replicas=16, block=8), tmp_path)
    make_some(dataclasses.replace(opened, layout=opened.layout[:1]))
    return opened


def test_other_code_is_refused_by_the_names_of_its_files(half, tmp_path, monkeypatch):
    before = half.directory.index.read_bytes()
    other_code(monkeypatch)
    for open_it in (
        lambda: open_run(half.experiment, tmp_path),
        lambda: extend(half.experiment, half.directory, print),
    ):
        with pytest.raises(ExperimentError, match=re.escape(f"was simulated by {OTHER}; go on with that code")):
            open_it()
    assert half.directory.index.read_bytes() == before


def test_other_code_that_is_accepted_is_told_everywhere(half, tmp_path, monkeypatch):
    code = other_code(monkeypatch)
    opened = open_run(half.experiment, tmp_path, accept_code=True)
    make_some(opened)
    summary = write_results(opened.experiment, opened.directory, opened.layout)
    assert [(share.code, share.replicas) for share in summary.origins] == [
        (code_of_system(SYSTEM).digest, 16),
        (code.digest, 16),
    ]
    told = mixture(summary.origins)
    assert told.startswith("blocks of 2 origins stand together: 16 replicas by jax ")
    assert told in StatusReader(RunDirectory(tmp_path)).read().notes
    assert told in list(cli.headline(summary))
    assert open_run(half.experiment, tmp_path).missing == []


def test_a_block_of_code_that_was_not_accepted_is_put_aside(half, tmp_path, monkeypatch):
    """It was copied there: two commits of which one draws twice the noise gave a finished run."""
    other = tmp_path / "elsewhere"
    with monkeypatch.context() as patch:
        other_code(patch)
        foreign = make_blocks(half.experiment, other)
    block = foreign.blocks[-1]
    path = half.directory.path_of(block)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(foreign.directory.path_of(block).read_bytes())
    problems = []
    check_blocks(half.directory, Meter(), problems.append)
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}: was made by other code than the run accepts; sgdsim run ")


def test_folders_of_other_code_are_merged_only_if_that_is_accepted(half, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        code = other_code(patch)
        foreign = make_blocks(half.experiment, tmp_path / "elsewhere")
    target = RunDirectory(tmp_path / "all")
    with pytest.raises(ExperimentError, match=r"elsewhere: was simulated by other code .*rule.py\); .*--accept-code"):
        unite([half.directory, foreign.directory], target, Meter(), print)
    assert not target.exists
    union = unite([half.directory, foreign.directory], target, Meter(), print, accept_code=True)
    assert (union.copied, union.missing) == (4, 0)
    assert target.read_manifest().accepts(code)


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def shorten(content):
    content["cells"][0].update(replicas=8, cuts=content["cells"][0]["cuts"][:2])


@pytest.mark.parametrize("change", [shorten, lambda content: content["experiment"].update({"ensemble.seed": 9})])
def test_a_manifest_that_was_changed_is_refused(half, tmp_path, change):
    """Cuts that were shortened were those of a smaller run, which was finished; good blocks were to be deleted."""
    edit(half.directory.index, change)
    said = r"index.json: is not as it was written \(its digest is another\); restore it from a copy"
    for read in (
        RunDirectory(tmp_path).read_layout,
        StatusReader(RunDirectory(tmp_path)).read,
        lambda: open_run(half.experiment, tmp_path),
        lambda: load_run(RunDirectory(tmp_path)),
    ):
        with pytest.raises(ExperimentError, match=said):
            read()


@pytest.mark.parametrize("cuts", [[1, 2], [0, 1], [0, 3], [0, 2, 1, 2], [0, 0, 2], [2, 0], [0], []])
def test_cuts_go_from_the_first_replica_to_the_last_whatever_the_digest(half, cuts):
    """Of two tiles of 8 replicas; a block of other cuts would be lost, or made twice."""
    manifest = half.directory.read_manifest()
    half.directory.write_manifest(
        dataclasses.replace(manifest, cells=[manifest.cells[0], dataclasses.replace(manifest.cells[1], cuts=cuts)])
    )
    with pytest.raises(ExperimentError, match=r"index.json: cannot be read \(.*\); the folder is not a run, or was"):
        half.directory.read_manifest()


def test_one_changed_digit_in_the_experiment_is_refused_by_its_key(half, tmp_path):
    """All blocks were moved aside, and something else was computed."""
    half.directory.write_experiment(make_experiment(d=(20, 41), replicas=16, block=8).resolved)
    before = half.directory.on_disk()
    said = r"experiment.toml: was changed after the run was begun \(differing: grid.d\); put it back"
    for refused in (
        lambda: open_run(half.experiment, tmp_path),
        lambda: open_run(make_experiment(d=(20, 41), replicas=16, block=8), tmp_path),
        lambda: load_run(RunDirectory(tmp_path)),
        lambda: unite([half.directory], RunDirectory(tmp_path / "all"), Meter(), print),
    ):
        with pytest.raises(ExperimentError, match=said):
            refused()
    (note,) = StatusReader(RunDirectory(tmp_path)).read().notes
    assert re.search(said, note)
    assert half.directory.on_disk() == before


def test_an_experiment_that_is_gone_is_written_anew_if_it_is_that_of_the_manifest(half, tmp_path):
    half.directory.experiment.unlink()
    with pytest.raises(ExperimentError, match=r"holds a different experiment \(differing: grid.d\)"):
        open_run(make_experiment(d=(20, 41), replicas=16, block=8), tmp_path)
    assert len(open_run(half.experiment, tmp_path).missing) == 2
    assert half.directory.exists


@pytest.fixture
def whole(tmp_path):
    finish(make_experiment(d=(20, 40), replicas=16, block=8), tmp_path)
    return OpenRun.of(make_experiment(d=(20, 40), replicas=16, block=8), RunDirectory(tmp_path)).as_stored()


def checked(opened):
    problems = []
    found = check_blocks(opened.directory, Meter(), problems.append)
    return check_results(opened, found, problems.append), problems


def test_sound_results_are_those_of_the_blocks(whole):
    assert checked(whole) == ("results compared", [])


def double(path, name):
    data = xr.load_dataset(path, engine="netcdf4")
    data[name][0, 2] *= 2
    path.write_bytes(bytes(data.to_netcdf(engine="netcdf4")))


def test_a_doubled_number_in_the_results_is_found(whole):
    double(whole.directory.results, "risk")
    results, (problem,) = checked(whole)
    assert results == "results not compared"
    assert problem.startswith(f"{whole.directory.results}: is not as it was written (its digest is not that in summary")


def test_results_whose_digest_was_mended_are_found_by_the_blocks(whole):
    double(whole.directory.results, "risk")
    summary = Summary.load(whole.directory.summary)
    mended = summary.model_copy(update={"results": file_digest(whole.directory.results.read_bytes())})
    whole.directory.summary.write_text(mended.text())
    _, problems = checked(whole)
    assert len(problems) == 1
    assert problems[0].startswith(f"{whole.directory.results}: risk: not what the blocks give; write it anew: sgdsim")
    fitted = mended.model_copy(update={"n_diverged": 1})
    whole.directory.summary.write_text(fitted.text())
    assert len(checked(whole)[1]) == 2


def test_results_of_fewer_blocks_are_not_compared(whole):
    extend(make_experiment(d=(20, 40), replicas=24, block=8), whole.directory, print)
    again = OpenRun.of(make_experiment(d=(20, 40), replicas=24, block=8), whole.directory).as_stored()
    assert checked(again) == ("results not compared, as they are of other blocks", [])


def test_the_code_of_a_system_is_what_its_numbers_are_made_of():
    codes = [code_of_system(load_system(name)) for name in SYSTEMS]
    assert len({code.digest for code in codes}) == len(SYSTEMS)
    for name, code in zip(SYSTEMS, codes, strict=True):
        rooms = {file.split("/")[1] for file in code.files}
        assert rooms == {"contracts", "ensemble", "rules", "native", "training", "images", "experiment", name}
    assert "sgdsim/native/lanes.h" in codes[0].files
    guest = code_of_system(SYSTEM)
    assert {file for file in guest.files if not file.startswith("sgdsim/")} == {"tests/toy.py"}


def test_a_changed_line_is_other_code_and_a_changed_line_end_is_not(tmp_path, monkeypatch):
    module = tmp_path / "guest.py"
    module.write_text("a = 1\nb = 2\n")
    monkeypatch.setattr("sys.modules", {**__import__("sys").modules, "guest": type("M", (), {"__file__": str(module)})})
    simulator = type("Simulator", (Walker,), {"__module__": "guest"})

    def digest():
        _READ.clear()  # as a new process has it
        return code_of(simulator).digest

    first = digest()
    module.write_bytes(b"a = 1\r\nb = 2\r\n")
    assert digest() == first
    module.write_text("a = 1\nb = 3\n")
    assert digest() != first


HELPED = "import os, numpy, {one}\nfrom {one} import depth\nfrom sgdsim import rules\n"


@pytest.fixture
def guests(tmp_path, monkeypatch):
    """Modules of somebody's own, each of which imports the next: one alone, one in a folder, one in a package."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for folder in ("guest_folder", "guest_package"):
        (tmp_path / folder).mkdir()
    files = {
        "guest_net.py": HELPED.format(one="guest_folder.near"),
        "guest_folder/near.py": "from . import far\nfrom .far import depth\n",
        "guest_folder/far.py": "from guest_package.deep import depth\n",
        "guest_package/__init__.py": "",
        "guest_package/deep.py": "depth = 1\n",
        "guest_package/beside.py": "",
        "guest_folder/stranger.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    importlib.import_module("guest_net")
    yield {tmp_path / name for name in files if "stranger" not in name}
    for name in [name for name in sys.modules if name.startswith("guest_")]:
        del sys.modules[name]


def test_code_of_ones_own_is_followed_up_to_installed_packages(guests, tmp_path):
    """A helper that was changed between two commands went unnoticed: blocks of both stood together."""
    found = code_of(modules=("guest_net", "collections.abc")).files
    others = {name for name in found if not name.startswith("sgdsim/")}
    assert others == {path.relative_to(tmp_path).as_posix() for path in guests}
    assert not [name for name in found if name.startswith(("numpy", "os", "collections"))]


def test_code_that_was_changed_since_it_was_loaded_is_refused(guests, tmp_path):
    """Which of both this process runs cannot be known; once it is imported again, it can."""
    before = code_of(modules=("guest_net",)).digest
    path = tmp_path / "guest_folder" / "far.py"
    path.write_text(path.read_text() + "more = 1\n")
    with pytest.raises(ExperimentError, match=r"far.py: was changed after this process had loaded it, .*; begin a new"):
        code_of(modules=("guest_net",))
    importlib.reload(sys.modules["guest_folder.far"])
    assert code_of(modules=("guest_net",)).digest != before


def test_code_that_is_in_no_file_is_refused(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "typed_here", types.ModuleType("typed_here"))
    monkeypatch.setattr("sgdsim.run.opened.code_of_system", lambda system, problems: code_of(modules=("typed_here",)))
    with pytest.raises(ExperimentError, match=r"module typed_here: is in no file, .*; write it to a file"):
        open_run(make_experiment(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def nowhere(path):
    path.symlink_to("nowhere")


SIDE_FILES = ["results.nc", "summary.json", "provenance.json", "figures", "live", "logs", "failed"]
PLACED = [os.mkfifo, os.mkdir, nowhere, Path.touch]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        # Every day another thing in every place.
        pytest.param(name, make, marks=[pytest.mark.slow] * ((number - place) % len(PLACED) != 0))
        for place, name in enumerate(SIDE_FILES)
        for number, make in enumerate(PLACED)
    ],
)
def test_what_lies_in_the_place_of_a_side_file_stops_no_run(whole, tmp_path, name, make):
    path = tmp_path / name
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    make(path)
    assert open_run(whole.experiment, tmp_path).missing == []
    begin_session(whole.directory, whole.experiment, "sgdsim run")
    write_results(whole.experiment, whole.directory, whole.layout)
    Stored.load(tmp_path)


@pytest.mark.parametrize(
    "junk", [b"PK", *(pytest.param(junk, marks=pytest.mark.slow) for junk in (b"", b"{", b"\xff" * 8))]
)
@pytest.mark.parametrize("name", ["results.nc", "summary.json", "provenance.json", "experiment.toml"])
def test_a_report_refuses_what_is_damaged_in_one_line(whole, tmp_path, name, junk):
    begin_session(whole.directory, whole.experiment, "sgdsim run")
    (tmp_path / name).write_bytes(junk)
    with pytest.raises(ExperimentError) as caught:
        Stored.load(tmp_path)
    (line,) = caught.value.problems
    assert line.startswith(f"{tmp_path / name}: ")
    assert "\n" not in line


@pytest.mark.parametrize(
    "make", [os.mkdir, lambda path: path.symlink_to("nowhere"), lambda path: path.symlink_to(path)]
)
def test_a_block_is_there_or_not_for_everybody(half, make):
    """A link to nothing was on disk by its name, and not done: a run waited for itself."""
    block = half.blocks[-1]
    path = half.directory.path_of(block)
    path.parent.mkdir(exist_ok=True)
    make(path)
    assert not half.directory.done(block)
    assert block in half.missing
    make_some(half)
    assert half.missing == []


def test_what_lies_in_the_place_of_the_blocks_is_told_in_a_line(half, tmp_path):
    half.directory.blocks.rename(tmp_path / "elsewhere")
    half.directory.blocks.touch()
    assert half.directory.on_disk() == set()
    with pytest.raises(ExperimentError, match=r"blocks"):
        open_run(half.experiment, tmp_path)
