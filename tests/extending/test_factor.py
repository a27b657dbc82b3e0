"""The law of docs/extending.md: its numbers, its way through run, summary, line, page and figure, and its mistakes."""

import re
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from sgdsim.cli.run import headline
from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.laws.catalogue import LAWS, check_expectations, section
from sgdsim.laws.law import Members
from sgdsim.laws.onset import OnsetFit
from sgdsim.plugins import Catalogue
from sgdsim.report.page import write_report
from sgdsim.run.provenance import begin_session
from sgdsim.store.directory import RunDirectory
from sgdsim.store.summary import Summary, schema
from sgdsim.systems import load_system
from tests.extending.guests import example, install
from tests.helpers import finish
from tests.toy import SYSTEM, Walk

ENTRIES = {
    "sgdsim.systems": {"least_squares": "least_squares:SYSTEM"},
    "sgdsim.laws": {"factor": "factor:LAW"},
    "sgdsim.figures": {"factor": "factor:FIGURE"},
}
CONFIG = """\
system = "least_squares"

[problem]
gamma = 0.7
noise = 0.3

[grid]
d = [5, 10, 20]

[start]
overlap = 0.4

[times]
final = 2.0
count = 2

[ensemble]
replicas = 64

[fits.agreement]
law = "factor"
quantity = "excess_risk"
against = "d"
within = 0.5

[report]
figures = ["factor"]
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The experiment, where the packages of system, law and figure are installed."""
    install(monkeypatch, tmp_path / "site", ENTRIES)
    path = tmp_path / "experiment.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def guest(monkeypatch):
    return example(monkeypatch, "factor")


def members(factor, errors=(0.1, 0.2, 0.05)):
    """Three cells whose means are `factor` times theory, off by +1, -2 and +0.5 of these errors."""
    rows = [(factor * x + off * s, s, x) for x, off, s in zip((1.0, 3.0, -0.5), (1, -2, 0.5), errors, strict=True)]
    names = ("risk", "risk_sem", "risk_theory")
    cells = [
        xr.Dataset({name: ("time", [value]) for name, value in zip(names, row, strict=True)} | {"n_replicas": 9})
        for row in rows
    ]
    return Members(SYSTEM, [Walk(d=d) for d in (10, 20, 80)], cells), np.array(rows).T


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_its_numbers_are_those_of_least_squares(guest, factor):
    some, (y, s, x) = members(factor)
    found = guest.LAW.fit(guest.FactorFit(quantity="risk", against="d", within=0.1), some)
    (value, *_), (squares, *_), *_ = np.linalg.lstsq((x / s)[:, None], y / s, rcond=None)
    assert found.factor == pytest.approx(value, rel=1e-12)
    assert (found.chi2, found.dof) == (pytest.approx(squares, rel=1e-12), 2)
    assert found.factor_error == pytest.approx(np.linalg.norm(x / s) ** -1, rel=1e-12)
    assert abs(found.factor - factor) < 5 * found.factor_error
    assert ("do not agree within 0.1" in guest.LAW.headline(found)) == (factor == 2)
    assert [point[0] for point in found.points] == [10, 20, 80]


def test_without_an_error_there_is_no_factor(guest):
    found = guest.LAW.fit(guest.FactorFit(quantity="risk", against="d", within=0.1), members(1.0, (0.1, 0.0, 0.1))[0])
    assert (found.factor, found.problem) == (None, "no fit: every cell needs a theory and an error")


@pytest.mark.slow
def test_it_goes_the_whole_way(file, tmp_path):
    experiment = load_experiment(file)
    law = LAWS["factor"]
    assert experiment.fits == {"agreement": law.keys(quantity="excess_risk", against="d", within=0.5)}
    summary = finish(experiment, tmp_path / "run")
    found = summary.fits["agreement"]
    assert isinstance(found, law.found)
    assert abs(found.factor - 1) < 5 * found.factor_error < 0.5
    ends = [cell.final["excess_risk"] for cell in summary.cells]
    assert found.points == [[d, end.mean, end.sem, end.theory] for d, end in zip((5, 10, 20), ends, strict=True)]
    assert Summary.load(tmp_path / "run" / "summary.json") == summary
    assert re.match(r"agreement: excess_risk = .*\(.*\) theory: they agree within 0.5; chi2", next(headline(summary)))
    assert "FittedFactor" in schema()["$defs"]
    begin_session(RunDirectory(tmp_path / "run"), experiment, "sgdsim run")
    written = write_report(tmp_path / "run")
    assert "factor.png" in {path.name for path in written}
    page = " ".join(re.sub(r"<[^>]*>", " ", written[-1].read_text()).split())
    assert re.search(r"excess risk = \S+ times theory", page)
    assert "measured / theory (factor - 1) / s.e. \u03c7\u00b2 / dof points agreement excess risk" in page
    assert "the band is the fitted factor" in page


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("within = 0.5", "within = -1.0", "experiment.toml:24: fits.agreement.within: must be > 0"),
        ("within = 0.5\n", "", 'fits.agreement.within: must be given for law = "factor"'),
        ('law = "factor"', 'law = "bias"', 'fits.agreement.within: must not be given for law = "bias"'),
        ('law = "factor"', 'law = "facter"', 'fits.agreement.law: must be "power", .*or "factor"'),
        ("within = 0.5", "within = 0.5\nlog = true", 'fits.agreement.log: must be false for law = "factor"'),
        ("within = 0.5", "within = 0.5\nlevel = 1.0", 'fits.agreement.level: must not be given for law = "factor"'),
        ('quantity = "excess_risk"', 'quantity = "sup_deviation"', 'sup_deviation" of a law of kind "factor"'),
    ],
)
def test_its_keys_are_checked(file, before, after, told):
    file.write_text(CONFIG.replace(before, after))
    with pytest.raises(ExperimentError, match=told):
        load_experiment(file)


