"""Versions of everything that has a hand in the numbers."""

import importlib.metadata
import platform

import sgdsim

PACKAGES = ("jax", "jaxlib", "equinox", "diffrax", "numpy", "xarray")


def versions() -> dict[str, str]:
    """Version of Python, of sgdsim and of everything that has a hand in the numbers."""
    return {
        "python": platform.python_version(),
        "sgdsim": sgdsim.__version__,
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }
