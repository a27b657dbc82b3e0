"""Which form of its loop the unrolled chain takes: see `ensemble.lane_loop`."""

from typing import Any, Literal

import numpy as np

from sgdsim.committee.activations import Activation
from sgdsim.committee.chain_mosaic import why_no_mosaic, why_unfit
from sgdsim.committee.problem import Committee
from sgdsim.ensemble.backend import on_cpu, on_gpu
from sgdsim.ensemble.lane_loop import LaneForm, xla_form
from sgdsim.ensemble.mosaic_form import MosaicForm
from sgdsim.errors import ArgumentError
from sgdsim.native.build import NO_COMPILER, find_compiler
from sgdsim.native.emit import emit_function
from sgdsim.native.form import NativeForm
from sgdsim.native.primitives import Unsupported
from sgdsim.notices import notice
from sgdsim.parameters import Parameter

KernelChoice = Literal["auto", "xla", "fused"]
"""`fused`: a form that keeps a trajectory in registers. `auto`: that where it can be had, else as XLA compiles it."""
KERNEL = Parameter("", "form of the loop, or of its inputs; the forms agree to rounding", in_identity=False)


def choose_form(problem: Committee, dtype: Any, choice: KernelChoice) -> LaneForm:
    """The form for the devices at hand.

    The fused one is C++ on a CPU, where a compiler is found, and a kernel of Pallas on a GPU, see `chain_mosaic`. There
    is none on a TPU, where `auto` is as XLA compiles it.
    """
    if choice == "xla":
        return xla_form
    if on_cpu():
        return NativeForm(required=choice == "fused")
    if on_gpu():
        return _on_gpu(problem, dtype, required=choice == "fused")
    return xla_form


def fused_speedup(problem: Committee, dtype: Any, choice: KernelChoice) -> float | None:
    """How many times faster a step's operations are in the fused form that is to be expected; None where none is.

    Measured at p = k = 4: `make bench`, 4096 replicas; `python -m benchmarks.gpu` on an H100, 10^5 replicas.
    """
    if choice == "xla":
        return None
    if on_cpu():
        return 2.0 if find_compiler() is not None else None
    return 6.5 if on_gpu() and why_unfit(problem, dtype) is None else None


def _on_gpu(problem: Committee, dtype: Any, required: bool) -> LaneForm:
    reason = why_no_mosaic(problem, dtype)
    if reason is None:
        return MosaicForm()
    if required:
        raise refused("here", f"On this GPU {reason}.")
    notice(f"the chain runs as XLA compiles it, several times slower than fused: {reason}")
    return xla_form


def check_fused(problem: Committee, dtype: Any, unrolled: bool) -> None:
    """**Raises:** ArgumentError where the fused form cannot be had. `unrolled`: the chain goes step by step."""
    if not unrolled:
        got = f"batch = {problem.batch}" if problem.batch > 1 else f"p = {problem.p}, k = {problem.k}"
        raise refused(f"where the chain goes by matrix products ({got})")
    if on_cpu():
        check_native()
        for activation in filter(None, (problem.activation, problem.teacher_activation)):
            _check_activation(activation)
    elif on_gpu():
        _on_gpu(problem, dtype, required=True)
    else:
        raise refused("on this device, which is neither a CPU nor a GPU")


def check_native() -> None:
    """**Raises:** ArgumentError where there is no compiler for a fused form on a CPU."""
    if find_compiler() is None:
        raise refused("here", f"There is {NO_COMPILER}.")


def _check_activation(activation: Activation) -> None:
    """Of all that a step is made of, a function of the user's alone may have no form in C++."""
    for function in (activation.value, activation.derivative):
        try:
            emit_function(
                "sigma", lambda field, function=function: [function(*field)], [("field", np.float32, 1)], "f32"
            )
        except Unsupported as error:
            raise refused("for this activation", f"{str(error).capitalize()} has no form in C++.") from error


def refused(where: str, remedy: str = "") -> ArgumentError:
    """The error of a fused kernel that cannot be had."""
    return ArgumentError("kernel", f"be `auto` or `xla` {where}", "fused", remedy)
