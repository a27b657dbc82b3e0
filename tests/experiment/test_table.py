"""An experiment as a table of Python is that of its file, and its mistakes are told by their keys."""

from pathlib import PurePath

import numpy as np
import pytest

from sgdsim.errors import ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.experiment.table import plain_table

VALUE = "must be a number, a string, true or false, or a list or a table of such"
TEXT = """
title = "A table"
system = "committee"
problem = { k = 1, p = 2, gamma = 0.5 }
grid = { d = [20, 40], noise = { linear = [0.0, 0.1, 3] } }
start = { kind = "overlap", overlap = 0.3 }
times = { final = 1.0, count = 4 }
ensemble = { replicas = 16 }
quick = { "ensemble.replicas" = 8 }
"""
TABLE = {
    "title": "A table",
    "system": "committee",
    "problem": {"k": np.int64(1), "p": 2, "gamma": np.float32(0.5), "noise": None},
    "grid": {"d": np.array([20, 40]), "noise": {"linear": (0.0, 0.1, 3)}},
    "start": {"kind": "overlap", "overlap": 0.3},
    "times": {"final": 1.0, "count": 4},
    "ensemble": {"replicas": 16},
    "quick": {"ensemble.replicas": 8},
}


def with_(**tables):
    return TABLE | {name: TABLE.get(name, {}) | table for name, table in tables.items()}


@pytest.mark.parametrize("quick", [False, True])
def test_a_table_is_the_experiment_of_its_file(tmp_path, quick):
    (tmp_path / "experiment.toml").write_text(TEXT)
    asked = load_experiment(TABLE, quick=quick)
    assert asked.resolved == load_experiment(tmp_path / "experiment.toml", quick=quick).resolved
    assert asked.replicas == (8 if quick else 16)
    assert [cell.problem.d for cell in asked.cells] == [20, 20, 20, 40, 40, 40]
    assert load_experiment(asked.resolved).resolved == asked.resolved


def test_values_by_keys_stand_on_top():
    found = load_experiment(TABLE, {"problem.noise": np.float64(0.2), "grid.d": range(30, 60, 10), "start.seed": 7})
    assert [(cell.problem.d, cell.problem.noise) for cell in found.cells] == [(30, 0.2), (40, 0.2), (50, 0.2)]
    assert found.cells[0].start.seed == 7


def test_a_text_as_a_value_is_no_toml():
    assert load_experiment(TABLE, {"title": "[1, 2]"}).title == "[1, 2]"


@pytest.mark.parametrize(
    ("table", "overrides", "told"),
    [
        (with_(problem={"gama": 1}), {}, ["experiment: problem.gama: unknown key; did you mean `gamma`?"]),
        (with_(problem={"k": np.nan}), {}, ["experiment: problem.k: must be an integer (got nan)"]),
        (
            with_(problem={"k": {1}, "p": 1j}, times={3: 1}),
            {},
            [
                f"experiment: problem.k: {VALUE} (got {{1}})",
                f"experiment: problem.p: {VALUE} (got 1j)",
                "experiment: times.3: must be a string, as every key",
            ],
        ),
        (TABLE, {"problem.gama": 1}, ["override problem.gama = 1: problem.gama: unknown key; did you mean `gamma`?"]),
        (TABLE, {"problem.gamma": None}, ["override problem.gamma = None: must have a value"]),
        (
            TABLE,
            {"a b": 1, "problem.k": {1}},
            [
                "override a b = 1: must be KEY=VALUE, e.g. problem.noise=0.01",
                f"override problem.k = {{1}}: value: {VALUE} (got {{1}})",
            ],
        ),
    ],
)
def test_what_is_wrong_is_told_by_its_key(table, overrides, told):
    with pytest.raises(ExperimentError) as error:
        load_experiment(table, overrides)
    assert error.value.problems == told


def test_what_is_nested_without_end_is_told():
    endless: dict = {}
    endless["inner"] = endless
    with pytest.raises(ExperimentError, match="nested more than 10 deep"):
        load_experiment(with_(problem=endless))


def test_a_path_is_text():
    assert plain_table({"data": PurePath("a", "b")}, "x") == {"data": str(PurePath("a", "b"))}
