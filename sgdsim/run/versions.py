"""Versions of everything that has a hand in the numbers, and in what is drawn of them."""

import importlib.metadata
import platform

from sgdsim._version import __version__
from sgdsim.experiment.experiment import Experiment
from sgdsim.figures.catalogue import FIGURES
from sgdsim.laws.catalogue import LAWS
from sgdsim.systems import versions_behind_system

PACKAGES = ("jax", "jaxlib", "equinox", "diffrax", "optax", "numpy", "xarray")


def versions(experiment: Experiment) -> dict[str, str]:
    """Versions of Python, of sgdsim, of its packages, and of those that add the system, a figure or a law in use."""
    return {
        "python": platform.python_version(),
        "sgdsim": __version__,
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        **versions_behind_system(experiment.system.name),
        **FIGURES.versions_behind(experiment.figures),
        **LAWS.versions_behind(fit.law for fit in experiment.fits.values()),
    }
