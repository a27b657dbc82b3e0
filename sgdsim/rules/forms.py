"""Which form of its loop the unrolled chain takes: see `ensemble.lane_loop`."""

from typing import Any, Literal

from sgdsim.ensemble.backend import on_cpu, on_gpu
from sgdsim.ensemble.lane_loop import LaneForm, LaneLoop, xla_form
from sgdsim.ensemble.mosaic_form import MosaicForm
from sgdsim.errors import ArgumentError
from sgdsim.native.build import NO_COMPILER, find_compiler
from sgdsim.native.form import NativeForm, loop_source
from sgdsim.native.primitives import Unsupported
from sgdsim.notices import notice
from sgdsim.parameters import Parameter
from sgdsim.rules.mosaic import LoopShape, why_no_mosaic, why_unfit

KernelChoice = Literal["auto", "xla", "fused"]
"""`fused`: a form that keeps a trajectory in registers. `auto`: that where it can be had, else as XLA compiles it."""
KERNEL = Parameter("", "form of the loop, or of its inputs; the forms agree to rounding", in_identity=False)


def choose_form(shape: LoopShape, dtype: Any, choice: KernelChoice) -> LaneForm:
    """The form for the devices at hand.

    The fused one is C++ on a CPU, where a compiler is found, and a kernel of Pallas on a GPU, see `mosaic`. There
    is none on a TPU, where `auto` is as XLA compiles it.
    """
    if choice == "xla":
        return xla_form
    if on_cpu():
        return NativeForm(required=choice == "fused")
    if on_gpu():
        return _on_gpu(shape, dtype, required=choice == "fused")
    return xla_form


def fused_speedup(shape: LoopShape, dtype: Any, choice: KernelChoice) -> float | None:
    """How many times faster a step's operations are in the fused form that is to be expected; None where none is.

    Measured at p = k = 4: `make bench`, 4096 replicas; `python -m benchmarks.gpu` on an H100, 10^5 replicas.
    """
    if choice == "xla":
        return None
    if on_cpu():
        return 2.0 if find_compiler() is not None else None
    return 6.5 if on_gpu() and why_unfit(shape, dtype) is None else None


def _on_gpu(shape: LoopShape, dtype: Any, required: bool) -> LaneForm:
    reason = why_no_mosaic(shape, dtype)
    if reason is None:
        return MosaicForm()
    if required:
        raise refused("here", f"On this GPU {reason}.")
    notice(f"the chain runs as XLA compiles it, several times slower than fused: {reason}")
    return xla_form


def check_fused(loop: LaneLoop, shape: LoopShape, what: str) -> None:
    """**Raises:** ArgumentError where the unrolled chain has no fused form.

    - `what`: of its step may have no form in C++, in a word.
    """
    if on_cpu():
        check_native()
        _check_emitted(loop, what)
    elif on_gpu():
        _on_gpu(shape, loop.dtype, required=True)
    else:
        raise refused("on this device, which is neither a CPU nor a GPU")


def check_native() -> None:
    """**Raises:** ArgumentError where there is no compiler for a fused form on a CPU."""
    if find_compiler() is None:
        raise refused("here", f"There is {NO_COMPILER}.")


def _check_emitted(loop: LaneLoop, what: str) -> None:
    """Of all that a step is made of, a function of the user's alone may have no form in C++."""
    try:
        loop_source(loop)
    except Unsupported as error:
        raise refused(f"for this {what}", f"{str(error).capitalize()} has no form in C++.") from error


def refused(where: str, remedy: str = "") -> ArgumentError:
    """The error of a fused kernel that cannot be had."""
    return ArgumentError("kernel", f"be `auto` or `xla` {where}", "fused", remedy)
