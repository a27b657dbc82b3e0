"""The Dask scheduler of a cluster that somebody else has started: finding it, asking it for blocks, parting from it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sgdsim.amounts import duration
from sgdsim.errors import ExperimentError
from sgdsim.run.dask.worker import Receipt, Ticket, leave, make_block
from sgdsim.run.stop import Stop
from sgdsim.store.blocks import Block

if TYPE_CHECKING:
    from distributed import Client

RETRIES = 2
"""How often Dask tries again where a worker cannot take part, on another if there is one."""
STEP_SECONDS = 0.1
"""Time between two looks at whether to stop."""
FAREWELL_SECONDS = 2.0
"""How long the workers, and then the scheduler, are waited for at the end."""
_LOGGERS = ("distributed", "distributed.client", "tornado.application", "asyncio")


async def connect(scheduler: str, stop: Stop) -> "Client | None":
    """A client of the scheduler with this address, or in this scheduler file; None where a stop came first.

    **Raises:** ExperimentError where none answers within the time that Dask's configuration grants a connection.
    """
    connecting = asyncio.ensure_future(_connect(scheduler))
    while not connecting.done():
        await asyncio.wait([connecting], timeout=STEP_SECONDS)
        if stop.requested:
            connecting.cancel()
            return None
    try:
        return connecting.result()
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ExperimentError([f"{scheduler}: no Dask scheduler answers there ({reason})"]) from error


async def ask(client: "Client", key: tuple[str, int], priority: int, ticket: Ticket, block: Block) -> Receipt:
    """Has a worker make a block; what is cancelled before one has begun is not made."""
    future = client.submit(
        make_block, ticket, block.cell, block.tiles, key=key, priority=priority, retries=RETRIES, pure=False
    )
    try:
        return await future
    finally:
        # A result that is kept would be computed again where its worker dies.
        future.release()


async def part(client: "Client", folder: str) -> None:
    """Lets workers and scheduler go, if they answer."""
    if client.status == "running":
        with suppress(OSError, TimeoutError):
            await asyncio.wait_for(client.run(leave, folder, on_error="ignore"), FAREWELL_SECONDS)
    with suppress(OSError, TimeoutError):
        await asyncio.wait_for(cast("Awaitable[None]", client.close()), FAREWELL_SECONDS)


@contextmanager
def hushed() -> Iterator[None]:
    """Keeps Dask from telling at length what is said in a line here."""
    import distributed  # noqa: F401 (it sets the levels when it is imported)

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


async def _connect(scheduler: str) -> "Client":
    from dask.config import get
    from dask.utils import parse_timedelta
    from distributed import Client

    if "://" in scheduler:
        return await _open(Client(scheduler, asynchronous=True, set_as_default=False))
    patience = parse_timedelta(get("distributed.comm.timeouts.connect"))
    deadline = time.monotonic() + patience
    while not Path(scheduler).is_file():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the file has not appeared within {duration(patience)}")
        await asyncio.sleep(STEP_SECONDS)
    return await _open(Client(scheduler_file=scheduler, asynchronous=True, set_as_default=False))


async def _open(client: "Client") -> "Client":
    """Connects a client; one that cannot is closed, which Dask itself does after some errors only."""
    try:
        return await client
    except BaseException:
        with suppress(OSError, TimeoutError):
            await asyncio.wait_for(cast("Awaitable[None]", client.close()), FAREWELL_SECONDS)
        raise
