"""The look of all figures: sizes, colours that colour-blind readers can tell apart, and files without time stamps."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure

from sgdsim.figures.panels import letter
from sgdsim.figures.ticks import tidy
from sgdsim.store.files import atomic

INK = "#1b1b1d"
"""Text, axes and theory. In a page it becomes the colour of the page's own text, light or dark."""
NAMED_COLOURS = {"green": "#009e73", "blue": "#2f7fc1", "orange": "#e08a00", "red": "#d1495b"}
"""Colours that a parameter of the cells may be named by, in variants that stay apart for colour-blind readers (after
Okabe & Ito): a parameter all of whose values are among these names is drawn in them, e.g. the regions of a diagram."""
NAMED_MARKERS = {"green": "o", "blue": "s", "orange": "^", "red": "X"}
"""Their marks along a curve, so that a figure printed in grey still tells them apart."""
CATEGORIES = ("#2f7fc1", "#e08a00", "#009e73", "#c45fa0", "#d1495b", "#7d7d86")
"""For series without an order."""
ORDERED = LinearSegmentedColormap.from_list("ordered", ["#3b8ad9", "#8c6fd0", "#c9589c", "#e0663a", "#d79a00"])
"""For series along an axis; middle lightness throughout, so that every line stands out on white and on black."""
MARKERS = ("o", "s", "D", "^", "v", "P")
DPI = 200
"""Of a figure in pixels."""
WIDTH = 6.9
"""Inches: the text width of a two-column page."""

_RC: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.alpha": 0.25,
    "grid.color": "#888888",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "mathtext.fontset": "dejavusans",
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "sgdsim",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": 8,
    "ytick.color": INK,
    "ytick.labelsize": 8,
}
_GREEK = {
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "eta",
    "theta",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "rho",
    "sigma",
    "tau",
}


def styled(draw: Callable[[], Figure]) -> Figure:
    """The figure that `draw` makes, in the style of this module and whatever the user's own settings of matplotlib.

    Its panels are lettered where there are several, and its logarithmic axes have the ticks of `ticks.tidy`.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        figure = draw()
        for axes in figure.axes:
            tidy(axes)
        letter(figure)
        return figure


def save(figure: Figure, stem: Path) -> list[Path]:
    """Writes `stem`.png and `stem`.pdf, on white and without a time stamp: the same data, the same bytes.

    The figure keeps the places that its axes have in the first, in all that is drawn of it later.
    """
    _arrange(figure)
    written = []
    for kind, metadata in (("png", {"Software": None}), ("pdf", {"CreationDate": None})):
        path = stem.with_name(f"{stem.name}.{kind}")
        with atomic(path) as stream, matplotlib.rc_context(_RC):
            figure.savefig(stream, format=kind, dpi=DPI, metadata=metadata)
        written.append(path)
    return written


def _arrange(figure: Figure) -> None:
    """Gives the axes their places, once for all formats.

    A figure that is saved with a layout engine, even one that does nothing, is drawn twice: first to arrange it.
    """
    engine = figure.get_layout_engine()
    if engine is None:
        return
    with matplotlib.rc_context(_RC):
        shown, figure.dpi = figure.dpi, DPI
        engine.execute(figure)
        figure.dpi = shown
        figure.set_layout_engine(None)  # as `_RC` has it: no engine


def inline_svg(figure: Figure, label: str) -> str:
    """The figure as an <svg> element for a page: transparent, in the page's text colour, `label` for screen readers."""
    buffer = io.StringIO()
    with matplotlib.rc_context(_RC):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    element = buffer.getvalue()
    element = element[element.index("<svg") :].replace(INK, "currentColor")
    return element.replace("<svg", f'<svg role="img" aria-label="{label}" style="{_page_width(figure)}"', 1)


def _page_width(figure: Figure) -> str:
    """Full size on a wide page; on a narrow one it shrinks as far as its labels stay legible, then scrolls."""
    inches = figure.get_figwidth()
    return f"max-width:{8.7 * inches:.1f}rem;min-width:{5.2 * inches:.1f}rem"


def series_colours(count: int) -> list[str]:
    """`count` colours along an ordered axis, from blue to amber."""
    return [to_hex(ORDERED(position)) for position in np.linspace(0, 1, max(count, 2))[:count]]


def math_name(name: str) -> str:
    """A parameter's name as a symbol: "kappa" becomes the Greek letter, "p0" gets an index, "log_p" is a logarithm.

    So does "gamma_a", and "a_star" a star. Other names stay words.
    """
    if name.startswith("log_"):
        return rf"$\log {name.removeprefix('log_')}$"
    head, _, tail = name.partition("_")
    if tail == "star" and len(head) == 1:
        return f"${head}^*$"
    if head in _GREEK and 0 < len(tail) <= 2:
        return rf"$\{head}_{{{tail}}}$"
    stem, index = (name[:-1], name[-1]) if name[-1:].isdigit() else (name, "")
    if stem in _GREEK:
        stem = "\\" + stem
    elif len(stem) > 1 and name != "dt":
        return name.replace("_", " ")
    return f"${stem}_{index}$" if index else f"${stem}$"
