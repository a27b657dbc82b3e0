"""A data set in a folder is known by what is in it: other images in the same place are refused by name."""

import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sgdsim import cli
from sgdsim.classification import Classification, load_images
from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.store.directory import RunDirectory
from tests.images.by_hand import FILES, idx_bytes, write_folder

EXPERIMENT = """
system = "classification"
[problem]
data = "FOLDER"
N = 4
gamma = 0.5
beta = 1.0
batch = 3
bins = 2
[times]
final = 1.0
count = 1
[ensemble]
replicas = REPLICAS
"""


def invoke(*arguments):
    """Exit code and all that was said, in one line."""
    result = CliRunner().invoke(cli.main, list(map(str, arguments)))
    return result.exit_code, " ".join(result.output.split())


def replace_images(folder, seed=1):
    """Other images, of the same number and size, written at the same time as those before."""
    times = {path: path.stat() for path in folder.iterdir()}
    write_folder(folder, seed=seed)
    for path, before in times.items():
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A finished run of two networks, its data, and its configuration."""
    folder = tmp_path_factory.mktemp("replaced")
    (folder / "data").mkdir()
    write_folder(folder / "data")
    config = folder / "experiment.toml"
    config.write_text(EXPERIMENT.replace("FOLDER", str(folder / "data")).replace("REPLICAS", "2"))
    assert invoke("run", config, "-o", folder / "run", "-q")[0] == 0
    yield folder
    write_folder(folder / "data")


def test_the_digest_is_that_of_every_pixel_and_label(tmp_path):
    arrays = write_folder(tmp_path)
    digests = {load_images(str(tmp_path)).digest}
    for name, values in zip(FILES, arrays, strict=True):
        changed = values.copy()
        changed.flat[-1] ^= 1
        for suffix in ("", ".gz"):
            (tmp_path / f"{name}{suffix}").unlink(missing_ok=True)
        for content in (changed, values):
            (tmp_path / name).write_bytes(idx_bytes(content))
            digests.add(load_images(str(tmp_path)).digest)
            os.utime(tmp_path / name, ns=(0, 0))
    assert len(digests) == 5


def test_the_digest_stands_in_the_experiment(begun):
    data = str(begun / "data")
    resolved = RunDirectory(begun / "run").read_experiment()
    assert resolved["digests"] == {data: load_images(data).digest}
    again = load_experiment(RunDirectory(begun / "run").experiment)
    assert again.resolved == resolved


@pytest.mark.parametrize("command", ["run", "resume", "extend", "verify", "merge"])
def test_other_images_in_the_folder_are_refused(command, begun, tmp_path):
    """The same command goes on once the images are back."""
    data, run, config = begun / "data", begun / "run", begun / "experiment.toml"
    other = tmp_path / "other"
    commands = {
        "run": ("run", config, "-o", run),
        "resume": ("run", run),
        "extend": ("extend", run, "--replicas", 4),
        "verify": ("verify", run),
        "merge": ("merge", run, other, "-o", tmp_path / "both"),
    }
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    stamps = {path: path.stat().st_mtime_ns for path in data.iterdir()}
    replace_images(data)
    try:
        if command == "merge":
            assert invoke("run", config, "-o", other, "-q")[0] == 0
        code, said = invoke(*commands[command])
        assert code == 2
        assert re.search(re.escape(f"digests.{data}" if command in ("run", "merge") else f'digests."{data}"'), said)
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
        assert not (tmp_path / "both").exists()
    finally:
        write_folder(data)
        for path, stamp in stamps.items():
            os.utime(path, ns=(stamp, stamp))
    if command == "verify":
        assert invoke(*commands[command])[0] == 0


def test_a_problem_does_not_change_its_images_underway(tmp_path):
    write_folder(tmp_path)
    problem = Classification(N=4, gamma=0.5, beta=1, data=str(tmp_path), batch=3)
    assert problem.images.pixels == 4
    replace_images(tmp_path)
    with pytest.raises(ArgumentError, match=f"`data` must hold the images that it held, of digest {problem.digest}"):
        problem.images  # noqa: B018
    assert Classification(N=4, gamma=0.5, beta=1, data=str(tmp_path), batch=3).digest != problem.digest


def test_several_data_sets_of_a_grid_all_have_their_digest(tmp_path):
    for index in range(2):
        (tmp_path / f"data{index}").mkdir()
        write_folder(tmp_path / f"data{index}", seed=index)
    config = tmp_path / "experiment.toml"
    text = EXPERIMENT.replace('data = "FOLDER"\n', "").replace("REPLICAS", "2")
    folders = [str(tmp_path / f"data{index}") for index in range(2)]
    config.write_text(f"{text}[grid]\ndata = {folders}\n")
    digests = load_experiment(config).resolved["digests"]
    assert list(digests) == folders
    assert len(set(digests.values())) == 2


def test_a_pinned_digest_is_checked(tmp_path):
    write_folder(tmp_path)
    config, digest = Path(tmp_path / "experiment.toml"), load_images(str(tmp_path)).digest
    text = EXPERIMENT.replace("FOLDER", str(tmp_path)).replace("REPLICAS", "2")
    config.write_text(f'{text}[digests]\n"{tmp_path}" = "{digest}"\n')
    assert load_experiment(config).resolved["digests"] == {str(tmp_path): digest}
    config.write_text(f'{text}[digests]\n"{tmp_path}" = "{digest[::-1]}"\n"elsewhere" = "00"\n')
    with pytest.raises(ExperimentError) as caught:
        load_experiment(config)
    first, second = caught.value.problems
    assert f"must be that of the data, {digest} (got" in first
    assert 'experiment.toml:17: digests.elsewhere: unknown data "elsewhere"' in second
    assert "experiment.toml:16: " in first
