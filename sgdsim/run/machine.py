"""How fast a core of this machine is, beside the one that the constants of `costs` were measured on."""

import math
import time
from functools import lru_cache

import numpy as np

NUMBERS = 4096
"""Numbers of the loop that is timed: they stay in the first cache, as a tile does."""
PASSES = 50
TRIES = 40
LOOP_SECONDS = 1.84e-4
"""What `loop` takes on the reference, one core of a Zen 4 at 3.7 GHz (AVX-512) that nobody else uses."""
GRADES = 10
"""Speeds are told in so many grades to a factor of ten, so that a plan reads the same when it is made again."""


def loop() -> float:
    """Seconds that some passes of multiplications and additions over a small array take."""
    a, b = np.linspace(0, 1, NUMBERS, dtype=np.float32), np.linspace(1, 2, NUMBERS, dtype=np.float32)
    began = time.perf_counter()
    for _ in range(PASSES):
        np.multiply(a, b, out=a)
        np.add(a, b, out=a)
        np.minimum(a, 1, out=a)
    return time.perf_counter() - began


@lru_cache(maxsize=1)
def slowness() -> float:
    """How many times as long a core of this machine takes as the reference: the best of several short loops."""
    best = min(loop() for _ in range(TRIES))
    return 10 ** (round(GRADES * math.log10(best / LOOP_SECONDS)) / GRADES)
