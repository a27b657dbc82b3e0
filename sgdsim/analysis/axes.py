"""Coordinates of the axes of a Dataset: nothing here needs JAX."""

import numpy as np
import xarray as xr


def numbered(data: xr.Dataset) -> xr.Dataset:
    """The Dataset with numbers from 0 as the coordinate of every axis that has none, e.g. of student and teacher."""
    bare = {str(dim): size for dim, size in data.sizes.items() if dim not in data.coords}
    numbers = {dim: (dim, np.arange(size), {"long_name": _words(dim), "units": "1"}) for dim, size in bare.items()}
    return data.assign_coords(numbers)


def _words(dim: str) -> str:
    """student_2 is the second axis of the students."""
    return f"number of the {dim.removesuffix('_2').replace('_', ' ')}"
