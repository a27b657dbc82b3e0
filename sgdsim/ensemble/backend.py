"""What JAX runs on."""

import jax


def on_cpu() -> bool:
    """Whether programs are compiled for a CPU: the one place that is asked for it."""
    return jax.default_backend() == "cpu"
