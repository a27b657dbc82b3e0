"""Functions of JAX in a problem, e.g. Custom(jnp.tanh), sent to another process by their names.

JAX sends a compiled function by what it was made of, which in its own library goes by the name of the compiled one, and
fails. What is found under its name is sent as that name here; all else goes JAX's way.
"""

import copyreg
import importlib
from operator import attrgetter
from typing import Any

import jax.numpy as jnp


def named(module: str, name: str) -> Any:
    """The function of this name. It raises as `import` does where there is none."""
    return attrgetter(name)(importlib.import_module(module))


def _reduced(function: Any) -> Any:
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    try:
        found = named(module, name) if isinstance(module, str) and isinstance(name, str) else None
    except (ImportError, AttributeError):
        found = None
    return (named, (module, name)) if found is function else function.__reduce__()


copyreg.pickle(type(jnp.tanh), _reduced)
