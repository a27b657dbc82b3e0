"""A strict session: float64, no silent broadcasting between ranks, and (in pyproject.toml) warnings are errors and
every annotated shape of sgdsim is checked."""

import gc
import os
from pathlib import Path

# Until all is imported nothing is garbage: looking for it took a fifth of the time that collecting the tests takes.
gc.disable()
CACHE = Path(__file__).parents[1] / ".cache" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))  # for this process and those that tests start
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
# A tenth of the time went into where in the source each operation of a program is, and into shorter tracebacks.
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")
os.environ.setdefault("JAX_TRACEBACK_FILTERING", "off")

import hypothesis  # noqa: E402
import jax  # noqa: E402
import pytest  # noqa: E402

from tests import typechecked  # noqa: E402

pytest_plugins = ["tests.budget"]
typechecked.install()
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")

hypothesis.settings.register_profile("sgdsim", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("sgdsim")


@pytest.fixture(scope="session")
def nursery():
    """Starts `sgdsim` in processes of its own, for the tests that kill them."""
    from tests.processes import Nursery  # not before the checks of sgdsim's types are in place

    with Nursery() as nursery:
        yield nursery


def pytest_collection_finish():
    """Modules and tests live to the end: a collection of garbage need not look at a million objects of theirs.

    JAX makes hundreds of objects for each operation that it traces: at the usual 700 between two collections these took
    3 % of the time of the tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 5)
    gc.enable()


def pytest_runtest_teardown(item, nextitem):
    """Between two modules, since a process that compiles the programs of hundreds of tests would have no maps left.

    What they leave, the traces and programs of JAX, has hardly a cycle in it: looked at by every collection of garbage
    it took 3 % of the time of a third of the tests, and ever more.
    """
    from sgdsim.ensemble.programs import make_room  # not before the checks of sgdsim's types are in place

    if nextitem is None or nextitem.path != item.path:
        if make_room():
            gc.unfreeze()
            gc.collect()
        gc.freeze()
