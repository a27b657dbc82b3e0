"""What JAX runs on."""

import jax


def on_cpu() -> bool:
    """Whether programs are compiled for a CPU: this module is the one place that is asked for such things."""
    return jax.default_backend() == "cpu"


def host_drives_loops() -> bool:
    """Whether the host launches every iteration of a compiled loop, as it does for a GPU; others run it themselves."""
    return jax.default_backend() not in ("cpu", "tpu")


def on_gpu() -> bool:
    """Whether programs are compiled for a GPU."""
    return jax.default_backend() == "gpu"
