"""A law of one file and one line of the catalogue goes the whole way: experiment file, run, summary, line, page."""

import re

import pytest

from sgdsim.cli.run import headline
from sgdsim.errors import ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.laws.catalogue import LAWS
from sgdsim.report import write_report
from sgdsim.run.provenance import begin_session
from sgdsim.store.directory import RunDirectory
from sgdsim.store.summary import Summary, schema
from tests.helpers import finish
from tests.laws.new_law import FittedLevel, Flat, LevelFit

EXPERIMENT = """\
system = "committee"

[problem]
k = 1
p = 2
gamma = 1.0

[grid]
d = [20, 40]

[start]
kind = "overlap"
overlap = 0.5

[times]
final = 1.0
count = 2

[ensemble]
replicas = 8

[fits.mean]
law = "flat"
quantity = "excess_risk"
against = "d"
scale = 2.0

[report]
figures = []
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The experiment, where the law is in the catalogue."""
    monkeypatch.setitem(LAWS, "flat", Flat())
    path = tmp_path / "experiment.toml"
    path.write_text(EXPERIMENT)
    return path


def test_it_goes_the_whole_way(file, tmp_path):
    experiment = load_experiment(file)
    assert experiment.fits == {"mean": LevelFit(quantity="excess_risk", against="d", scale=2.0)}
    summary = finish(experiment, tmp_path / "run")
    found = summary.fits["mean"]
    risks = [cell.final["excess_risk"].mean for cell in summary.cells]
    assert found == FittedLevel(
        quantity="excess_risk",
        against="d",
        scale=2.0,
        cells=[0, 1],
        points=[[20.0, risks[0] / 2], [40.0, risks[1] / 2]],
        height=sum(risks) / 4,
    )
    assert Summary.load(tmp_path / "run" / "summary.json") == summary
    assert next(headline(summary)) == f"mean: excess_risk / 2 is about {sum(risks) / 4:.3g}"
    assert "FittedLevel" in schema()["$defs"]
    begin_session(RunDirectory(tmp_path / "run"), experiment.name, experiment.seed, "sgdsim run")
    page = " ".join(re.sub(r"<[^>]*>", " ", write_report(tmp_path / "run")[-1].read_text()).split())
    assert f"the excess risk stays near {sum(risks) / 4:.3g}" in page
    assert f"mean excess risk {sum(risks) / 4:.3g}" in page
    assert "Heights have no errors." in page


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("scale = 2.0", "scale = -1.0", "fits.mean.scale: must be > 0"),
        ("scale = 2.0\n", "", 'fits.mean.scale: must be given for law = "flat"'),
        ('law = "flat"', 'law = "bias"', 'fits.mean.scale: must not be given for law = "bias"'),
        ('law = "flat"', 'law = "falt"', 'fits.mean.law: must be "power"'),
        ("scale = 2.0", "scale = 2.0\nlog = true", 'fits.mean.log: must be false for law = "flat"'),
    ],
)
def test_its_keys_are_checked(file, before, after, told):
    file.write_text(EXPERIMENT.replace(before, after))
    with pytest.raises(ExperimentError, match=re.escape(told)):
        load_experiment(file)


def test_a_key_of_another_type_than_elsewhere_is_refused(file, monkeypatch):
    class Clash(LevelFit, frozen=True):
        scale: int = 3

    class ClashingLaw(Flat):
        keys = Clash

    monkeypatch.setitem(LAWS, "clash", ClashingLaw())
    with pytest.raises(TypeError, match=r"Clash\.scale must be declared as other laws declare it"):
        load_experiment(file)
