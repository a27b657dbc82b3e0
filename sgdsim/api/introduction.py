"""What a Dataset says of itself: what was asked, by which version it was answered, and coordinates for its units."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from sgdsim._version import __version__
from sgdsim.analysis.axes import numbered
from sgdsim.printable import one_line


def introduced(data: xr.Dataset, asked: Mapping[str, Any], seconds: float | None = None) -> xr.Dataset:
    """The Dataset with what was `asked` in front of its attributes, and version and time behind them.

    Every axis but time has a coordinate then: the numbers of students, teachers and replicas, from 0.
    """
    words = {name: part if isinstance(part, int) else one_line(repr(part)) for name, part in asked.items()}
    took = {} if seconds is None else {"wall_seconds": round(seconds, 3)}
    parameters = {name: value for name, value in data.attrs.items() if name != "system"}
    attrs = {"system": data.attrs["system"]} | words | parameters | took | {"version": f"sgdsim {__version__}"}
    introduced = numbered(data)
    introduced.attrs = attrs
    return introduced
