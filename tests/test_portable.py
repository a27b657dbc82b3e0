"""Windows and macOS, by faking what they lack: signals, /proc, links, sysconf. No other system is at hand here."""

import ctypes
import errno
import importlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from sgdsim import cgroups
from sgdsim.native import build
from sgdsim.run import stop as stopping
from sgdsim.store import windows, worker
from sgdsim.store.claims import Claims
from sgdsim.store.presence import Watch
from sgdsim.store.worker import Worker, is_running, start_of, this_worker
from tests.processes import EXPERIMENT

ROOT = Path(__file__).parents[1]
STARTED = 133_000_000_000_000_001
SMALL = EXPERIMENT.replace("d = [30_000, 60_000]", "d = [50, 100]").replace("replicas = 2000", "replicas = 40")


class Kernel:
    """kernel32 of a machine where process 1 lives, 2 is somebody else's, and 3 has ended while it is held open."""

    def __init__(self):
        self.open = []
        self.OpenProcess.__func__.restype = None

    def OpenProcess(self, rights, inherited, pid):
        assert rights == 0x101000
        self.last = 0 if pid in (1, 3) else 5 if pid == 2 else 87
        self.open += [pid] * (pid in (1, 3))
        return 100 + pid if pid in (1, 3) else None

    def WaitForSingleObject(self, handle, milliseconds):
        assert milliseconds == 0
        return {101: 0x102, 103: 0}[handle]

    def GetProcessTimes(self, handle, creation, *others):
        creation._obj.low, creation._obj.high = STARTED & 0xFFFFFFFF, STARTED >> 32
        return True

    def CloseHandle(self, handle):
        self.open.remove(handle - 100)

    def error(self):
        return self.last


@pytest.fixture
def on_windows(monkeypatch):
    kernel = Kernel()
    monkeypatch.setattr(worker, "WINDOWS", True)
    monkeypatch.setattr(windows, "_kernel", lambda: kernel)
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("os.kill(pid, 0) is Ctrl-C on Windows"))
    yield kernel
    assert kernel.open == []


def test_processes_of_windows(on_windows):
    assert [is_running(pid) for pid in (1, 2, 3, 4)] == [True, True, False, False]
    assert [start_of(pid) for pid in (1, 2, 4)] == [STARTED, None, None]
    assert Worker("host", "0" * 8, 1, STARTED).running
    assert not Worker("host", "0" * 8, 1, STARTED + 1).running  # the number was given again
    assert Worker.parse(f"host.00000000.1.{STARTED}").started == STARTED


@pytest.fixture(params=["winerror", "EPERM"])
def no_links(monkeypatch, request):
    def refuse(self, target, *_, **__):
        error = OSError(errno.EINVAL if request.param == "winerror" else errno.EPERM, "no right")
        error.winerror = 1314 if request.param == "winerror" else None
        raise error

    monkeypatch.setattr(Path, "symlink_to", refuse)


def claims_in(folder):
    (folder / "live").mkdir(parents=True)
    return Claims(folder / "live", Watch(folder / "live"), folder / "aside")


def test_claims_without_links_are_files(tmp_path, no_links):
    claims = claims_in(tmp_path)
    me = this_worker().name
    assert claims.take("block") is None
    assert (claims.folder / "block").is_file()
    assert claims.holder("block") == me
    assert claims.take("block") is None  # one's own
    assert claims.held() == {"block": me}
    claims.release("block")
    assert claims.holder("block") is None
    assert list(claims.folder.iterdir()) == []


def test_claims_as_files_of_the_living_and_the_dead(tmp_path, no_links):
    claims = claims_in(tmp_path)
    far = Worker("far", "0" * 8, 7, 8).name
    (claims.folder / "theirs").write_text(far)
    assert claims.take("theirs") == far
    dead = Worker(worker.HOST, worker.PLACE, this_worker().pid, this_worker().started + 1).name
    (claims.folder / "old").write_text(dead)
    assert claims.take("old") is None
    assert claims.holder("old") == this_worker().name
    (claims.folder / "junk").write_text("no process")
    assert claims.take("junk") is None
    assert [path.name[:6] for path in (tmp_path / "aside").iterdir()] == [".junk."]
    claims.release_all()
    assert [path.name for path in claims.folder.iterdir()] == ["theirs"]


