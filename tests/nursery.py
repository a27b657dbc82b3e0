"""`sgdsim` in processes of its own that start at once: forks of one process that has imported everything.

Run as `python -m tests.nursery`; it reads a request a line and answers with a line. All die with it.

    {"start": [arguments], "stderr": path, "environment": {name: value}, "die": [what, count]}    -> process id
    {"wait": process id}                                            -> its exit status, as os.waitpid gives it
    {"here": [arguments]}   -> 0, after the command: what it has imported and laid out, all that start later have too

"die" has the process kill itself in the middle of writing: at its count-th "sync" (the data are written, the name is
not) or its count-th "save" of a block (half of the data are written). With a signal as a third entry it sends itself
that one; stopped, it goes on where it was. More of a start: "memory" and "largest" as limits in bytes on its address
space and on a file, and "patch": {"package.module.NAME": value}. More of a wait: "seconds" until SIGALRM.
"""

import ctypes
import faulthandler
import gc
import importlib
import io
import json
import os
import resource
import signal
import sys
import time
from contextlib import redirect_stderr, redirect_stdout

import dask.distributed  # noqa: F401  # xarray asks for it when it writes
import numpy as np

import sgdsim.committee.system
import sgdsim.run.conductor
import sgdsim.run.opened  # noqa: F401
from sgdsim import cli
from tests.processes import starved

PR_SET_PDEATHSIG = 1


def sabotage(what, count, number=signal.SIGKILL):
    """Has this process send itself a signal, its death, when it writes for the count-th time."""
    left = count

    def due():
        nonlocal left
        left -= 1
        return left == 0

    def die():
        os.kill(os.getpid(), number)

    def sync(descriptor, before=os.fsync):
        before(descriptor)
        if due():
            die()

    def save(stream, before=np.savez, **arrays):
        whole = io.BytesIO()
        before(whole, **arrays)
        half = len(whole.getvalue()) // 2
        stream.write(whole.getvalue()[:half])
        if due():
            stream.flush()
            die()
        stream.write(whole.getvalue()[half:])

    if what == "sync":
        os.fsync = sync
    else:
        np.savez = save


def limit(request):
    """Sets limits to this process, and values of modules that no option of a user sets."""
    # Whoever is over time says where it stands, in all its threads, before it dies.
    faulthandler.register(signal.SIGALRM, chain=True)
    for name, kind in (("largest", resource.RLIMIT_FSIZE), ("memory", resource.RLIMIT_AS)):
        if name in request:
            resource.setrlimit(kind, (request[name], resource.RLIM_INFINITY))
    for path, value in request.get("patch", {}).items():
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name), path
        setattr(importlib.import_module(module), name, value)


def here(arguments):
    """Runs a command that starts no JAX in this process: threads would not live on in its forks."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        cli.main(arguments, standalone_mode=False)
    gc.collect()
    gc.freeze()  # a million objects that stay: a fork that looks through them for garbage would copy them all
    return 0


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
    if "dask" in sys.modules:
        sys.modules["dask"].config.refresh()  # it has read the environment when it was imported
    if "die" in request:
        sabotage(*request["die"])
    limit(request)
    sys.argv = ["sgdsim", *request["start"]]
    cli.main()
    raise AssertionError("the command exits")


def wait(pid, seconds=None):
    """The exit status of a process; ends it when it takes longer, but for the time that it waits for a processor."""
    began = time.monotonic()
    while seconds is not None:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() - began - starved(pid) > seconds:
            os.kill(pid, signal.SIGALRM)
            os.kill(pid, signal.SIGCONT)  # one that is stopped would not die of it
            break
        time.sleep(0.005)
    return os.waitpid(pid, 0)[1]


def main():
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            answer = start(request)
        else:
            answer = here(request["here"]) if "here" in request else wait(request["wait"], request.get("seconds"))
        print(answer, flush=True)


if __name__ == "__main__":
    main()
