"""Cores and memory that a container has: on machines that are folders, and in a cgroup of this one where it may be."""

import contextlib
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import pytest

from sgdsim import _startup, cgroups
from sgdsim.cgroups import usable_cores, usable_memory
from sgdsim.ensemble import devices
from tests.processes import ROOT

CORES, GIB = 64, 2**30
MACHINE = 512 * GIB
UNIFIED = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
CPU = "31 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct"
MEMORY = "32 23 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
NO_LIMIT = "9223372036854771712"
"""What version 1 writes for none."""


@pytest.fixture(autouse=True)
def node(monkeypatch):
    """A machine of 64 cores and 512 GiB."""
    monkeypatch.setattr(cgroups.os, "sched_getaffinity", lambda pid: set(range(CORES)))
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": MACHINE // 4096}
    monkeypatch.setattr(cgroups.os, "sysconf", sizes.__getitem__)


def root_of(folder, cgroup, mounts, files):
    """The folder, with what a process sees of its cgroups; files are named below /sys/fs/cgroup."""
    written = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    written |= {
        "proc/self/cgroup": cgroup,
        "proc/self/mountinfo": "\n".join(["22 1 8:1 / / rw - ext4 /dev/sda rw", *mounts]),
    }
    for name, text in written.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n")
    return folder


def v1(path, **files):
    """Files of the cgroup with this path, in version 1: both controllers."""
    return {
        f"{'memory' if name.startswith('memory') else 'cpu,cpuacct'}{path}/{name.replace('__', '.')}": text
        for name, text in files.items()
    }