def test_a_run_is_not_read_where_its_law_is_not_installed(file, tmp_path, monkeypatch):
    finish(load_experiment(file), tmp_path / "run")
    monkeypatch.setattr("sgdsim.plugins.entry_points", lambda **asked: ())
    with pytest.raises(
        ExperimentError, match="unknown law 'factor': install the package that adds it; there are power"
    ):
        Summary.load(tmp_path / "run" / "summary.json")


def test_a_package_whose_law_cannot_be_had_is_told(file, tmp_path, monkeypatch):
    install(monkeypatch, tmp_path / "broken", {"sgdsim.laws": {"odd": "nowhere:LAW", "class": "factor:Factor"}}, "odd")
    file.write_text(CONFIG.replace('law = "factor"', 'law = "odd"'))
    with pytest.raises(ExperimentError, match=r"toml:21: fits.agreement.law: `odd` must be importable as nowhere:LAW"):
        load_experiment(file)
    file.write_text(CONFIG.replace('law = "factor"', 'law = "class"'))
    with pytest.raises(ExperimentError, match="must be a Law, factor:Factor"):
        load_experiment(file)
    file.write_text(CONFIG)
    assert load_experiment(file).fits["agreement"].law == "factor"  # others are not asked


def test_a_key_may_have_another_type_than_in_another_law(guest, monkeypatch):
    class Clash(guest.FactorFit, frozen=True):
        level: int = 3

    class ClashingLaw(guest.Factor):
        keys = Clash

    laws = Catalogue({**LAWS.own, "clash": ClashingLaw()}, LAWS.group, LAWS.kind)
    monkeypatch.setattr("sgdsim.laws.catalogue.LAWS", laws)
    table = {"quantity": "risk", "against": "d"}
    assert section("clash")(law="clash", within=1.0, **table).level == 3
    assert section("onset")(law="onset", level=0.5, **table).level == 0.5


class Wrong:
    def slope(self, quantity, against, problems):
        return 0.5


def test_an_expectation_without_the_methods_of_its_law_is_told():
    """At the door of check_system, and where the law is fitted."""
    system = replace(SYSTEM, expectations={"onset": Wrong()})
    must = r"`System.expectations\['onset'\] of walk` must have the methods of OnsetExpectation, but got 'Wrong'"
    with pytest.raises(ArgumentError, match=must):
        check_expectations(system)
    some = Members(system, *(getattr(members(1.0)[0], part) for part in ("problems", "cells")))
    with pytest.raises(ArgumentError, match=must):
        LAWS["onset"].fit(OnsetFit(quantity="risk", against="d", level=1.0), some)
    with pytest.raises(ArgumentError, match=r"be by names of laws, power, .*, but got 'slope'"):
        check_expectations(replace(SYSTEM, expectations={"slope": Wrong()}))
    with pytest.raises(ArgumentError, match="must be left out"):
        check_expectations(replace(SYSTEM, expectations={"bias": Wrong()}))
    check_expectations(SYSTEM)


def test_an_experiment_with_such_an_expectation_is_refused(file, monkeypatch):
    wrong = replace(load_system("least_squares"), expectations={"factor": Wrong()})
    monkeypatch.setattr("sgdsim.experiment.experiment.load_system", lambda name: wrong)
    with pytest.raises(
        ExperimentError, match=r"fits.agreement.law: .*expectations.* of least_squares` must be left out"
    ):
        load_experiment(file)


def test_the_risk_is_a_scalar_variable():
    for name in ("x", "loss"):
        with pytest.raises(
            ArgumentError, match=f"`risk` must be a scalar variable of the system walk, but got '{name}'"
        ):
            replace(SYSTEM, risk=name)
    later = {"height": SYSTEM.variables["risk"], **SYSTEM.variables}
    assert replace(SYSTEM, variables=later).scalars == ("risk", "height")
