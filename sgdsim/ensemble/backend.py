"""What JAX runs on."""

from contextlib import AbstractContextManager, nullcontext

import jax


def platform() -> str:
    """The kind of device that programs are compiled for: "cpu", "gpu" or "tpu"."""
    device = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]  (JAX adds it when it runs)
    return jax.default_backend() if device is None else getattr(device, "platform", device)


def on_cpu() -> bool:
    """Whether programs are compiled for a CPU: this module is the one place that is asked for such things."""
    return platform() == "cpu"


def host_drives_loops() -> bool:
    """Whether the host launches every iteration of a compiled loop, as it does for a GPU; others run it themselves."""
    return platform() not in ("cpu", "tpu")


def on_gpu() -> bool:
    """Whether programs are compiled for a GPU."""
    return platform() == "gpu"


def beside() -> AbstractContextManager[object]:
    """What is computed in this context runs on the CPU also where there is an accelerator.

    It is for what is small and goes step by step, as solving an ordinary differential equation does: on a GPU every
    operation is a launch, and takes longer than the arithmetic. Where JAX was told to leave the CPU alone, nothing
    changes.
    """
    if on_cpu():
        return nullcontext()
    try:
        return jax.default_device(jax.local_devices(backend="cpu")[0])
    except RuntimeError:  # no backend of this name
        return nullcontext()