MACHINES = {
    "no cgroups": ("", [], {}, CORES, MACHINE),
    "v2, at the top, where there are no limits": ("0::/", [UNIFIED], {"cgroup.procs": "1"}, CORES, MACHINE),
    "v2, a pod of 4 cores and 8 GB": (
        "0::/",
        [UNIFIED],
        {"cpu.max": "400000 100000", "memory.max": "8589934592", "memory.high": "max"},
        4,
        8 * GIB,
    ),
    "v2, max": ("0::/job", [UNIFIED], {"job/cpu.max": "max 100000", "job/memory.max": "max"}, CORES, MACHINE),
    "v2, memory.high is lower": (
        "0::/job",
        [UNIFIED],
        {"job/memory.max": "8589934592", "job/memory.high": "6442450944"},
        CORES,
        6 * GIB,
    ),
    "v2, less than a core": ("0::/job", [UNIFIED], {"job/cpu.max": "20000 100000"}, 1, MACHINE),
    "v2, two cores and a half": ("0::/job", [UNIFIED], {"job/cpu.max": "125000 50000"}, 3, MACHINE),
    "v2, more than the machine has": (
        "0::/job",
        [UNIFIED],
        {"job/cpu.max": "9900000 100000", "job/memory.max": str(600 * GIB)},
        CORES,
        MACHINE,
    ),
    "v2, parents have less": (
        "0::/slurm/job_7/step_0",
        [UNIFIED],
        {
            "slurm/memory.max": str(100 * GIB),
            "slurm/job_7/memory.max": str(16 * GIB),
            "slurm/job_7/step_0/memory.max": str(32 * GIB),
            "slurm/cpu.max": "800000 100000",
            "slurm/job_7/cpu.max": "max 100000",
            "slurm/job_7/step_0/cpu.max": "1600000 100000",
            "other/cpu.max": "100000 100000",
            "other/memory.max": str(GIB),
        },
        8,
        16 * GIB,
    ),
    "v1, no limit": (
        "5:memory:/job\n4:cpu,cpuacct:/job\n1:name=systemd:/job",
        [CPU, MEMORY],
        v1("/job", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000", memory__limit_in_bytes=NO_LIMIT),
        CORES,
        MACHINE,
    ),
    "v1, a pod of 4 cores and 8 GB": (
        "5:memory:/pod\n4:cpuacct,cpu:/pod",
        [CPU, MEMORY],
        v1("/pod", cpu__cfs_quota_us="400000", cpu__cfs_period_us="100000", memory__limit_in_bytes="8589934592"),
        4,
        8 * GIB,
    ),
    "v1, less than a core": (
        "4:cpu,cpuacct:/job",
        [CPU],
        v1("/job", cpu__cfs_quota_us="1000", cpu__cfs_period_us="100000"),
        1,
        MACHINE,
    ),
    "v1, parents have less, and controllers other paths": (
        "5:memory:/a/b\n4:cpu,cpuacct:/c/d",
        [CPU, MEMORY],
        v1("/a", memory__limit_in_bytes=str(3 * GIB))
        | v1("/a/b", memory__limit_in_bytes=NO_LIMIT, cpu__cfs_quota_us="1000", cpu__cfs_period_us="1000")
        | v1("/c", cpu__cfs_quota_us="300000", cpu__cfs_period_us="100000")
        | v1("/c/d", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000", memory__limit_in_bytes=str(GIB)),
        3,
        3 * GIB,
    ),
    "v1, a container that is told its path on the host, and shown its own cgroup": (
        "5:memory:/docker/77\n4:cpu,cpuacct:/docker/77",
        [CPU.replace(" / ", " /docker/77 "), MEMORY.replace(" / ", " /docker/77 ")],
        v1("", cpu__cfs_quota_us="200000", cpu__cfs_period_us="100000", memory__limit_in_bytes=str(2 * GIB)),
        2,
        2 * GIB,
    ),
    "v2, a mount from outside the namespace": (
        "0::/",
        [UNIFIED.replace(" / ", " /../.. ")],
        {"cpu.max": "200000 100000"},
        2,
        MACHINE,
    ),
    "v2, a cgroup outside the namespace": (
        "0::/../up",
        [UNIFIED],
        {"cpu.max": "200000 100000", "../up/cpu.max": "100000 100000"},
        2,
        MACHINE,
    ),
    "both, the controllers in v1": (
        "5:memory:/job\n4:cpu,cpuacct:/job\n0::/job",
        [CPU, MEMORY, UNIFIED.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")],
        v1("/job", cpu__cfs_quota_us="700000", cpu__cfs_period_us="100000", memory__limit_in_bytes=str(5 * GIB))
        | {"unified/job/cgroup.procs": "1"},
        7,
        5 * GIB,
    ),
    "a name with a blank and a colon": (
        "0::/my job: a",
        [UNIFIED],
        {"my job: a/cpu.max": "200000 100000", "my job: a/memory.max": str(GIB)},
        2,
        GIB,
    ),
    "a mount point with a blank": (
        "0::/",
        [UNIFIED.replace("/sys/fs/cgroup", "/sys/fs/cgroup/a\\040b")],
        {"a b/cpu.max": "200000 100000"},
        2,
        MACHINE,
    ),
    "files that hold no limits": (
        "junk\n0::/job",
        [UNIFIED, "junk", "1 2 3 - cgroup2"],
        {"job/cpu.max": "many", "job/memory.max": ""},
        CORES,
        MACHINE,
    ),
}


@pytest.mark.parametrize(("cgroup", "mounts", "files", "cores", "memory"), MACHINES.values(), ids=MACHINES)
def test_what_the_process_may_use(tmp_path, cgroup, mounts, files, cores, memory):
    root = root_of(tmp_path, cgroup, mounts, files)
    assert usable_cores(root) == cores
    assert usable_memory(root) == memory


def test_fewer_cores_are_allowed_than_the_quota_is_worth(tmp_path, monkeypatch):
    monkeypatch.setattr(cgroups.os, "sched_getaffinity", lambda pid: {5, 9})
    assert usable_cores(root_of(tmp_path, "0::/", [UNIFIED], {"cpu.max": "400000 100000"})) == 2


@pytest.mark.parametrize(("cores", "threads"), [(1, "4"), (2, "4"), (16, "16")])
def test_xla_has_threads_enough_not_to_wait_for_ever(monkeypatch, cores, threads):
    monkeypatch.setattr(_startup, "usable_cores", lambda: cores)
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "1")
    monkeypatch.delenv("PJRT_NPROC", raising=False)
    _startup.configure()
    assert os.environ["PJRT_NPROC"] == threads


def test_a_pod_of_4_cores_and_8_gb_on_a_node_of_64(tmp_path, monkeypatch):
    """All that asks for cores or memory takes those of the pod."""
    _, mounts, files, *_ = MACHINES["v2, a pod of 4 cores and 8 GB"]
    root = root_of(tmp_path, "0::/", mounts, files)
    monkeypatch.setattr(_startup, "usable_cores", partial(usable_cores, root))
    monkeypatch.setattr(devices, "usable_memory", partial(usable_memory, root))
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    assert _startup._settings()["jax_num_cpu_devices"] == 4
    monkeypatch.delenv("PJRT_NPROC", raising=False)
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", "1")  # JAX may not have started: it is to keep the devices that it has
    _startup.configure()
    assert os.environ["PJRT_NPROC"] == "4"

    monkeypatch.setattr(jax, "local_device_count", lambda: 4)
    assert devices.device_memory() == 2 * GIB
    devices.check_memory(GIB // 4, lanes=8)
    with pytest.raises(devices.ArgumentError, match=r"hold 9 replicas at once on a device of 2\.0 GiB"):
        devices.check_memory(GIB // 4, lanes=9)
    assert devices.most_tiles(GIB // 4, lanes=2) == 4 * 4


@contextlib.contextmanager
def cpu_cgroup(quota, period):
    """A cgroup of version 1 inside that of this process, with a quota of cores; where none may be made, a skip."""
    own = next((folder for folder, version in cgroups._cgroups("cpu", Path("/")) if version == 1), None)
    if own is None:
        pytest.skip("no controller of cores in cgroup v1 here")
    made = own / f"sgdsim-test-{os.getpid()}"
    try:
        made.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup may be made here: {error}")
    try:
        (made / "cpu.cfs_period_us").write_text(f"{period}")
        (made / "cpu.cfs_quota_us").write_text(f"{quota}")
        yield made
    finally:
        made.rmdir()


def test_in_a_real_cgroup():
    """A process in a cgroup of half a core starts JAX with one device."""
    code = (
        "import sgdsim, jax; from sgdsim.cgroups import usable_cores; print(usable_cores(), jax.local_device_count())"
    )
    clean = {name: value for name, value in os.environ.items() if name not in ("JAX_NUM_CPU_DEVICES", "XLA_FLAGS")}
    with cpu_cgroup(50_000, 100_000) as made:
        command = f'echo $$ > {made}/cgroup.procs && exec "$0" -c "$1"'
        shell = ["bash", "-c", command, sys.executable, code]
        said = subprocess.run(shell, cwd=ROOT, env=clean, capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.split() == ["1", "1"]
