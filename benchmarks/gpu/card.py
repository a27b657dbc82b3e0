"""The card: what it is, how fast its memory is, and what a launch costs on it."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.gpu.bounds import ask_driver
from benchmarks.gpu.setting import Setting, table
from benchmarks.timing import machine, seconds


def lines(setting: Setting) -> Iterator[str]:
    """Name, versions, memory, bandwidth and latencies."""
    setting.need_gpu()
    yield machine()
    yield ""
    yield from table(("what", "measured"), _rows(setting))


def _rows(setting: Setting) -> Iterator[tuple[str, object]]:
    device = jax.local_devices()[0]
    for what, name in (("compute capability", "compute_capability"), ("multiprocessors", "core_count")):
        yield what, str(getattr(device, name, "no GPU"))
    asked = (("driver", "driver_version"), ("largest clock, MHz", "clocks.max.sm"), ("free memory, MiB", "memory.free"))
    for what, field in asked:
        yield what, ask_driver(field) or "no GPU"
    limit = (device.memory_stats() or {}).get("bytes_limit")
    yield "memory that JAX takes, GiB", "no GPU" if limit is None else limit / 2**30
    size = 2**16 if setting.small else 2**28
    yield f"copy of {4 * size / 2**20:.0f} MiB, read and written, GB/s", setting.attempt(lambda: _bandwidth(size))
    yield "one launch with its wait, us", setting.attempt(_launch)
    for what, known in (("unknown", False), ("known", True)):
        yield f"one step of a loop whose length is {what}, us", setting.attempt(lambda known=known: _loop_step(known))


def _bandwidth(size: int) -> float:
    """GB/s of an addition of one, which reads and writes every number once."""
    numbers = jnp.arange(size, dtype=jnp.float32)
    add = jax.jit(lambda numbers: numbers + 1)

    def job() -> None:
        last = numbers
        for _ in range(10):
            last = add(last)
        jax.block_until_ready(last)

    return 10 * 2 * 4 * size / seconds(job) / 1e9


def _launch() -> float:
    """us from the call of a tiny compiled function to its result."""
    add, number = jax.jit(lambda number: number + 1), jnp.zeros(8)

    def job() -> None:
        for _ in range(100):
            jax.block_until_ready(add(number))

    return seconds(job) / 100 * 1e6


def _loop_step(known: bool, steps: int = 2048) -> float:
    """us of one kernel in a loop on the device, where the host is asked after each step or not."""

    @jax.jit
    def job(numbers: jax.Array, n_steps: jax.Array) -> jax.Array:
        count = steps if known else n_steps
        return jax.lax.fori_loop(0, count, lambda index, numbers: numbers * 0.5 + index, numbers)

    numbers, n_steps = jnp.zeros(2**14, jnp.float32), np.int64(steps)
    return seconds(lambda: jax.block_until_ready(job(numbers, n_steps))) / steps * 1e6
