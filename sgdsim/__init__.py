"""sgdsim: Monte Carlo of SGD in two-layer networks, held against exact theory."""

import importlib
from typing import TYPE_CHECKING, Any

from sgdsim import _startup
from sgdsim._version import __version__

if TYPE_CHECKING:
    from sgdsim import classification as classification
    from sgdsim import committee as committee
    from sgdsim import meanfield as meanfield
    from sgdsim import plot as plot
    from sgdsim import recovery as recovery
    from sgdsim.api import simulate as simulate
    from sgdsim.api import solve as solve
    from sgdsim.ensemble.times import linear_times as linear_times
    from sgdsim.ensemble.times import log_times as log_times
    from sgdsim.errors import ArgumentError as ArgumentError
    from sgdsim.errors import CautionWarning as CautionWarning
    from sgdsim.errors import ExperimentError as ExperimentError
    from sgdsim.run.called import run as run
    from sgdsim.run.fitting import fit as fit
    from sgdsim.store.finished import open_run as open_run
    from sgdsim.store.frames import to_dataframe as to_dataframe

_startup.configure()

# Public names are looked up on first use, so that `sgdsim --help` does not pay for importing JAX.
_HOMES = {
    "simulate": "sgdsim.api",
    "solve": "sgdsim.api",
    "linear_times": "sgdsim.ensemble.times",
    "log_times": "sgdsim.ensemble.times",
    "ArgumentError": "sgdsim.errors",
    "CautionWarning": "sgdsim.errors",
    "ExperimentError": "sgdsim.errors",
    "fit": "sgdsim.run.fitting",
    "open_run": "sgdsim.store.finished",
    "to_dataframe": "sgdsim.store.frames",
}
# `run` is a room that can be called: see there.
_ROOMS = ("classification", "committee", "meanfield", "plot", "recovery", "run")

__all__ = [
    "ArgumentError",
    "CautionWarning",
    "ExperimentError",
    "__version__",
    "classification",
    "committee",
    "fit",
    "linear_times",
    "log_times",
    "meanfield",
    "open_run",
    "plot",
    "recovery",
    "run",
    "simulate",
    "solve",
    "to_dataframe",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"sgdsim.{name}")
    raise AttributeError(f"module 'sgdsim' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
