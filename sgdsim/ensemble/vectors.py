"""Wide vectors and small products: how hot loops are compiled for the processor at hand."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import jax

from sgdsim.ensemble.backend import on_cpu

_CPU_INFO = Path("/proc/cpuinfo")
_WIDE = ("xla_cpu_prefer_vector_width", 512)
_ONE_THREAD = ("xla_cpu_multi_thread_eigen", False)
_LIBRARY = ("xla_cpu_experimental_ynn_fusion_type", "")


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

    - `small_products`: that of `Kernel`. XLA divides matrix products among threads although a tile of another device
      has each core: of small ones without, gradients of a batch of 32 at p = k = 4 take a third of the time (measured).
      With one thread XLA has a form of its own for what it does not hand over to a library, whose compilation takes
      all memory for some shapes, 20 x 16 by 16 x 20 (jaxlib 0.10.2). So threads stay where XLA has no such library,
      and where vectors are narrower, on which this was not tried.
    """
    if not on_cpu():
        return None
    alone = small_products and bool(_wide() and _known(*_LIBRARY))
    return (_wide() | (_known(*_ONE_THREAD) if alone else {})) or None


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
