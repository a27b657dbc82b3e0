"""The figures of a finished run in memory: files take three times as long, and tests/report looks into those."""

from pathlib import Path

from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.style import styled
from sgdsim.store.stored import Stored


def draw(directory: Path) -> set[str]:
    """Names of the figures that the experiment asks for and can have, each drawn, laid out and described."""
    run = Stored.load(directory)
    names = {name for name in run.figures if not FIGURES[name].lacks(run)}
    for kind in (FIGURES[name] for name in names):
        styled(lambda kind=kind: kind.draw(run)).draw_without_rendering()
        assert kind.caption(run)
    return names
