"""A table of numbers below the panels of a figure."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from sgdsim.analysis.numbers import plain, rounded

ROW = 0.19
"""Inches that a row takes."""
_SIZE = 7.0


def draw_table(axes: Axes, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows of text below their head, between thin lines, in place of axes."""
    axes.axis("off")
    table = axes.table(rows, colLabels=head, loc="center", cellLoc="center", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(_SIZE)
    table.auto_set_column_width(list(range(len(head))))
    for place in table.get_celld().values():
        place.set_linewidth(0.4)


def number(mean: float | None, sem: float | None) -> str:
    """Mean and error, without an exponent, e.g. 0.920(9)."""
    text = rounded(mean, sem)
    return text if "e" not in text or mean is None else plain(mean, digits=2)
