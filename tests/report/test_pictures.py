"""Figures as they stand in the page: nothing but what is seen, names of their own, and values that can be read off."""

import html
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from sgdsim.figures.style import inline_svg, styled
from sgdsim.report.pictures import picture

X, Y = np.array([1e-3, 1e-2, 1e-1]), np.array([2.0, 30.0, 500.0])
SVG = "{http://www.w3.org/2000/svg}"


def draw(scales=("log", "log")):
    figure = Figure(figsize=(4, 3), layout="constrained")
    axes = figure.subplots()
    axes.set(xscale=scales[0], yscale=scales[1], xlabel=r"$\gamma_0$", ylabel="a label of an axis that is far too long")
    axes.plot(X, Y, "o", label=r"$\kappa$ = <0>")
    axes.plot(X, Y / 2)
    axes.errorbar(X, 2 * Y, 0.1 * Y, capsize=3, label="bars")
    axes.scatter(X, 3 * Y, label="cloud")
    axes.axhline(3.0)
    axes.fill_between(X, Y, 2 * Y)
    figure.canvas.draw()
    figure.set_layout_engine(None)
    return figure


def drawn(scales=("log", "log"), mark="f-"):
    return ElementTree.fromstring(picture(styled(lambda: draw(scales)), 'say "<b>"', mark))


def curves(root):
    """The points of every curve in data, by its label, from the places of the axes and of the marks alone."""
    found = {}
    for axes in root.iter(f"{SVG}g"):
        if "data-axes" not in axes.attrib:
            continue
        frame = json.loads(axes.get("data-axes"))
        for curve in axes.iter(f"{SVG}g"):
            if "data-curve" in curve.attrib:
                places = [(float(use.get("x")), float(use.get("y"))) for use in curve.iter(f"{SVG}use")]
                lines = " ".join(path.get("d") for path in curve.findall(f"{SVG}path"))
                places = places or [tuple(map(float, pair)) for pair in re.findall(r"[ML] (\S+) (\S+)", lines)]
                found[curve.get("data-curve")] = np.array(
                    [[_value(*one) for one in zip(frame, at, strict=True)] for at in places]
                )
    return found


def _value(axis, place):
    start, end, scale, first, last, _ = axis
    share = (place - start) / (end - start)
    return first * (last / first) ** share if scale == "log" else first + share * (last - first)


@pytest.mark.parametrize("scales", [("log", "log"), ("linear", "log"), ("log", "linear")])
def test_values_of_curves_are_read_off_the_drawing(scales):
    found = curves(drawn(scales))
    assert set(found) == {"\u03ba = <0>", "", "bars", "cloud"}
    for label, factor in (("\u03ba = <0>", 1), ("", 0.5), ("bars", 2), ("cloud", 3)):
        scale = np.array([X.max() if scales[0] == "linear" else 1, Y.max() if scales[1] == "linear" else 1])
        expected = np.stack([X, factor * Y], axis=1)
        error = (found[label] - expected) / np.where([one == "linear" for one in scales], scale, expected)
        assert np.abs(error).max() < 2e-3


def test_labels_of_axes_are_short_or_their_names():
    (axes,) = [one for one in drawn().iter(f"{SVG}g") if "data-axes" in one.attrib]
    across, up = json.loads(axes.get("data-axes"))
    assert (across[2], across[5]) == ("log", "\u03b30")
    assert (up[2], up[5]) == ("log", "y")


def test_straight_lines_and_ends_of_error_bars_are_no_curves():
    # The marks, the line, the line of the error bars, the cloud.
    assert sum("data-curve" in one.attrib for one in drawn().iter()) == 4


def test_scales_that_are_not_known_are_not_read():
    assert not any("data-axes" in one.attrib for one in drawn(("symlog", "log")).iter())


def test_names_differ_between_figures_and_each_is_meant():
    root = drawn(mark="f-")
    names = [one.get("id") for one in root.iter() if one.get("id")]
    text = ElementTree.tostring(root, encoding="unicode")
    meant = set(re.findall(r'#([\w.-]+)[")]', text)) - set(re.findall(r"#([0-9a-f]{6})\b", text))
    assert set(names) == {name for name in meant if name.startswith("f-")}
    assert len(names) == len(set(names))
    assert not set(names) & {one.get("id") for one in drawn(mark="g-").iter()}


def test_only_what_is_seen_is_kept():
    figure = styled(draw)
    small = str(picture(figure, 'say "<b>"', "f-"))
    assert html.escape('say "<b>"') in small
    assert "<metadata" not in small
    assert "<!--" not in small
    assert not re.search(r' (?:d|x|y)="[^"]*\d\.\d{3}', small)
    # Sizes of letters are not rounded.
    sizes = set(re.findall(r"scale\([^)]*\)", inline_svg(figure, "")))
    assert set(re.findall(r"scale\([^)]*\)", small)) == sizes
    assert any(len(size) > len("scale(0.01)") for size in sizes)
