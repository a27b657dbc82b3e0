"""Wide vectors and small products: how hot loops are compiled for the processor at hand."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import jax

from sgdsim.ensemble.backend import on_cpu

_CPU_INFO = Path("/proc/cpuinfo")
_WIDE = ("xla_cpu_prefer_vector_width", 512)
_SMALL: tuple[tuple[str, Any], ...] = (
    ("xla_cpu_experimental_ynn_fusion_type", ""),
    ("xla_cpu_multi_thread_eigen", False),
)


def has_wide_vectors(info: Path = _CPU_INFO) -> bool:
    """Whether the processor has vectors of 512 bits, AVX-512: as Linux says. Elsewhere no."""
    try:
        lines = info.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    return any("avx512f" in line.split() for line in lines if line.startswith("flags"))


def compiler_options(small_products: bool = False) -> dict[str, Any] | None:
    """Options of XLA for the loops that take nearly all of the time, or None for its own choice.

    XLA takes vectors of 256 bits where there are some of 512, which make the chain faster by a sixth. Sums may round
    differently, as they do from one kind of processor to another anyway. An option that this version of XLA does not
    know is left out.

    - `small_products`: that of `Kernel`. XLA hands matrix products over to a library, together with the functions of
      their elements, and divides them among threads although a tile of another device has each core: that pays for
      large ones alone. Without, gradients of a batch of 8 at p = k = 4 take a fifth of the time, full weights of
      d = 1000 half as much again (measured).
    """
    if not on_cpu():
        return None
    options = dict(_wide())
    for name, value in _SMALL if small_products else ():
        options |= _known(name, value)
    return options or None


def wide_vectors() -> bool:
    """Whether hot loops are compiled for vectors of 512 bits."""
    return on_cpu() and bool(_wide())


@lru_cache(maxsize=1)
def _wide() -> dict[str, Any]:
    """The option, where the processor has such vectors and XLA knows it."""
    return _known(*_WIDE) if has_wide_vectors() else {}


@lru_cache(maxsize=4)
def _known(name: str, value: Any) -> dict[str, Any]:
    """An option, where this version of XLA knows it."""
    option = {name: value}
    try:
        jax.jit(lambda: 0, compiler_options=option).lower().compile()
    except RuntimeError:  # no such compile option
        return {}
    return option
