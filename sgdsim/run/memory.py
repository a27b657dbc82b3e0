"""Memory of an accelerator that others hold: it is waited for, a while, and then said how to share the device.

JAX takes three quarters of a GPU's memory when it starts. A second process on the same GPU, of sgdsim or of anyone
else, then finds too little: JAX cannot start at all, or a computation fails although it needs hardly anything.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import jax
from jax.extend.backend import clear_backends

from sgdsim.ensemble.backend import on_cpu
from sgdsim.errors import ExperimentError

PAUSES = (5.0, 10.0, 20.0, 40.0, *[60.0] * 8)
"""Seconds between two tries: about nine minutes in all."""
REMEDY = (
    "another process may hold it: choose another device with CUDA_VISIBLE_DEVICES, or give every process its share,"
    " e.g. XLA_PYTHON_CLIENT_MEM_FRACTION=0.45 for each of two (or XLA_PYTHON_CLIENT_PREALLOCATE=false)"
)
_SIGNS = ("out of memory", "out_of_memory", "resource_exhausted", "alloc_failed", "failed to allocate")
"""How XLA and CUDA say so, in small letters."""


class NoMemory(Exception):
    """A device has had no memory to spare for as long as is waited for it."""


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the machine, has no memory left.

    XLA says RESOURCE_EXHAUSTED, but INTERNAL where the allocation fails while several CPU devices are at work; where a
    backend cannot start, JAX raises a RuntimeError with the words of CUDA.
    """
    words = str(error).lower()
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(sign in words for sign in _SIGNS))


def on_accelerator() -> bool:
    """Whether the devices have a memory of their own, which other processes may hold."""
    return not on_cpu()


def device_words() -> str:
    """The device in words: "gpu:0 (NVIDIA H200)"."""
    device = jax.local_devices()[0]
    return f"{device.platform}:{device.id} ({device.device_kind})"


@dataclass
class Patience:
    """Waits for memory, with growing pauses, until there is some or the pauses are used up.

    - `tell`: called, once for each wait, with what is waited for.
    - `sleep`: sleeps so many seconds; may raise to end the wait.
    """

    tell: Callable[[str], None]
    sleep: Callable[[float], None] = time.sleep
    _pauses: Iterator[float] | None = field(default=None, init=False)

    def again(self, device: str, why: str) -> None:
        """Waits before another try. **Raises:** NoMemory after the last one."""
        if self._pauses is None:
            self._pauses = iter(PAUSES)
            self.tell(f"Waiting for memory on {device}: {REMEDY}.")
        pause = next(self._pauses, None)
        if pause is None:
            self._pauses = None
            minutes = round(sum(PAUSES) / 60)
            raise NoMemory(f"{device} has had no memory to spare for {minutes} minutes ({why}); {REMEDY}")
        self.sleep(pause)

    def relax(self) -> None:
        """Takes note that there was memory."""
        self._pauses = None


def wait_for_devices(tell: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> None:
    """Starts JAX; where the memory of an accelerator is in other hands, waits for it.

    JAX that could not start on an accelerator would go on without it, on the CPU, if it were merely asked again.

    **Raises:** ExperimentError where it stays so.
    """
    patience = Patience(tell, sleep)
    while True:
        try:
            jax.block_until_ready([jax.device_put(0.0, device) for device in jax.local_devices()])
            return
        except RuntimeError as error:
            if not lacks_memory(error):
                raise
            try:
                patience.again("the accelerator", first_line(error))
            except NoMemory as lack:
                raise ExperimentError([str(lack)]) from error
            clear_backends()


def first_line(error: BaseException) -> str:
    """The first line of an error, which says what happened; what follows is a trace of allocations."""
    return next(iter(str(error).splitlines()), type(error).__name__)
