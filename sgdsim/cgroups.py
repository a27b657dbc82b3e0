"""What of this machine the process may use: its control groups (cgroups v1 and v2) may grant less than there is.

A container, a pod or a job of a batch system sees all cores and all memory of its node. What it may take stands in the
files of its cgroup, and in those of every cgroup around that one: the smallest limit counts.

Source: Linux, Documentation/admin-guide/cgroup-v1/{memory,cpuacct}.rst, scheduler/sched-bwc.rst, cgroup-v2.rst.
"""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

UNKNOWN_MEMORY = 4 * 2**30
"""Bytes that are taken for granted where the system tells nothing."""
ROOT = Path("/")
"""Where `proc` and the mounts are found."""


def usable_cores(root: Path = ROOT) -> int:
    """CPU cores: min(allowed cores, ceil(quota/period)) over all cgroups around the process, at least 1.

    A quota of 2.5 cores is worth three threads, none of which has a core for itself.
    """
    # Neither Windows nor macOS tells which cores a process is kept to.
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [_quota(folder, version) for folder, version in _cgroups("cpu", root)]
    return max(1, math.ceil(min([allowed, *quotas])))


@cache
def usable_memory(root: Path = ROOT) -> int:
    """Bytes of memory: the machine's, or the smallest limit of all cgroups around the process."""
    limits = [_limit(folder, version) for folder, version in _cgroups("memory", root)]
    return int(min([_machine_memory(), *limits]))


def _machine_memory() -> int:
    """Bytes of memory of the machine; `UNKNOWN_MEMORY` where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return _windows_memory() or UNKNOWN_MEMORY


def _windows_memory() -> int:
    """What GlobalMemoryStatusEx of kernel32 says; 0 elsewhere."""
    import ctypes

    windll = getattr(ctypes, "windll", None)
    if windll is None:
        return 0
    # MEMORYSTATUSEX: its own length and the load, of 4 bytes each, then seven numbers of 8, of which the first is it.
    status = (ctypes.c_uint64 * 8)(64)
    return int(status[1]) if windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else 0


def _quota(folder: Path, version: int) -> float:
    """Cores that the processes of a cgroup may keep busy, all together; infinity where it sets no quota."""
    files = ("cpu.max",) if version == 2 else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    numbers = [number for name in files for number in _numbers(folder / name)]
    # In version 1 a quota of -1 is none.
    return numbers[0] / numbers[1] if len(numbers) == 2 and min(numbers) > 0 else math.inf


def _limit(folder: Path, version: int) -> float:
    """Bytes from which on processes of a cgroup are slowed down or killed; infinity where it sets no limit."""
    files = ("memory.max", "memory.high") if version == 2 else ("memory.limit_in_bytes",)
    limits = [number for name in files for number in _numbers(folder / name)[:1] if number > 0]
    return min(limits, default=math.inf)


def _numbers(file: Path) -> list[float]:
    """The numbers in a file of a cgroup, where "max" is infinity; none where there is no such file, or they are none.

    The cgroup at the top of a machine has no files of limits.
    """
    try:
        return [math.inf if word == "max" else float(int(word)) for word in file.read_text().split()]
    except (OSError, ValueError):
        return []


@dataclass(frozen=True)
class _Mount:
    """A hierarchy of cgroups as it is mounted.

    - `top`: the cgroup at the mount point: that of the container, where a mount shows no more.
    - `options`: of the hierarchy; the names of its controllers are among them in version 1.
    """

    top: str
    point: str
    version: int
    options: frozenset[str]


def _cgroups(controller: str, root: Path) -> Iterator[tuple[Path, int]]:
    """Folder and version of every cgroup with a controller that the process is in, from the innermost outwards."""
    paths = _paths(root)
    for mount in _mounts(root):
        hierarchy = "" if mount.version == 2 else controller
        if hierarchy in paths and (mount.version == 2 or controller in mount.options):
            point = root / mount.point.lstrip("/")
            inner = point / _within(paths[hierarchy], mount.top)
            for folder in (inner, *inner.parents):
                yield folder, mount.version
                if folder == point:
                    break


def _within(path: str, top: str) -> str:
    """The way from the cgroup at a mount point to that of the process.

    They have the names of different namespaces where the one does not begin with the other: then the mount point shows
    the container's own.
    """
    parts, above = Path(path).parts, Path(top).parts
    inside = parts[: len(above)] == above and ".." not in parts
    return "/".join(parts[len(above) :]) if inside else ""


def _paths(root: Path) -> dict[str, str]:
    """The cgroup of the process by controller of version 1; that of version 2 by an empty name.

    A line of /proc/self/cgroup is "4:cpu,cpuacct:/path" in version 1 and "0::/path" in version 2.
    """
    found: dict[str, str] = {}
    for line in _lines(root / "proc" / "self" / "cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        found |= dict.fromkeys(controllers.split(","), path)
    return found


def _mounts(root: Path) -> Iterator[_Mount]:
    """The hierarchies of cgroups that are mounted.

    A line of /proc/self/mountinfo is "31 23 0:24 /top /mount/point options optional... - type source options".
    """
    for line in _lines(root / "proc" / "self" / "mountinfo"):
        place, _, kind = line.partition(" - ")
        fields, (name, *rest) = place.split(), kind.split() or [""]
        if name in ("cgroup", "cgroup2") and len(fields) > 4 and len(rest) > 1:
            top, point = (_unescaped(field) for field in fields[3:5])
            yield _Mount(top, point, 2 if name == "cgroup2" else 1, frozenset(rest[1].split(",")))


def _unescaped(field: str) -> str:
    r"""A name as it is: blanks and backslashes stand as \040 and \134."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)


def _lines(file: Path) -> list[str]:
    """The lines of a file; none where there is no such file."""
    try:
        return file.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
