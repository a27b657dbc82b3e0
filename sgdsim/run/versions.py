"""Versions of everything that has a hand in the numbers."""

import importlib.metadata
import platform

from sgdsim._version import __version__

PACKAGES = ("jax", "jaxlib", "equinox", "diffrax", "numpy", "xarray")


def versions() -> dict[str, str]:
    """Version of Python, of sgdsim and of everything that has a hand in the numbers."""
    return {
        "python": platform.python_version(),
        "sgdsim": __version__,
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }
