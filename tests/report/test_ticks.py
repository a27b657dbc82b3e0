"""Ticks and numbers of figures, letters of panels, and the sizes that a caption tells."""

import shutil
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox

import sgdsim
from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.setting import setting
from sgdsim.figures.style import styled
from sgdsim.figures.typeset import folded, shown, typeset
from sgdsim.report.page import write_report
from sgdsim.store.stored import Stored
from tests.report.changes import changed
from tests.report.recoveries import recovery


def figure_of(low, high, width=4.0, height=3.0, panels=1):
    """A figure whose panels have logarithmic axes between these ends."""
    figure = Figure(figsize=(width, height), layout="constrained")
    for axes in figure.subplots(1, panels, squeeze=False).flat:
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    return figure


def labels(axis):
    """What is written at the major and at the minor ticks, once the figure is drawn."""
    return [[tick.get_text() for tick in axis.get_ticklabels(minor=minor)] for minor in (False, True)]


def drawn(low, high, **size):
    figure = styled(lambda: figure_of(low, high, **size))
    FigureCanvasAgg(figure).draw()
    return figure.axes[0]


@pytest.mark.parametrize(
    ("low", "high", "written"),
    [
        (0.05, 300, ["$10^{-1}$", "$10^{0}$", "$10^{1}$", "$10^{2}$"]),
        (0.03, 0.2, ["0.05", "0.1", "0.2"]),
        (40, 700, ["50", "100", "200", "500"]),
        (2e-5, 9e-5, [rf"${digit}\times 10^{{-5}}$" for digit in (2, 3, 5)]),
        (0.19, 0.31, ["0.2", "0.25", "0.3"]),
    ],
)
def test_labels_of_a_logarithmic_axis(low, high, written):
    major, minor = labels(drawn(low, high).yaxis)
    assert major == written
    assert set(minor) <= {""}


@pytest.mark.parametrize(
    "ends", [(0.05, 300), (40, 700), (2e-5, 9e-5), (1e-9, 1e12), (0.9, 1.1), (3.0, 28.0), (1.1e-4, 7e-4)]
)
def test_labels_never_touch(ends):
    axes = drawn(*ends, width=2.2, height=1.6)
    for axis in (axes.xaxis, axes.yaxis):
        boxes = [tick.get_window_extent() for tick in axis.get_ticklabels() if tick.get_text()]
        assert len(boxes) > 1
        for one, other in pairwise(boxes):
            assert not one.overlaps(other)


def test_many_decades_keep_few_labels():
    major, _ = labels(drawn(1e-9, 1e12).xaxis)
    assert len(major) <= 7


def test_ticks_that_were_set_stay():
    def draw():
        figure = figure_of(1, 100)
        figure.axes[0].set_xticks([2, 8, 32], ["2", "8", "32"])
        return figure

    assert labels(styled(draw).axes[0].xaxis)[0] == ["2", "8", "32"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1000, "1000"),
        (10**6, "$10^{6}$"),
        (1e8, "$10^{8}$"),
        ("1e8", "$10^{8}$"),
        (1_600_000, r"$1.6\times 10^{6}$"),
        (131072, "131072"),
        (-0.25, "\N{MINUS SIGN}0.25"),
        ("-0.25", "\N{MINUS SIGN}0.25"),
        ("sgd", "sgd"),
        (True, "True"),
        (2.5e-5, r"$2.5\times 10^{-5}$"),
    ],
)
def test_a_number_in_a_label(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(
    ("label", "lines"),
    [
        ("short, $a b$", ["short, $a b$"]),
        ("a label of many words, $x y z$", ["a label of many", "words, $x y z$"]),
        ("of symbols: $a + b + c + d + e + f + g$", ["of symbols:", "$a + b + c + d + e + f + g$"]),
        ("$a + b + c + d + e + f + g$", ["$a + b + c + d + e + f + g$"]),
        (r"excess risk, $\mathcal{E}_{10}$", [r"excess risk, $\mathcal{E}_{10}$"]),
        (r"a median time $\tau$ to a level", ["a median time", r"$\tau$ to a level"]),
        ("two lines\nas they are, of any length", ["two lines", "as they are, of any length"]),
    ],
)
def test_long_labels_are_parted_between_words(label, lines):
    assert folded(label, 20).split("\n") == lines


def test_a_number_with_its_error_in_a_label():
    assert typeset("1.35(1)e-3") == r"$1.35(1)\times 10^{-3}$"
    assert typeset("-0.516(13)") == "\N{MINUS SIGN}0.516(13)"
    assert typeset("-1e-6") == "$-10^{-6}$"
    assert typeset("a - b") == "a - b"


@pytest.mark.parametrize(("panels", "letters"), [(1, ""), (3, "abc")])
def test_letters_where_there_are_several_panels(panels, letters):
    figure = styled(lambda: figure_of(1, 100, panels=panels))
    found = [one for axes in figure.axes for one in axes.artists if isinstance(one, AnnotationBbox)]
    assert "".join(one.offsetbox.get_text() for one in found) == letters


def test_a_colour_scale_has_no_letter():
    def draw():
        figure = figure_of(1, 100, panels=2)
        image = figure.axes[0].imshow(np.eye(2))
        figure.colorbar(image, ax=figure.axes[0])
        return figure

    figure = styled(draw)
    assert len(figure.axes) == 3
    assert not [one for one in figure.axes[2].artists if isinstance(one, AnnotationBbox)]


def test_the_caption_ends_with_sizes_and_replicas(run_directory):
    run = Stored.load(run_directory)
    assert setting(run) == "p = 4; 512 replicas in each cell."
    caption = FIGURES["risk"].full_caption(run)
    assert caption == f"{FIGURES['risk'].caption(run)} p = 4; 512 replicas in each cell."
    rows = [cell.model_copy(update={"n_replicas": 4 + cell.cell}) for cell in run.summary.cells]
    rows[0] = rows[0].model_copy(update={"parameters": {**rows[0].parameters, "p": 2}})
    assert setting(changed(run, cells=rows)) == "p = 2 to 4; 4 to 9 replicas in each cell."
    assert setting(recovery()) == ""


def test_a_panel_for_a_notebook_has_the_same_ticks(run_directory):
    axes = sgdsim.plot.scaling(run_directory, ax=Figure().add_subplot())
    FigureCanvasAgg(axes.get_figure()).draw()
    # Less than two powers of ten: matplotlib would write 2 x 10^-3 at minor ticks.
    assert labels(axes.yaxis) == [["0.002", "0.005", "0.01", "0.02"], [""] * len(labels(axes.yaxis)[1])]


def test_the_page_tells_them(run_directory, tmp_path):
    directory = shutil.copytree(run_directory, tmp_path / "law")
    (directory / "experiment.toml").write_text('[report]\nfigures = ["scaling"]\n')
    assert "512 replicas in each cell." in write_report(directory)[-1].read_text()
