"""What a Dask worker does for a run: it makes blocks, stores them itself and returns a receipt.

Light to import, as the scheduler imports it too, which has no use for JAX.
"""

import atexit
import hashlib
import shlex
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sgdsim.errors import ExperimentError
from sgdsim.run.outcomes import BlockOutcome
from sgdsim.store.directory import RunDirectory, Unwritable
from sgdsim.store.worker import HOST, this_worker

if TYPE_CHECKING:
    from sgdsim.run.block_maker import Maker
    from sgdsim.run.opened import OpenRun
    from sgdsim.store.presence import Presence


class Unfit(Exception):
    """This worker cannot take part in the run."""


@dataclass(frozen=True)
class Ticket:
    """The run that a task belongs to.

    - `folder`: its absolute path.
    - `experiment`: digest of the experiment file in it.
    - `run`: the process that conducts it, which has a log in the folder.
    """

    folder: str
    experiment: str
    run: str

    @classmethod
    def of(cls, directory: RunDirectory) -> "Ticket":
        """That of a run which this process conducts."""
        return cls(str(directory.path.absolute()), _digest(directory), this_worker().name)


@dataclass(frozen=True)
class Unwritten:
    """The block could not be stored."""

    error: str


@dataclass(frozen=True)
class Receipt:
    """What became of a block, and what a user should know of it; the numbers are on disk."""

    outcome: BlockOutcome | Unwritten
    said: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Session:
    """This process at work in a run, which it has read once."""

    ticket: Ticket
    opened: "OpenRun"
    maker: "Maker"
    presence: "Presence"
    said: list[str]

    def make(self, cell: int, tiles: range) -> Receipt:
        from sgdsim.run.memory import NoMemory

        self.said.clear()
        block = self.opened.layout[cell].block(tiles)
        try:
            outcome = self.maker.make(block, lambda work: None)
        except Unwritable as error:
            outcome = Unwritten(str(error))
        except NoMemory as error:
            raise Unfit(f"{HOST}: {error}") from error
        return Receipt(outcome, list(self.said))

    def close(self, status: str) -> None:
        from sgdsim.run.provenance import end_session

        self.presence.__exit__(None, None, None)
        end_session(self.opened.directory, status)


_BUSY = threading.Lock()
"""Held while a block is in hand: there is one at a time, whatever threads a worker has."""
_SESSIONS: dict[str, _Session] = {}
_LEFT: set[str] = set()


def make_block(ticket: Ticket, cell: int, tiles: range) -> Receipt:
    """Makes a block of a run in this process, unless it is on disk or in other hands.

    **Raises:** Unfit where this worker does not see the run, or cannot do it.
    """
    with _BUSY:
        receipt = _session(ticket).make(cell, tiles)
        while _LEFT:
            _close(_LEFT.pop(), "finished")
    return receipt


def leave(folder: str) -> None:
    """Ends the work of this process in a run, after the block in hand if there is one."""
    if _BUSY.acquire(blocking=False):
        try:
            _close(folder, "finished")
        finally:
            _BUSY.release()
    else:
        _LEFT.add(folder)


def _session(ticket: Ticket) -> _Session:
    known = _SESSIONS.get(ticket.folder)
    if known is not None and known.ticket == ticket:
        return known
    _close(ticket.folder, "finished")
    if not _SESSIONS:
        atexit.unregister(_close_all)
        atexit.register(_close_all)
    session = _SESSIONS[ticket.folder] = _open(ticket)
    return session


def _open(ticket: Ticket) -> _Session:
    """Joins a run, once it is certain that this worker sees the very folder of it."""
    from sgdsim.run.block_maker import Maker
    from sgdsim.run.opened import join_run
    from sgdsim.run.provenance import WORKER, begin_session
    from sgdsim.store.presence import Presence

    directory = RunDirectory(Path(ticket.folder))
    if not directory.log.path_of(ticket.run).is_file():
        raise Unfit(
            f"{HOST} does not see the folder {ticket.folder}: a cluster needs a file system that all its hosts share"
        )
    try:
        if _digest(directory) != ticket.experiment:
            raise Unfit(f"{HOST} finds another experiment in {ticket.folder} than the one that was begun")
        opened = join_run(directory)
        begin_session(opened.directory, opened.experiment, shlex.join(sys.argv), WORKER)
    except (ExperimentError, OSError) as error:
        raise Unfit(f"{HOST}: {'; '.join(str(error).splitlines())}") from error
    said: list[str] = []
    presence = Presence(opened.directory.watch.folder)
    presence.__enter__()
    return _Session(ticket, opened, Maker(opened, presence, said.append), presence, said)


def _close(folder: str, status: str) -> None:
    session = _SESSIONS.pop(folder, None)
    if session is not None:
        session.close(status)


def _close_all() -> None:
    """Waits for the block in hand, which is stored whether a scheduler still asks for it or not."""
    with _BUSY:
        for folder in list(_SESSIONS):
            _close(folder, "interrupted")


def _digest(directory: RunDirectory) -> str:
    return hashlib.blake2b(directory.experiment.read_bytes(), digest_size=16).hexdigest()
