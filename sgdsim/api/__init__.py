"""From Python: one problem in, one xarray Dataset out."""

from sgdsim.api.simulation import simulate
from sgdsim.api.theory import solve

__all__ = ["simulate", "solve"]
