"""Which form of their inputs full weights take, see `ensemble.inputs`, and of its normals the chain."""

from sgdsim.ensemble.backend import on_cpu
from sgdsim.ensemble.inputs import InputsForm, xla_inputs
from sgdsim.ensemble.random import NormalsForm, block_normals
from sgdsim.native.build import find_compiler
from sgdsim.native.inputs import NativeInputs
from sgdsim.native.normals import native_normals
from sgdsim.rules.forms import KernelChoice, check_native, refused

WIDEST_INPUTS = 128
"""Samples of a block, and units, up to which products go by plain loops over rows that stay in the cache."""


def choose_inputs(samples: int, units: int, choice: KernelChoice) -> InputsForm:
    """The form for the devices at hand; the C++ one for CPUs, where a compiler is found and the products are small.

    - `samples`: of a block. `units`: the larger of p and k.
    """
    small = max(samples, units) <= WIDEST_INPUTS
    if not on_cpu() or choice == "xla" or (choice == "auto" and not small):
        return xla_inputs
    return NativeInputs(required=choice == "fused")


def choose_normals(choice: KernelChoice) -> NormalsForm:
    """The form for the devices at hand, of blocks of normals: the C++ one for CPUs, where a compiler is found."""
    return native_normals if on_cpu() and choice != "xla" else block_normals


def normal_operations(choice: KernelChoice) -> float:
    """Elementwise operations that a normal of a block takes, for a plan: see `StepCost` (measured on a CPU)."""
    return 14.0 if choose_normals(choice) is native_normals and find_compiler() is not None else 35.0


def check_fused_inputs() -> None:
    """**Raises:** ArgumentError where the fused form cannot be had."""
    if not on_cpu():
        raise refused("for full weights on a GPU")
    check_native()
