"""Whether anybody is at work in a run directory, before what none may disturb is done to it."""

import time
from collections.abc import Callable

from sgdsim.errors import ExperimentError
from sgdsim.store.directory import RunDirectory
from sgdsim.store.presence import Sign
from sgdsim.store.worker import Worker, this_worker

LOOK_SECONDS = 0.5
"""Time between two looks at a sign of life from another host."""


def check_idle(directory: RunDirectory, then: str, say: Callable[[str], None]) -> None:
    """**Raises:** ExperimentError where another process is at work in the folder.

    One of another host is watched until it gives a new sign, or was silent for so long that it is taken for dead.

    - `then`: what the user wants to do.
    """
    first = {sign.worker: sign.beat for sign in _others(directory)}
    told = False
    while signs := _others(directory):
        for sign in signs:
            worker = Worker.parse(sign.worker)
            if worker.here or first.get(sign.worker) != sign.beat:
                problem = f"{directory.path}: process {worker.pid} of {worker.host} is at work here"
                raise ExperimentError([f"{problem}; stop it, or wait until it is done, and then {then}"])
        if not told:
            names = ", ".join(sign.worker for sign in signs)
            say(f"Waiting for a sign of life from {names}, a minute at most.")
            told = True
        time.sleep(LOOK_SECONDS)


def _others(directory: RunDirectory) -> list[Sign]:
    """The signs of all other processes that may be at work."""
    return [sign for sign in directory.watch.signs() if sign.worker != this_worker().name]