def test_other_errors_of_links_are_raised(tmp_path, monkeypatch):
    def full(self, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "symlink_to", full)
    with pytest.raises(OSError, match="No space left"):
        claims_in(tmp_path).take("block")


def test_stopping_without_sigusr1(monkeypatch):
    monkeypatch.delattr(signal, "SIGUSR1", raising=False)
    module = importlib.util.module_from_spec(importlib.util.find_spec("sgdsim.run.stop"))
    sys.modules[module.__name__], before = module, stopping
    try:
        module.__spec__.loader.exec_module(module)
    finally:
        sys.modules[module.__name__] = before
    assert set(module.GRACE_SECONDS) == {signal.SIGINT, signal.SIGTERM}
    heard = []
    with module.Stop(lambda: heard.append(True)) as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested
        assert stop.code == stopping.Exit.RESUMABLE
    assert heard == [True]


def test_the_waiting_thread_hears_signals_through_sockets():
    """Windows waits for sockets alone: the number of a signal goes through one."""
    left = []
    with stopping.Stop(leave=left.append) as stop:
        inner, outer = stop._wakeup
        assert inner.getblocking() is False
        assert outer.getblocking() is False
        signal.raise_signal(signal.SIGTERM)
        until = time.monotonic() + 5
        while not stop.requested and time.monotonic() < until:
            time.sleep(0.01)
        assert stop.requested
    assert inner.fileno() == outer.fileno() == -1
    assert left == []


def test_cores_and_memory_where_the_system_tells_little(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cgroups.usable_cores(tmp_path) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cgroups.usable_cores(tmp_path) == 1
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert cgroups.usable_memory(tmp_path) == cgroups.UNKNOWN_MEMORY
    kernel = SimpleNamespace(GlobalMemoryStatusEx=_status)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    assert cgroups.usable_memory(tmp_path / "other") == 48 * 2**30


def _status(reference):
    """Fills a MEMORYSTATUSEX whose length is set: a load of 37 %, 48 GiB of memory, and more numbers."""

    class Status(ctypes.Structure):
        _fields_ = (("length", ctypes.c_uint32), ("load", ctypes.c_uint32), ("numbers", ctypes.c_uint64 * 7))

    status = ctypes.cast(reference, ctypes.POINTER(Status)).contents
    assert status.length == ctypes.sizeof(Status)
    status.load = 37
    for index in range(7):
        status.numbers[index] = (48 - index) * 2**30
    return 1


def test_no_compiler_is_looked_for_on_windows(monkeypatch):
    monkeypatch.setattr(build, "os", SimpleNamespace(name="nt", environ={"CXX": "c++"}))
    assert build.find_compiler() is None


LACKING = """
import os, signal, sys
for name in ("SIGUSR1", "SIGUSR2", "SIGHUP", "SIGALRM", "SIGKILL"):
    vars(signal).pop(name, None)
for name in ("sched_getaffinity", "sysconf", "getuid", "geteuid", "fork"):
    vars(os).pop(name, None)
def refuse(*_, **__):
    error = OSError(22, "A required privilege is not held by the client")
    error.winerror = 1314
    raise error
os.symlink = os.kill = refuse
import multiprocessing.util, subprocess, tempfile  # which take them where they are
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
from sgdsim.store import windows, worker
worker.WINDOWS = True
windows.lives, windows.started = lambda pid: pid == os.getpid(), lambda pid: 1
from sgdsim.cli import main
main()
"""


@pytest.mark.slow
def test_the_commands_run_without_what_posix_alone_has(tmp_path):
    def run(*arguments):
        command = [sys.executable, "-W", "error::ResourceWarning", "-c", LACKING, *map(str, arguments)]
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    (tmp_path / "small.toml").write_text(SMALL)
    assert "committee/theorem" in run("list")
    assert "2 cells" in run("plan", "small.toml")
    assert "report: " in run("run", "small.toml", "-o", "out")
    assert "2 of 2 blocks" in run("status", "out")
    assert re.search(r"2 of 2 blocks sound, .*, 0 problems", run("verify", "out"))
    assert "risk: excess_risk" in run("show", "out")
