"""The figures that an experiment may ask for, by name: those that every room has in its `KINDS`."""

from sgdsim.figures import classification, committee, common, meanfield, recovery
from sgdsim.figures.kinds import FigureKind

ROOMS = (common, committee, recovery, meanfield, classification)

FIGURES: dict[str, FigureKind] = {kind.name: kind for room in ROOMS for kind in room.KINDS}
"""A new figure is a file and a line of its room's `KINDS`; the page and the files follow."""
