"""The commands that show results: show, compare, index. Known numbers are put into stored runs by hand."""

import json
import math
import re
import shutil
from pathlib import Path

import pytest
import xarray as xr
from typer.testing import CliRunner

from sgdsim import cli
from sgdsim.laws.onset import FittedOnset
from sgdsim.laws.two_term import FittedTwoTerm
from sgdsim.report import comparison
from sgdsim.report.index import GENERATOR
from sgdsim.store.stored import Stored
from sgdsim.store.summary import Summary
from tests.processes import EXPERIMENT

SMALL = EXPERIMENT.replace("d = [30_000, 60_000]", "d = [50, 100]").replace("replicas = 2000", "replicas = 40")
FITTED = SMALL.replace('kind = "none"', 'kind = "exact"').replace("[fits.risk]", '[fits.final]\nagainst = "d"')
OTHER = ("--set", "grid.d=[100, 200]", "--set", "ensemble.seed=3", "--set", "times.final=0.5")


def sgdsim(*arguments, code=0):
    done = CliRunner().invoke(cli.main, [str(argument) for argument in arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return done


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs that have the cell d = 100 in common."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "small.toml").write_text(FITTED)
    for name, options in (("one", ()), ("two", OTHER)):
        sgdsim("run", folder / "small.toml", "-o", folder / "runs" / name, "-q", *options)
    return folder / "runs"


@pytest.fixture
def copies(runs, tmp_path):
    return shutil.copytree(runs, tmp_path / "runs")


def edit(run, change):
    """Changes the summary of a run, and seals it again."""
    path = run / "summary.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(Summary.model_validate(content).text())


def final(content, cell, mean, sem):
    content["cells"][cell]["final"]["excess_risk"] |= {"mean": mean, "sem": sem}


def test_show_prints_cells_deviations_and_fits(runs):
    summary = Stored.load(runs / "one").summary
    lines = sgdsim("show", runs / "one").stdout.splitlines()
    assert lines[0] == summary.title
    assert lines[1].split()[:2] == ["cell", "d"]
    assert "largest deviation" in lines[1]
    assert [line.split()[:2] for line in lines[2:4]] == [["0", "50"], ["1", "100"]]
    shown = re.search(r"([\d.e-]+)\(\d+\)", lines[2])[1]
    assert float(shown) == pytest.approx(summary.cells[0].max_deviation.mean, rel=0.05)
    assert lines[4].startswith("final: excess_risk = C d^s with s = ")
    assert lines[5].startswith("80 replicas, 0 diverged")


@pytest.mark.parametrize("command", [("show",), ("compare",)])
def test_what_is_no_finished_run_is_refused_in_a_line(runs, tmp_path, command):
    folders = [tmp_path] if command == ("show",) else [runs / "one", tmp_path]
    refused = sgdsim(*command, *folders, code=2)
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"{tmp_path}: no results.nc")
    assert refused.stdout == ""


def test_compare_tells_what_differs_and_by_how_many_errors(copies):
    edit(copies / "one", lambda content: final(content, 1, 1.0, 0.03))
    edit(copies / "two", lambda content: final(content, 0, 1.25, 0.04))
    lines = sgdsim("compare", copies / "one", copies / "two").stdout.splitlines()
    rows = [line.split() for line in lines]
    parameters = {row[0]: row[1:] for row in rows[1 : lines.index("cells")]}
    assert set(parameters) == {"parameter", "grid.d", "ensemble.seed", "times.final"}
    assert parameters["ensemble.seed"] == ["0", "3"]
    assert parameters["grid.d"] == ["[50,", "100]", "[100,", "200]"]
    # Of the cell that both have, 0.25 over sqrt(0.03^2 + 0.04^2) = 0.05.
    (excess,) = [line for line in lines if "final excess risk" in line and "theory" not in line]
    assert excess.split() == ["100", "final", "excess", "risk", "1.00(3)", "1.25(4)", "0.25(5)", "+5.0"]
    cells = lines[lines.index("cells") + 2 : lines.index("fits")]
    assert {line.split()[0] for line in cells} == {"100"}
    assert "cells without a counterpart: 1 of the first run, 1 of the second" in lines
    assert not any("seed 0" in line for line in lines)


def test_compare_sets_fitted_numbers_side_by_side(copies):
    def change(content):
        fit = content["fits"]["final"]
        fit |= {"slope": fit["slope"] - 3 * math.hypot(0.1, 0.1), "slope_error": 0.1}

    edit(copies / "one", lambda content: content["fits"]["final"].update(slope_error=0.1))
    shutil.rmtree(copies / "two")
    shutil.copytree(copies / "one", copies / "two")
    edit(copies / "two", change)
    lines = sgdsim("compare", copies / "one", copies / "two").stdout.splitlines()
    assert lines[0].endswith(": none")
    fits = [line.split() for line in lines[lines.index("fits") + 2 :] if line.split()[0] == "final"]
    assert [row[1] for row in fits] == ["slope", "constant"]
    assert fits[0][-1] == "-3.0"
    assert fits[1][-1] == "+0.0"
    assert lines[-1] == "both runs have the seed 0: their errors need not be independent"


def test_cells_are_matched_by_coordinates_whatever_is_an_axis(runs):
    """d is an axis of both; a cell of a run without the axis has it as a parameter."""
    first, second = (Stored.load(runs / name) for name in ("one", "two"))
    alone = second.summary.model_copy(update={"cells": [second.summary.cells[0].model_copy(update={"axes": {}})]})
    single = Stored(second.results, alone, second.provenance, second.experiment)
    for pair in ((first, single), (single, first)):
        apart, pairs = comparison.matched(*pair)
        assert apart == ("d",)
        assert [[cell.values["d"] for cell in both] for both in pairs] == [[100, 100]]


def test_index_is_one_page_that_needs_nothing_else(copies):
    done = sgdsim("index", copies)
    page = (copies / "index.html").read_text()
    assert done.stdout == f"{copies / 'index.html'}: 2 runs\n"
    assert re.findall(r'href="([^"]*)"', page) == ["one/report.html", "two/report.html"]
    assert not re.search(r"(src|srcset|http|url\(|@import|<script|<link)", page)
    assert page.count(">finished<") == 3  # the heading, and both runs
    assert page.count("final: excess_risk = C d^s with s =") == 2
    before = page
    sgdsim("index", copies)
    assert (copies / "index.html").read_text() == before


def test_index_shows_unfinished_damaged_and_hostile_runs_as_text(copies):
    hostile = copies / '"><script>alert(1)&'
    (copies / "one").rename(hostile)
    edit(hostile, lambda content: content["fits"]["final"].update(problem="<img onerror=x>\u202e"))
    next((copies / "two" / "blocks").rglob("*.npz")).unlink()
    (copies / "two" / "results.nc").unlink()
    (copies / "two" / "summary.json").write_text("{}")
    sgdsim("index", copies)
    page = (copies / "index.html").read_text()
    assert "<script>" not in page
    assert "<img" not in page
    assert "\u202e" not in page
    assert r"&lt;img onerror=x&gt;\u202e" in page
    assert "%22%3E%3Cscript%3Ealert%281%29%26/report.html" in page
    assert "1 of 2 blocks" in page
    assert "summary.json: is of format 1" in page


def test_index_overwrites_nothing_but_its_own_page(copies):
    (copies / "index.html").write_text("mine")
    (line,) = sgdsim("index", copies, code=2).stderr.splitlines()
    assert line == f"{copies / 'index.html'}: was not written by sgdsim index; move it, or give another folder"
    assert (copies / "index.html").read_text() == "mine"
    (copies / "index.html").write_text(f"<head>{GENERATOR}")
    sgdsim("index", copies)
    (line,) = sgdsim("index", copies / "one", code=2).stderr.splitlines()
    assert line.endswith("is a run itself; give the folder around it")
    (copies / "empty").mkdir()
    (line,) = sgdsim("index", copies / "empty", code=2).stderr.splitlines()
    assert line.startswith(f"{copies / 'empty'}: has no run in it")


def test_index_looks_into_folders_but_no_links(copies):
    (copies / "more" / "deep").mkdir(parents=True)
    shutil.move(copies / "two", copies / "more" / "deep" / "two")
    (copies / "again").symlink_to(copies / "one")
    (copies / ".hidden").mkdir()
    shutil.copytree(copies / "one", copies / ".hidden" / "one")
    assert sgdsim("index", copies).stdout.endswith(": 2 runs\n")
    assert 'href="more/deep/two/report.html"' in (copies / "index.html").read_text(encoding="utf-8")
    assert Path(copies / "one" / "index.html").exists() is False


def test_status_as_json(runs):
    done = sgdsim("status", runs / "one", "--json")
    assert done.stdout.count("\n") == 1
    state = json.loads(done.stdout)
    assert (state["over"], state["written"], state["rate"], state["workers"]) == (True, True, None, [])
    assert [cell["axes"]["d"] for cell in state["cells"]] == [50, 100]
    assert all(cell["done"] and cell["replicas_done"] == cell["replicas"] == 40 for cell in state["cells"])
    watched = sgdsim("status", runs / "one", "--json", "--watch")
    assert json.loads(watched.stdout)["cells"] == state["cells"]


def test_numbers_of_every_law_are_compared():
    """Those with errors, whatever these are called; of a law with an interval, the number alone."""
    two = {"quantity": "distance", "against": "eps", "second": "inverse_N"}
    first = {
        "onset": FittedOnset(quantity="loss", against="eta", level=0.1, onset=0.5, low=0.4, high=0.6),
        "terms": FittedTwoTerm(**two, first_coefficient=1.0, first_error=0.3, second_coefficient=2.0, second_error=0.1),
        "only here": FittedOnset(quantity="loss", against="eta", level=0.1, onset=0.5),
    }
    second = {
        "onset": FittedOnset(quantity="loss", against="eta", level=0.1, onset=0.75, low=0.7, high=0.8),
        "terms": FittedTwoTerm(**two, first_coefficient=0.0, first_error=0.4, second_coefficient=2.0, second_error=0.1),
    }
    summaries = [Summary(experiment="x", title="x", system="meanfield", fits=fits) for fits in (first, second)]
    runs = [Stored(xr.Dataset(), summary, {}, "") for summary in summaries]
    assert comparison.fits(*runs).rows == (
        ("onset", "onset", "0.5", "0.75", "0.25", "-"),
        ("terms", "first_coefficient", "1.0(3)", "0.0(4)", "-1.0(5)", "-2.0"),
        ("terms", "second_coefficient", "2.00(10)", "2.00(10)", "0.00(14)", "+0.0"),
    )
