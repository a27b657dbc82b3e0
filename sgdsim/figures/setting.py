"""The sentence behind every caption: the sizes of the system, and how many replicas were simulated."""

from sgdsim.analysis.numbers import plain
from sgdsim.store.stored import Stored

SIZES = ("d", "N", "p", "k", "batch")
"""Sizes by which readers compare two figures; those of them that a system has."""


def setting(run: Stored) -> str:
    """E.g. "d = 1000, p = 8, k = 4; 256 replicas in each cell."; empty where there is nothing to say.

    An axis of the grid is left out, which the figure shows; of a size that follows from one, the range is told.
    """
    found = [(name, [row[name] for row in run.parameters if name in row]) for name in SIZES if name not in run.varying]
    parts = [f"{name} = {_range(values)}" for name, values in found if values]
    counts = [cell.n_replicas for cell in run.summary.cells] if run.simulated else []
    replicas = [f"{_range(counts)} replica{'s' * (max(counts) > 1)} in each cell"] if counts else []
    sentence = "; ".join(filter(None, (", ".join(parts), *replicas)))
    return f"{sentence}." if sentence else ""


def _range(values: list[int]) -> str:
    """One number, or the least and the largest of several."""
    return " to ".join(plain(value) for value in sorted({min(values), max(values)}))
