"""What installed packages add: found by name, imported late, and told in words where it cannot be had."""

import sys
import tomllib

import numpy as np
import pytest
from matplotlib.figure import Figure

import sgdsim
from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.figures.catalogue import FIGURES
from sgdsim.plugins import Catalogue, load_plugin, plugins
from sgdsim.systems import SYSTEMS, known_systems, load_system
from tests.experiment.bad_configs import GOOD
from tests.extending.guests import install
from tests.toy import DecayTheory, Origin, Walk

GROUP = "sgdsim.systems"
CONFIG = """
system = "SYSTEM"

[problem]
d = 20
gamma = 0.5

[start]

[times]
final = 1.0
count = 2

[ensemble]
replicas = 16
"""


def config(folder, system):
    path = folder / "experiment.toml"
    path.write_text(CONFIG.replace("SYSTEM", system))
    return path


def test_a_system_is_found_by_its_name(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path, {GROUP: {"least_squares": "least_squares:SYSTEM"}})
    monkeypatch.delitem(sys.modules, "least_squares", raising=False)
    assert known_systems() == (*SYSTEMS, "least_squares")
    assert "least_squares" not in sys.modules  # known, not imported
    assert load_system("least_squares").name == "least_squares"
    assert load_experiment(config(tmp_path, "least_squares")).cells[0].problem.system == "least_squares"


def test_ours_are_not_replaced_and_need_no_search(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path, {GROUP: {"committee": "least_squares:SYSTEM"}})
    assert load_system("committee").problem_section.__module__.startswith("sgdsim.committee")
    monkeypatch.setattr("sgdsim.plugins.entry_points", lambda **asked: pytest.fail("searched"))
    (tmp_path / "ours.toml").write_text(GOOD)
    assert load_experiment(tmp_path / "ours.toml").system.name == "committee"


def test_an_unknown_system_is_a_complaint_with_those_that_are_known(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path, {GROUP: {"least_squares": "least_squares:SYSTEM"}})
    with pytest.raises(ExperimentError, match=r"experiment.toml:2: system: unknown system .*known: .*, least_squares$"):
        load_experiment(config(tmp_path, "percolation"))
    with pytest.raises(ExperimentError, match="did you mean `least_squares`"):
        load_experiment(config(tmp_path, "least_square"))
    with pytest.raises(ArgumentError, match=r"`system` must be one of committee, .*, least_squares, but got 'os'"):
        load_system("os")


BROKEN = {
    "no module": ({"odd": "nowhere:SYSTEM"}, "importable as nowhere:SYSTEM .*No module named 'nowhere'"),
    "no attribute": ({"odd": "least_squares:SYSTEMS"}, "importable as least_squares:SYSTEMS .*AttributeError"),
    "no system": ({"odd": "least_squares:LeastSquares"}, "be a System, least_squares:LeastSquares"),
    "another name": ({"odd": "least_squares:SYSTEM"}, 'be the name of least_squares:SYSTEM too .*"least_squares"'),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_package_that_is_broken_is_told(monkeypatch, tmp_path, name):
    entries, words = BROKEN[name]
    install(monkeypatch, tmp_path, {GROUP: entries})
    with pytest.raises(ExperimentError, match=f"experiment.toml:2: system: .*{words}"):
        load_experiment(config(tmp_path, "odd"))


def test_two_packages_of_one_name(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path / "a", {GROUP: {"odd": "least_squares:SYSTEM"}}, "first")
    install(monkeypatch, tmp_path / "b", {GROUP: {"odd": "elsewhere:SYSTEM"}}, "second")
    with pytest.raises(ArgumentError, match=r"be added by one .*'elsewhere:SYSTEM and least_squares:SYSTEM'"):
        load_system("odd")


def test_a_package_that_lies_there_twice_is_one(monkeypatch, tmp_path):
    for copy in ("a", "b"):
        install(monkeypatch, tmp_path / copy, {GROUP: {"least_squares": "least_squares:SYSTEM"}}, f"guest_{copy}")
    assert load_plugin(GROUP, "least_squares", object).name == "least_squares"


def test_figures_are_ours_and_those_of_packages(monkeypatch, tmp_path):
    assert "settled_risk" not in FIGURES
    ours = list(FIGURES)
    install(monkeypatch, tmp_path, {"sgdsim.figures": {"settled_risk": "settled_risk:FIGURE", "risk": "nowhere:X"}})
    assert list(plugins("sgdsim.figures")) == ["risk", "settled_risk"]
    assert [*FIGURES] == [*ours, "settled_risk"]
    assert len(FIGURES) == len(ours) + 1
    assert FIGURES["settled_risk"].name == "settled_risk"
    assert FIGURES["risk"].name == "risk"  # ours
    with pytest.raises(KeyError):
        FIGURES["phase"]
    assert isinstance(FIGURES, Catalogue)


def test_a_dataset_of_a_system_that_is_not_installed_is_drawn():
    """It names a system that is not found by its name; the first scalar is taken for its risk."""
    data = sgdsim.solve(Walk(d=20), Origin(), [0.5, 1.0], theory=DecayTheory())
    axes = sgdsim.plot.risk(data, ax=Figure().subplots())
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), data["risk"])


def test_a_figure_of_a_package_may_be_asked_for(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path, {"sgdsim.figures": {"settled_risk": "settled_risk:FIGURE"}})
    path = tmp_path / "ours.toml"
    path.write_text(GOOD)
    assert load_experiment(path, ['report.figures=["settled_risk"]']).figures == ("settled_risk",)
    with pytest.raises(ExperimentError, match="must be a figure of the system committee"):
        load_experiment(path, ['report.figures=["unsettled"]'])
    assert tomllib.loads(GOOD)["system"] == "committee"
