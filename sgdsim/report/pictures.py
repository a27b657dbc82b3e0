"""Figures as they stand in a page: small, with names of their own, and with what a script needs to read values off."""

import html
import json
import re
from collections.abc import Iterable
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from sgdsim.figures.style import inline_svg
from sgdsim.printable import printable
from sgdsim.report.symbols import flat

_LONG = re.compile(r"-?\d+\.\d{3,}")
_SHORT = 24
"""Characters of a label that stands before a value; a longer one is named by its axis."""


def picture(figure: Figure, caption: str, mark: str) -> Markup:
    """The figure as an <svg> element, `caption` for those who do not see it.

    - `mark`: before every name in it, so that names of several figures on a page differ.

    Curves and clouds of points are groups with data-curve, their label, inside a group data-axes: its place in the
    picture, and by scale and limits what that means in data. A script reads values off the drawing with these; they
    are not stored twice.
    """
    names = {**_name_axes(figure), **_name_curves(figure)}
    svg = inline_svg(figure, html.escape(printable(caption)))
    return Markup(_with_readings(_compact(svg, mark, names), names))


def _name_axes(figure: Figure) -> dict[str, str]:
    """Attributes of the axes whose scales can be read, by the names that they get in the picture."""
    named = {}
    for index, axes in enumerate(figure.axes):
        scales = (axes.get_xscale(), axes.get_yscale())
        if axes.axison and {"linear", "log"}.issuperset(scales):
            axes.set_gid(f"axes-{index}")
            named[f"axes-{index}"] = f'data-axes="{html.escape(json.dumps(_frame(figure, axes)))}"'
    return named


def _frame(figure: Figure, axes: Axes) -> list[Any]:
    """[left, right, scale, first, last, label] of x, and of y from bottom to top, in points of the picture."""
    width, height = (72 * inches for inches in figure.get_size_inches())
    box = axes.get_position()
    across, up = (box.x0 * width, box.x1 * width), ((1 - box.y0) * height, (1 - box.y1) * height)
    return [
        [*_digits(across), axes.get_xscale(), *_digits(axes.get_xlim()), _label(axes, "x")],
        [*_digits(up), axes.get_yscale(), *_digits(axes.get_ylim()), _label(axes, "y")],
    ]


def _digits(numbers: Iterable[float]) -> list[float]:
    """As many digits as a screen can tell apart, and some."""
    return [float(f"{number:.7g}") for number in numbers]


def _label(axes: Axes, which: str) -> str:
    """The label of an axis where it is short, else the axis' name."""
    label = flat((axes.get_xlabel() if which == "x" else axes.get_ylabel()).strip())
    return label if 0 < len(label) <= _SHORT else which


def _name_curves(figure: Figure) -> dict[str, str]:
    """The same of what is drawn in data's own coordinates: lines and clouds of points, by their labels."""
    named = {}
    for index, (artist, label) in enumerate(_curves(figure)):
        shown = "" if label.startswith("_") else flat(label)  # matplotlib's own begin with a line
        artist.set_gid(f"curve-{index}")
        named[f"curve-{index}"] = f'data-curve="{html.escape(shown)}"'
    return named


def _curves(figure: Figure) -> Iterable[tuple[Any, str]]:
    for axes in figure.axes:
        bars = [bars for bars in axes.containers if isinstance(bars, ErrorbarContainer)]
        labels = {bar.lines[0]: str(bar.get_label()) for bar in bars}
        caps = {cap for bar in bars for cap in bar.lines[1]}  # which are lines too
        for line in axes.lines:
            if line.get_transform() == axes.transData and line not in caps:
                yield line, labels.get(line, str(line.get_label()))
        for cloud in axes.collections:
            if isinstance(cloud, PathCollection) and cloud.get_offset_transform() == axes.transData:
                yield cloud, str(cloud.get_label())


def _compact(svg: str, mark: str, names: Iterable[str]) -> str:
    """Without metadata, blanks and names that nothing refers to, coordinates to a hundredth of a point."""
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\s*<!--.*?-->", "", svg, flags=re.DOTALL)
    used = {*re.findall(r'(?:url\(|href=")#([\w.-]+)', svg), *names}
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r"(id=\"|url\(#|href=\"#)([\w.-]+)", rf"\g<1>{mark}\g<2>", svg)
    svg = re.sub(r' (?:d|x|y)="[^"]*"', lambda found: _LONG.sub(_short, found[0]), svg)
    return re.sub(r"\s*\n\s*", "\n", svg)


def _short(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _with_readings(svg: str, names: dict[str, str]) -> str:
    """Attributes in the place of names."""
    return re.sub(r'id="[\w-]*?((?:axes|curve)-\d+)"', lambda found: names.get(found[1], found[0]), svg)
