"""The catalogue of figures: every name that an experiment may ask for, each in one room."""

import subprocess
import sys

from sgdsim.experiment.schema import COMMON_FIGURES
from sgdsim.figures import classification, committee, common, meanfield, recovery
from sgdsim.figures.catalogue import FIGURES
from sgdsim.systems import SYSTEMS, load_system

ROOMS = {"committee": committee, "meanfield": meanfield, "recovery": recovery, "classification": classification}


def test_rooms_hold_the_figures_that_experiments_may_ask_for():
    assert [kind.name for kind in common.KINDS] == list(COMMON_FIGURES)
    for name in SYSTEMS:
        assert [kind.name for kind in ROOMS[name].KINDS] == list(load_system(name).figures)


def test_the_catalogue_joins_all_rooms():
    kinds = [kind for room in (common, *ROOMS.values()) for kind in room.KINDS]
    assert len({kind.name for kind in kinds}) == len(kinds)
    assert {kind.name: kind for kind in kinds} == dict(FIGURES)


def test_figures_are_imported_without_jax():
    code = "import sys, sgdsim.figures.catalogue, sgdsim.report; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
