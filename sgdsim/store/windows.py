"""Processes on Windows, which has neither signal 0 nor /proc: its kernel32 is asked. Elsewhere nothing is called."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

_QUERY, _WAIT = 0x1000, 0x100000
"""PROCESS_QUERY_LIMITED_INFORMATION and SYNCHRONIZE, the rights that are asked for."""
_DENIED = 5
"""ERROR_ACCESS_DENIED: there is a process, of somebody else."""
_TIMEOUT = 0x102
"""WAIT_TIMEOUT: it has not ended yet."""


class _Time(ctypes.Structure):
    """FILETIME, tenths of a microsecond since 1601."""

    _fields_ = (("low", ctypes.c_uint32), ("high", ctypes.c_uint32))


def lives(pid: int) -> bool:
    """Whether a process of this number lives."""
    with _opened(pid) as (kernel, handle):
        if not handle:
            return kernel.error() == _DENIED
        # A number stays with a process that has ended for as long as anybody holds it open.
        return kernel.WaitForSingleObject(handle, 0) == _TIMEOUT


def started(pid: int) -> int | None:
    """When a process started, in tenths of a microsecond since 1601; None where that is not told."""
    times = [_Time() for _ in range(4)]
    with _opened(pid) as (kernel, handle):
        if not handle or not kernel.GetProcessTimes(handle, *map(ctypes.byref, times)):
            return None
    return times[0].high << 32 | times[0].low


@contextmanager
def _opened(pid: int) -> Iterator[tuple[Any, Any]]:
    """kernel32, and a handle of a process, None where it cannot be opened."""
    kernel = _kernel()
    handle = kernel.OpenProcess(_QUERY | _WAIT, False, pid)
    try:
        yield kernel, handle
    finally:
        if handle:
            kernel.CloseHandle(handle)


@lru_cache(maxsize=1)
def _kernel() -> Any:
    """kernel32, whose last error is read by `error`."""
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    # A handle has the width of a pointer, which ctypes takes for that of an int unless it is told.
    kernel.OpenProcess.restype = ctypes.c_void_p
    for function in (kernel.WaitForSingleObject, kernel.GetProcessTimes, kernel.CloseHandle):
        function.argtypes = [ctypes.c_void_p]
    kernel.WaitForSingleObject.argtypes += [ctypes.c_uint32]
    kernel.GetProcessTimes.argtypes += [ctypes.POINTER(_Time)] * 4
    kernel.error = ctypes.get_last_error  # type: ignore[attr-defined]
    return kernel
