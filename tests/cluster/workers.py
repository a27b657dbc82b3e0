"""Dask workers that are born again when they die.

One process imports all that they need, and each worker is a fork of it: that takes no time. Run as
`python -m tests.cluster.workers ADDRESS COUNT FOLDER`; the workers die with it.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from distributed.cli import dask_worker

PR_SET_PDEATHSIG = 1


def bear(address, folder, number):
    """Starts a worker; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log = os.open(folder / f"worker-{number}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    options = [
        "--nthreads",
        "1",
        "--no-nanny",
        "--no-dashboard",
        "--local-directory",
        str(folder),
        "--host",
        "127.0.0.1",
    ]
    dask_worker.main.main([address, *options], prog_name="dask worker")
    raise AssertionError("the command exits")


def main(address, count, folder):
    alive, born = set(), 0
    while True:
        while len(alive) < count:
            alive.add(bear(address, folder, born))
            born += 1
        alive.discard(os.wait()[0])
        time.sleep(0.05)  # where they cannot live, not too many are born


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
