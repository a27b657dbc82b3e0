"""What a GPU could do at most, and what was foretold of an H200 before anything was measured."""

import shutil
import subprocess

import jax

from sgdsim.rules.lanes import RuleLanes

INSTRUCTIONS = {2: 745, 4: 1037, 8: 1749}
"""SASS instructions of one step of the fused chain at p = k, counted in its code compiled for an H200 (sm_90)."""
_LANES_PER_CYCLE = 128
"""A multiprocessor issues one instruction to 32 lanes on each of its four schedulers at every cycle."""

FORETOLD = {
    ("xla", 64): 1e7,
    ("xla", 10**4): 1.6e9,
    ("xla", 10**5): 7e9,
    ("xla", 10**6): 9e9,
    ("fused", 64): 6e7,
    ("fused", 10**4): 9e9,
    ("fused", 10**5): 1.75e10,
    ("fused", 10**6): 2.2e10,
}
"""Steps/s of the chain at p = k = 4 on an H200 by (form, replicas), from 5 us a step of the XLA form, the bytes that it
moves, and 65 % of the issue bound of the fused one."""


def issue_bound(p: int) -> float | None:
    """Steps/s of the fused chain where every scheduler issued an instruction at every cycle; None where unknown."""
    cores, clock = getattr(jax.devices()[0], "core_count", None), ask_driver("clocks.max.sm")
    if p not in INSTRUCTIONS or cores is None or clock is None:
        return None
    return cores * _LANES_PER_CYCLE * float(clock) * 1e6 / INSTRUCTIONS[p]


def traffic(kernel: RuleLanes) -> int:
    """Bytes that a step of the XLA form moves at least: increments and state read, increments written, keys, root."""
    return 4 * (3 * kernel.loop.whole + kernel.loop.fixed) + 8


def ask_driver(field: str) -> str | None:
    """What nvidia-smi says of the first GPU, without its unit; None where there is none."""
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--id=0", f"--query-gpu={field}", "--format=csv,noheader,nounits"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
