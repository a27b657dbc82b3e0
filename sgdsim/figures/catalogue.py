"""The figures that an experiment may ask for, by name: those that every room has in its `KINDS`."""

from sgdsim.figures import classification, committee, common, meanfield, recovery
from sgdsim.figures.kinds import FigureKind
from sgdsim.plugins import Catalogue

ROOMS = (common, committee, recovery, meanfield, classification)

FIGURES = Catalogue({kind.name: kind for room in ROOMS for kind in room.KINDS}, "sgdsim.figures", FigureKind)
"""A new figure is a file and a line of its room's `KINDS`, or an entry point of a package; page and files follow."""
