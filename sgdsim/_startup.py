"""Settings of JAX and Equinox that sgdsim needs, made without importing them (which takes two seconds)."""

import os
import sys
from pathlib import Path

from sgdsim.cgroups import usable_cores

LEAST_THREADS = 4
"""With fewer than three threads XLA (jaxlib 0.10.2) waits for ever, every one of them idle, in some programs of 2^15
lanes: `tests/committee/test_targets.py::test_one_step_has_the_mean_of_the_ode`. With three and four it never did."""


def _cache_folder() -> Path:
    """The user's cache folder for compiled programs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "sgdsim" / "compiled"


def _settings() -> dict[str, bool | int | float | str]:
    settings: dict[str, bool | int | float | str] = {
        # Theory, observation and statistics are float64; every hot loop states its own precision.
        "jax_enable_x64": True,
        "jax_compilation_cache_dir": str(_cache_folder()),
        "jax_persistent_cache_min_compile_time_secs": 0.2,
    }
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        # One fused loop runs on one core only: one CPU device per core lets the replicas use them all.
        settings["jax_num_cpu_devices"] = usable_cores()
    return settings


def configure() -> None:
    """Switches x64 on, uses every core, and keeps compiled programs between sessions.

    A variable of the environment (JAX_NUM_CPU_DEVICES, ...) has the last word, except on x64.
    """
    # Checks inside a program call the host, and such a program is compiled anew in every session: NaN instead, which
    # the solver of the ODEs turns into a message. Where Equinox is imported already it is slower, not wrong.
    os.environ.setdefault("EQX_ON_ERROR", "nan")
    # XLA starts a thread for every core of the machine, whatever part of it a container has. Their number changes no
    # bit of its products. BLAS is left as it is: its sums have other bits with one thread than with two.
    os.environ.setdefault("PJRT_NPROC", str(max(usable_cores(), LEAST_THREADS)))
    for name, value in _settings().items():
        variable = name.upper()
        if name == "jax_enable_x64":
            os.environ[variable] = "1"
        if "jax" in sys.modules:
            _update(name, value, overridden=variable in os.environ and name != "jax_enable_x64")
        else:
            os.environ.setdefault(variable, str(value))


def _update(name: str, value: bool | int | float | str, overridden: bool) -> None:
    """Sets what JAX reads at its import where the user has imported it first."""
    import jax

    if overridden:
        return
    try:
        jax.config.update(name, value)
    except RuntimeError:
        # The number of devices is fixed once JAX has started; one device is slower, not wrong.
        if name != "jax_num_cpu_devices":
            raise
