"""Loops in C++ as yardsticks: what a processor does of the same steps where a program is written for one problem."""

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sgdsim.committee import OverlapStart, Weights
from sgdsim.committee.chain_lanes import chain_lanes
from sgdsim.committee.plain_rule import PlainRule
from sgdsim.committee.problem import Committee
from sgdsim.committee.weights import weights_kernel
from sgdsim.contracts import Kernel
from sgdsim.ensemble.random import replica_keys
from sgdsim.native.build import find_compiler, make_library

FAST_MATH = ("-fassociative-math", "-freciprocal-math", "-ffinite-math-only", "-fno-signed-zeros")
"""-ffast-math would have the library, once loaded, flush denormal numbers of the whole process."""
LOOPS = Path(__file__).parent / "loops"


@cache
def c_loop(name: str, **sizes: int) -> Callable[..., None] | None:
    """The function of loops/`name`.cpp, compiled for these sizes; None where there is no C++ compiler."""
    compiler = find_compiler()
    if compiler is None:
        return None
    source = "".join(f"#define {size} {value}\n" for size, value in sizes.items())
    # The headers are in the source, so that a library is kept for as long as none of them changes.
    text = (LOOPS / f"{name}.cpp").read_text(encoding="utf-8")
    source += text.replace('#include "lanes.h"', (LOOPS / "lanes.h").read_text(encoding="utf-8"))
    return getattr(make_library(compiler, source, *FAST_MATH)[1], name)


def started(kernel: Kernel, problem: Committee) -> tuple[Any, np.ndarray]:
    """A tile at its start, with all replicas alike, and its keys."""
    initial = OverlapStart(0.5, 1).draw(problem, np.random.default_rng(0), 1)
    keys = replica_keys(0, 0, 0, kernel.lanes)
    return jax.jit(lambda kernel, keys: kernel.init(initial, keys))(kernel, jnp.asarray(keys)), keys


def chain_in_c(problem: Committee, lanes: int) -> Callable[[int], tuple[np.ndarray, np.ndarray]] | None:
    """The chain: steps -> m (p k, lanes) and the lower triangle of S (numbers, lanes). None without a compiler."""
    p, k = problem.p, problem.k
    loop = c_loop("chain", P=p, K=k)
    if loop is None:
        return None
    kernel = chain_lanes(problem, np.float32, lanes)
    state, keys = started(kernel, problem)
    start = np.asarray(state.m).reshape(p * k, lanes), np.asarray(state.S)[np.tril_indices(p)]
    rule = PlainRule.of(problem)
    numbers = (state.teacher_root[..., 0], kernel.radius[:, 0], kernel.freedom, rule.step_size, rule.noise_root)
    constants = np.concatenate([np.ravel(np.asarray(part, np.float32)) for part in numbers])

    def run(steps: int) -> tuple[np.ndarray, np.ndarray]:
        m, S = (np.array(part) for part in start)
        loop(*map(_pointer, (m, S, keys)), lanes, ctypes.c_long(steps), int(kernel.segment), _pointer(constants))
        return m, S

    return run


def weights_in_c(problem: Committee, lanes: int) -> Callable[[int], np.ndarray] | None:
    """Full weights: steps -> W (lanes, p, d). None without a compiler."""
    loop = c_loop("weights", P=problem.p, K=problem.k, D=problem.d)
    if loop is None:
        return None
    kernel = weights_kernel(problem, "float32", lanes, Weights().block)
    state, keys = started(kernel, problem)
    start, teacher = np.asarray(state.W), np.asarray(state.teacher)
    rates = (ctypes.c_float(problem.step_size), ctypes.c_float(problem.noise**0.5))

    def run(steps: int) -> np.ndarray:
        W = np.array(start)
        loop(*map(_pointer, (W, teacher, keys)), lanes, ctypes.c_long(steps), kernel.segment, *rates)
        return W

    return run


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return array.ctypes.data_as(ctypes.c_void_p)
