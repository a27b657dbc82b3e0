import json
import re
import shutil
from html.parser import HTMLParser

import matplotlib
import matplotlib.image
import pytest
import tomli_w

from sgdsim.errors import ExperimentError
from sgdsim.figures.style import INK
from sgdsim.report import write_report
from sgdsim.store.stored import Stored
from sgdsim.store.summary import End, Mean, Summary
from tests.report.changes import changed, with_cells, with_fit


class Page(HTMLParser):
    """All tags, attributes and the visible text of a page, and what its scripts hold."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.attributes, self.words, self.scripts, self._hidden = [], [], [], [], 0
        self.source = path.read_text()
        self.feed(self.source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]
        self._hidden += tag in ("style", "svg", "script")

    def handle_endtag(self, tag):
        self._hidden -= tag in ("style", "svg", "script")

    def handle_data(self, data):
        if self._hidden and self.tags[-1] == "script":
            self.scripts.append(data)
        elif not self._hidden:
            self.words.append(data)


@pytest.fixture(scope="module")
def written(run_directory, tmp_path_factory):
    directory = shutil.copytree(run_directory, tmp_path_factory.mktemp("report") / "law")
    return directory, write_report(directory)


@pytest.fixture
def copy(run_directory, tmp_path):
    directory = shutil.copytree(run_directory, tmp_path / "law")
    ask_for(directory, "scaling")
    return directory


def ask_for(directory, *figures):
    (directory / "experiment.toml").write_text(tomli_w.dumps({"report": {"figures": figures}}))


@pytest.fixture(scope="module")
def page(written):
    return Page(written[0] / "report.html")


def store(directory, change):
    """Writes the summary of a run anew, as `change` makes it of the stored one."""
    path = directory / "summary.json"
    path.write_text(change(Stored.load(directory)).summary.text())


def test_every_file_is_named_and_there(written):
    directory, paths = written
    names = ["scaling.png", "scaling.pdf", "trajectories.png", "trajectories.pdf"]
    assert paths == [*(directory / "figures" / name for name in names), directory / "report.html"]
    assert all(path.stat().st_size > 5000 for path in paths)
    assert sorted(path.name for path in (directory / "figures").iterdir()) == sorted(names)


def test_pictures_have_a_light_background_and_ink_on_it(written):
    picture = matplotlib.image.imread(written[0] / "figures" / "scaling.png")
    assert picture[0, 0].tolist() == [1, 1, 1, 1]
    assert (picture[..., :3].sum(axis=-1) < 1).mean() > 0.005
    assert picture.shape[1] == pytest.approx(3.9 * 200, abs=1)


def test_the_page_asks_nothing_of_anyone(page):
    assert not {"link", "img", "iframe", "object"} & set(page.tags)
    references = [found for found in page.attributes if found[1] in ("src", "href", "xlink:href", "srcset")]
    assert all(value.startswith("#") for tag, name, value in references if (tag, name) != ("a", "href"))
    assert "default-src 'none'" in page.source
    assert "url(http" not in page.source
    assert "@import" not in page.source


def test_the_page_follows_a_dark_screen_and_a_phone(page):
    assert "prefers-color-scheme: dark" in page.source
    assert 'name="viewport"' in page.source
    assert page.tags.count("svg") == 2
    assert "currentColor" in page.source
    assert INK not in page.source[page.source.index("<svg") :]


def test_the_page_says_what_was_measured_and_what_theory_predicts(written, page):
    fit = Summary.load(written[0] / "summary.json").fits["scaling"]
    slope = f"{fit.slope:.3f}({round(fit.slope_error * 1000)})"
    off = (fit.slope - 0.5) / fit.slope_error
    assert f"exponent {slope} 0.5 {off:+.1f} s.e.".replace("-", "\N{MINUS SIGN}") in page.text
    assert page.text.count(slope) >= 3
    for words in (
        "cells replicas diverged simulated in steps per second 6 3072 3 2 min 5 s",
        "3 of 3072 replicas diverged, in cell 1",
        "largest deviation",
        "jax 0.10.2",
    ):
        assert words in page.text
    assert "0.02" in page.text
    assert "d = [" in page.source


def test_titles_are_text_and_not_markup(page):
    assert "Deviation from &lt;theory&gt; &amp; its law" in page.source
    assert "theory" not in page.tags


HOSTILE = "<script>alert('x')</script>\x1b[31m\x07\x00\u202e"


def test_words_of_others_are_text_wherever_they_stand(copy):
    def change(run):
        cells = run.summary.cells
        more = [{"data": HOSTILE + "1e5", HOSTILE: cell.cell} for cell in cells]
        parameters = [{"parameters": cell.parameters | own} for cell, own in zip(cells, more, strict=True)]
        return changed(with_cells(run, parameters), title=HOSTILE, experiment=HOSTILE)

    store(copy, change)
    facts = {"command": f"sgdsim run {HOSTILE} --set problem.noise=1e5", HOSTILE: HOSTILE + "1e-5"}
    (copy / "provenance.json").write_text(json.dumps(facts))
    write_report(copy)
    page = Page(copy / "report.html")
    assert page.tags.count("script") == len(page.scripts) == 2  # numbers, and ours
    assert not any("alert" in script for script in page.scripts)
    assert page.source.count(r"&lt;/script&gt;\x1b[31m\x07\x00\u202e") >= 7
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page.source)
    assert "problem.noise=1e5" in page.text


@pytest.mark.slow
def test_the_same_files_give_the_same_bytes_whatever_the_style_of_the_user(written):
    directory, paths = written
    before = [path.read_bytes() for path in paths]
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "lines.linewidth": 9}):
        assert write_report(directory) == paths
        assert matplotlib.rcParams["font.size"] == 30
    assert [path.read_bytes() for path in paths] == before


def test_a_figure_that_cannot_be_drawn_is_explained(copy):
    problem = "no fit: `x` must have at least two distinct values"
    store(copy, lambda run: with_fit(run, "scaling", slope=None, problem=problem))
    paths = write_report(copy)
    assert paths == [copy / "report.html"]
    text = Page(copy / "report.html").text
    assert "needs a fit" in text
    assert problem in text


def test_numbers_that_are_missing_are_dashes(copy):
    lost = {"sup_deviation": Mean(), "final_deviation": Mean()}

    def lose(run):
        ends = [{"final": {"risk": End(mean=risk.mean, sem=risk.sem)}} for risk in finals(run)]
        return with_cells(run, [lost | end for end in ends])

    def finals(run):
        return [cell.final["risk"] for cell in run.summary.cells]

    store(copy, lose)
    write_report(copy)
    text = Page(copy / "report.html").text
    assert "final deviation" not in text
    assert "None" not in text
    assert not re.search(r"\bnan\b", text.lower())


@pytest.mark.parametrize("name", ["results.nc", "summary.json", "provenance.json", "experiment.toml"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(ExperimentError, match=f"no {name}; a report needs a finished run"):
        write_report(copy)
    assert not (copy / "report.html").exists()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ExperimentError, match="there is no such folder"):
        write_report(tmp_path / "nowhere")


def test_an_unknown_figure_is_refused_before_anything_is_written(copy):
    ask_for(copy, "scaling", "phase")
    with pytest.raises(ExperimentError, match="unknown figure `phase`; known: scaling, trajectories, "):
        write_report(copy)
    assert not (copy / "figures").exists()
