"""Wide vectors: how hot loops are compiled for the processor at hand."""

from functools import lru_cache
from pathlib import Path

import jax

from sgdsim.ensemble.backend import on_cpu

_CPU_INFO = Path("/proc/cpuinfo")
_WIDE = {"xla_cpu_prefer_vector_width": 512}


def has_wide_vectors(info: Path = _CPU_INFO) -> bool:
    """Whether the processor has vectors of 512 bits, AVX-512: as Linux says. Elsewhere no."""
    try:
        lines = info.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    return any("avx512f" in line.split() for line in lines if line.startswith("flags"))


def compiler_options() -> dict[str, int] | None:
    """Options of XLA for the loops that take nearly all of the time, or None for its own choice.

    XLA takes vectors of 256 bits where there are some of 512, which make the chain faster by a sixth. Sums may round
    differently, as they do from one kind of processor to another anyway. An option that this version of XLA does not
    know is left out.
    """
    return _wide() if on_cpu() else None


@lru_cache(maxsize=1)
def _wide() -> dict[str, int] | None:
    """The option, where the processor has such vectors and XLA knows it."""
    if not has_wide_vectors():
        return None
    try:
        jax.jit(lambda: 0, compiler_options=_WIDE).lower().compile()
    except RuntimeError:  # no such compile option
        return None
    return _WIDE
