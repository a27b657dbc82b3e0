"""The problem, its tables, and what is refused before anything is written."""

import math

import numpy as np
import pytest
from typer.testing import CliRunner

import sgdsim
from sgdsim import cli
from sgdsim.classification import Classification, Network, RandomStart
from sgdsim.classification.sections import ProblemSection, SimulatorSection, StartSection, TheorySection
from sgdsim.errors import ArgumentError
from sgdsim.systems import load_system
from tests.images.by_hand import FILES, write_folder

EXPERIMENT = """
system = "classification"
[problem]
data = "digits"
N = 8
gamma = 0.5
beta = 1.0
[times]
final = 3.0
count = 2
[ensemble]
replicas = 2
"""


def test_constants_and_derived_numbers():
    problem = Classification(N=1000, gamma=0.3, beta=0.75)
    assert problem.dt == problem.eps == pytest.approx(0.3 * 1000**-0.25, rel=1e-14)
    assert problem.scales == pytest.approx((1 / 8, 1000**-0.5))
    assert Classification(N=1000, gamma=0.3, beta=0.75, init="fixed").scales[1] == 0.1
    assert problem.steps(np.array([60.0])) == round(60 * 1000**0.25 / 0.3) == 1125
    assert len(problem.bin_edges) == problem.bins + 1
    assert Classification(N=8, gamma=0.3, beta=0.75, batch=7).samples_per_step == 7
    given = {"data": "digits", "N": 1000, "gamma": 0.3, "beta": 0.75, "batch": 100, "init": "torch"}
    derived = {"inputs": 64, "classes": 10, "train_images": 1297, "test_images": 500}
    assert (given | derived).items() <= problem.parameters().items()
    per = problem.parameters()["epochs_per_time"]
    assert problem.steps(np.array([28 / per])) == 28 * 12  # full batches of 100 of 1297 images


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"N": 0}, "N"),
        ({"N": True}, "N"),
        ({"batch": 0}, "batch"),
        ({"batch": 1298}, "batch"),
        ({"bins": 0}, "bins"),
        ({"gamma": 0.0}, "gamma"),
        ({"gamma": math.nan}, "gamma"),
        ({"beta": -0.1}, "beta"),
        ({"beta": 1.1}, "beta"),
        ({"init": "keras"}, "init"),
        ({"window": (1.0, 1.0)}, "window"),
        ({"window": (-math.inf, 1.0)}, "window"),
        ({"data": "mnist"}, "data"),
    ],
)
def test_values_out_of_range_are_refused_by_name(change, argument):
    with pytest.raises(ArgumentError) as caught:
        Classification(**({"N": 10, "gamma": 1.0, "beta": 0.5} | change))
    assert caught.value.argument == argument


def test_what_a_user_should_know():
    assert Classification(N=1000, gamma=0.5, beta=1).cautions() == []
    (line,) = Classification(N=100, gamma=6, beta=1).cautions()
    assert "|x|^2 = 64 at N = 100, beta = 1, gamma = 6: near the edge of stability" in line
    (line,) = Classification(N=10_000, gamma=0.1, beta=0).cautions()
    assert "1e+05 steps per unit of time" in line


def test_float32_is_refused_where_it_would_lose_the_steps():
    small = Classification(N=10_000, gamma=0.5, beta=0)
    with pytest.raises(ArgumentError, match=r"eps < 0\.0001, here 5e-05") as caught:
        Network().check(small)
    assert caught.value.argument == "precision"
    Network(precision="float64").check(small)
    Network().check(Classification(N=10_000, gamma=1, beta=0.5))


def test_tiles_are_small_and_no_larger_than_needed():
    small, large = (Classification(N=N, gamma=1, beta=1) for N in (100, 20_000))
    lanes = [Network().bind(problem, replicas, 1.0).lanes for problem, replicas in ((small, 1), (small, 3), (large, 9))]
    assert lanes == [1, 4, 2]
    assert Network().bytes_per_replica(large) > 2 * 4 * 20_000 * 74
    assert Network().step_cost(large).products == 200 * Network().step_cost(small).products


def test_sections_build_what_they_say():
    table = {"data": "digits", "N": 50, "gamma": 0.5, "beta": 1.0, "batch": 10, "init": "fixed", "window": [-1.0, 2.0]}
    problem = ProblemSection.model_validate(table).build()
    assert {key: getattr(problem, key) for key in table} == table | {"window": (-1.0, 2.0)}
    assert StartSection().build() == RandomStart()
    assert TheorySection().build() is None
    assert SimulatorSection.model_validate({"precision": "float64"}).build() == Network(precision="float64")
    assert load_system("classification").default_theory is None


def test_from_python_without_a_theory():
    problem = Classification(N=12, gamma=0.5, beta=1, bins=20)  # the compiled programs of test_network.py
    data = sgdsim.simulate(problem, RandomStart(), np.array([1.0, 3.0]), replicas=4)
    assert float(data["n_diverged"]) == 0
    assert data["histogram"].dims == ("time", "bin")
    assert not [name for name in data if str(name).endswith("_theory")]
    with pytest.raises(ArgumentError, match="a system that has a theory, but got 'classification'"):
        sgdsim.solve(problem, RandomStart(), np.array([1.0]))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"digits"', '"digit"', 'experiment.toml:4: problem.data: must be "digits", "mnist5k" or a folder'),
        ('"digits"', '"nowhere/at/all"', "problem.data: must be"),
        ('"digits"', '"FOLDER"', f"problem.data: must have as many labels as images, and at least one, in {FILES[0]}"),
        ("beta = 1.0", "beta = 2.0", "problem.beta: must be"),
        ("gamma = ", "gamma0 = ", "problem.gamma0: unknown key; did you mean `gamma`: the rate is gamma N^beta?"),
        ("count = 2", 'count = 2\n[theory]\nkind = "exact"', "theory.kind: must be"),
    ],
)
def test_a_mistake_in_a_file_is_told_before_anything_is_written(old, new, says, tmp_path):
    write_folder(tmp_path, train=6)
    (tmp_path / f"{FILES[1]}.gz").unlink()
    (tmp_path / FILES[1]).write_bytes(b"\0\0\x08\x01\0\0\0\1\0")
    path, target = tmp_path / "experiment.toml", tmp_path / "run"
    path.write_text(EXPERIMENT.replace(old, new.replace("FOLDER", str(tmp_path))))
    refused = CliRunner().invoke(cli.main, ["run", str(path), "-o", str(target)])
    assert refused.exit_code == 2
    assert says in " ".join(refused.output.split())
    assert not target.exists()
