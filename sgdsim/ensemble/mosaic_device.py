"""Whether a device can run the fused form of Pallas Mosaic GPU, asked without importing it where it cannot."""

import importlib
import re
from typing import Any

CAPABILITY = (9, 0)
"""Compute capability from which Mosaic GPU compiles: Hopper and later."""
MODULE = "jax.experimental.pallas.mosaic_gpu"


def why_not(device: Any) -> str | None:
    """What keeps a device of `jax.devices()` from running the form, in one clause; None where nothing does.

    It needs an NVIDIA GPU of compute capability 9.0 at least, and JAX's own Pallas for it, with what that imports.
    """
    capability = getattr(device, "compute_capability", None)
    numbers = re.fullmatch(r"(\d+)\.(\d+)", str(capability))
    if not numbers:
        return f"{device.device_kind} is no GPU of NVIDIA"
    if tuple(map(int, numbers.groups())) < CAPABILITY:
        least = ".".join(map(str, CAPABILITY))
        return f"{device.device_kind} has compute capability {capability}, and {least} is needed"
    try:
        importlib.import_module(MODULE)
    except (ImportError, AttributeError) as error:  # a JAX without this part, or of a version that has it otherwise
        return f"Pallas' part for GPUs cannot be imported ({error})"
    return None
