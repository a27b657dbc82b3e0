"""What is held of every replica, and trajectories: the order parameters of chosen replicas at all save times."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float

from sgdsim.amounts import size_text
from sgdsim.cgroups import usable_memory
from sgdsim.checks import Integer, integer
from sgdsim.contracts import System
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.errors import ArgumentError, CautionWarning

ALL = "trajectories"
MUCH = 2**30
"""Bytes from which on it is said what trajectories take."""
SHARE = 2
"""Results may take this part of the memory: they are held twice while tiles are put together."""
PER_REPLICA = 16
"""Bytes that are held of every replica at least: its largest and its last deviation."""


def check_replicas(replicas: int) -> None:
    """**Raises:** ArgumentError where the deviations of so many replicas do not fit into memory."""
    room = usable_memory() // SHARE
    if PER_REPLICA * replicas > room:
        remedy = f"Each leaves {PER_REPLICA} bytes, and {size_text(room)} are there for results."
        raise ArgumentError("replicas", f"be at most {room // PER_REPLICA}", replicas, remedy)


def followed(keep: str | Sequence[Integer] | None, replicas: int) -> tuple[int, ...]:
    """The numbers of the replicas that are followed, in order. **Raises:** ArgumentError for others than there are."""
    if keep is None:
        return ()
    if isinstance(keep, str):
        if keep != ALL:
            raise ArgumentError("keep", f'be "{ALL}" or numbers of replicas, e.g. range(10)', keep)
        return tuple(range(replicas))
    try:
        numbers = [integer("keep", number, 0) for number in keep]
    except TypeError:
        raise ArgumentError("keep", f'be "{ALL}" or numbers of replicas, e.g. range(10)', keep) from None
    if strange := [number for number in numbers if number >= replicas]:
        raise ArgumentError("keep", f"have numbers of replicas, below {replicas}", strange[0])
    return tuple(sorted(set(numbers)))


def check_room(ensemble: Ensemble) -> None:
    """**Raises:** ArgumentError where the trajectories that are followed do not fit into memory.

    **Warns:** CautionWarning where they take much of it.
    """
    if not ensemble.followed:
        return
    need, memory = ensemble.bytes_followed, usable_memory() // SHARE
    size = f"{size_text(need)} for {len(ensemble.followed)} replicas at {len(ensemble.times)} times"
    if need > memory:
        remedy = "Keep fewer replicas, e.g. keep=range(16), or fewer save times."
        raise ArgumentError("keep", f"fit into {size_text(memory)} of memory", size, remedy)
    if need > MUCH:
        warnings.warn(f"The trajectories take {size}.", CautionWarning, stacklevel=3)


def add_trajectories(
    data: xr.Dataset,
    system: System,
    whom: Sequence[int],
    paths: Mapping[str, Float[np.ndarray, "followed times ..."]],
) -> xr.Dataset:
    """The Dataset with V_trajectory, (trajectory, time, *dims of V), of every order parameter that was followed."""
    if not paths:
        return data
    number = ("trajectory", np.array(whom), {"long_name": "number of the replica", "units": "1"})
    found = {}
    for name, values in paths.items():
        variable = system.variables[name]
        attrs = {"long_name": f"{variable.long_name}, of single replicas", "units": variable.units}
        dims = ("trajectory", "time", *variable.dims)
        found[f"{name}_trajectory"] = (dims, values, attrs | {"symbol": variable.symbol})
    return data.assign(found).assign_coords(trajectory=number)
