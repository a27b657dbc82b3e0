"""How a run is done, as the command line says."""

from dataclasses import dataclass

from sgdsim.run.shard import Shard


@dataclass(frozen=True)
class Options:
    """How a run is done; nothing here changes a number.

    - `shard`: the part of the blocks to make; None for all.
    - `limit`: when its time is over, by the clock time.monotonic; None for no limit.
    - `scheduler`: a Dask cluster's, as an address or the path of a scheduler file; None for this machine.
    - `quiet`: whether to say nothing unless something is wrong.
    - `command`: the command line, which takes the run up again.
    """

    command: str
    shard: Shard | None = None
    limit: float | None = None
    scheduler: str | None = None
    quiet: bool = False
