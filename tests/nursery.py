"""`sgdsim` in processes of its own that start at once: forks of one process that has imported everything.

Run as `python -m tests.nursery`; it reads a request a line and answers with a line. All die with it.

    {"start": [arguments], "stderr": path, "environment": {name: value}, "die": [what, count]}    -> process id
    {"wait": process id}                                            -> its exit status, as os.waitpid gives it

"die" has the process kill itself in the middle of writing: at its count-th "sync" (the data are written, the name is
not) or its count-th "save" of a block (half of the data are written).
"""

import ctypes
import io
import json
import os
import resource
import signal
import sys

import numpy as np

import sgdsim.committee.system
import sgdsim.run.conductor
import sgdsim.run.opened  # noqa: F401
from sgdsim import cli
from sgdsim.store import files

PR_SET_PDEATHSIG = 1


def sabotage(what, count):
    """Has this process die when it writes for the count-th time."""
    left = count

    def due():
        nonlocal left
        left -= 1
        return left == 0

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def finish(stream, before=files._finish):
        before(stream)
        if due():
            die()

    def save(stream, before=np.savez, **arrays):
        whole = io.BytesIO()
        before(whole, **arrays)
        last = due()
        stream.write(whole.getvalue()[: len(whole.getvalue()) // (2 if last else 1)])
        if last:
            stream.flush()
            die()

    if what == "sync":
        files._finish = finish
    else:
        np.savez = save


def start(request):
    """Starts `sgdsim` with the arguments of a request; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    log = os.open(request["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ |= request.get("environment", {})
    if "die" in request:
        sabotage(*request["die"])
    if "largest" in request:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest"], resource.RLIM_INFINITY))
    sys.argv = ["sgdsim", *request["start"]]
    cli.main()
    raise AssertionError("the command exits")


def main():
    for line in sys.stdin:
        request = json.loads(line)
        answer = start(request) if "start" in request else os.waitpid(request["wait"], 0)[1]
        print(answer, flush=True)


if __name__ == "__main__":
    main()
