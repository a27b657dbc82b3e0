"""The triangular products of the mean-field theory of signal recovery in C++: what its steps cannot do without."""

import ctypes
from collections.abc import Callable

import numpy as np

from benchmarks.c_loops import c_loop


def products(steps: int, seed: int = 0) -> Callable[[], None] | None:
    """A job that makes the products of so many steps, once checked against NumPy's; None without a compiler."""
    function = c_loop("dmft")
    if function is None:
        return None
    rng = np.random.default_rng(seed)
    matrices, vector = np.tril(rng.normal(size=(4, steps, steps))), rng.normal(size=steps)
    results = np.zeros((2, steps))
    pointer = [array.ctypes.data_as(ctypes.c_void_p) for array in (matrices, vector, results)]  # and the arrays live on
    counts = [ctypes.c_size_t(steps)] * 2

    def job() -> None:
        function(pointer[0], *counts, *pointer[1:])

    job()
    np.testing.assert_allclose(results, [vector @ matrices[3], matrices[3] @ vector], rtol=1e-9, atol=1e-9)
    return job
