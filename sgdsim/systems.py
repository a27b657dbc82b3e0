"""The systems that experiments can be about, by name."""

import importlib

from sgdsim.contracts import System

SYSTEMS = ("committee", "meanfield", "classification", "recovery")


def load_system(name: str) -> System:
    """The system of this name; its code (and JAX) is imported here, not before.

    **Raises:** KeyError for a name that is not in `SYSTEMS`.
    """
    if name not in SYSTEMS:
        raise KeyError(name)
    return importlib.import_module(f"sgdsim.{name}.system").SYSTEM
