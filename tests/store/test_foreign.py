"""No run is begun in a folder that holds files of somebody else's; one that was killed as it began is begun again."""

import pytest

from sgdsim.errors import ExperimentError
from sgdsim.store.directory import RunDirectory
from sgdsim.store.foreign import check_free


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name",
    [
        "results.nc",
        "summary.json",
        "thesis.tex",
        "report.html",
        "blocks",
        "live",
        "logs/mine.txt",
        "data/x",
        "blocks/a/b",
    ],
)
def test_a_folder_of_somebody_else_is_refused_and_left_as_it_is(name, tmp_path):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    before = files(tmp_path)
    with pytest.raises(ExperimentError) as caught:
        check_free(RunDirectory(tmp_path))
    (line,) = caught.value.problems
    top = name.split("/")[0]
    assert line == f"{tmp_path}: is no run, and not empty (there: {top}); choose another folder with -o DIR"
    assert files(tmp_path) == before


def test_of_many_files_some_are_named(tmp_path):
    for name in "edcba":
        (tmp_path / name).touch()
    with pytest.raises(ExperimentError, match=r"\(there: a, b, c and 2 more\)"):
        check_free(RunDirectory(tmp_path))


@pytest.mark.parametrize(
    "name",
    [
        ".gitkeep",
        ".DS_Store",
        ".experiment.toml.host.7.tmp",
        "tmpab_d1234",
        "lost+found/x",
        "live/scheduler.json",
        "aside/x",
    ],
)
def test_what_is_nobodys_is_overlooked(name, tmp_path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    check_free(RunDirectory(tmp_path))


def test_new_and_empty_folders_are_free_and_so_are_runs(tmp_path):
    check_free(RunDirectory(tmp_path))
    check_free(RunDirectory(tmp_path / "new" / "run"))
    directory = RunDirectory(tmp_path / "run")
    directory.make()  # and here the process was killed
    check_free(directory)
    (directory.log.folder / "far.7.8.jsonl").touch()
    with pytest.raises(ExperimentError, match="there: logs"):
        check_free(directory)
    directory.write_experiment({"title": "begun"})
    check_free(directory)


def test_a_file_in_the_place_of_a_folder_is_told_by_who_makes_it(tmp_path):
    (tmp_path / "file").touch()
    check_free(RunDirectory(tmp_path / "file"))
