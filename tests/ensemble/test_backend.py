"""What an accelerator is not asked to do: theory is solved on the CPU beside it."""

import subprocess
import sys
from typing import ClassVar

import jax
import numpy as np
import pytest

from sgdsim.ensemble import backend, vectors
from sgdsim.ensemble.theory import predicted_spread, solve_theory
from sgdsim.recovery import Dmft
from tests.toy import DecayTheory, Origin, Walk


class WhereTheory(DecayTheory):
    """Notes on what it is solved."""

    seen: ClassVar[list[bool]] = []

    def bind(self, problem):
        self.seen.append(backend.on_cpu())
        return super().bind(problem)

    def spread(self, problem, start, times):
        self.seen.append(backend.on_cpu())
        return super().spread(problem, start, times)


class OnAccelerator(WhereTheory):
    on_accelerator: ClassVar[bool] = True


@pytest.fixture
def gpu(monkeypatch):
    """A process that believes to have a GPU."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")


def test_beside_a_gpu_programs_are_those_of_a_cpu(gpu):
    assert (backend.on_cpu(), backend.on_gpu(), backend.host_drives_loops()) == (False, True, True)
    with backend.beside():
        assert (backend.on_cpu(), backend.on_gpu(), backend.host_drives_loops()) == (True, False, False)
        assert jax.numpy.zeros(3).devices() == {jax.local_devices(backend="cpu")[0]}
    assert backend.on_gpu()


def test_on_a_cpu_nothing_changes():
    with backend.beside():
        assert jax.config.jax_default_device is None


def test_where_jax_leaves_the_cpu_alone_nothing_changes(gpu, monkeypatch):
    def none(backend):
        raise RuntimeError(f"Unknown backend {backend}")

    monkeypatch.setattr(jax, "local_devices", none)
    with backend.beside():
        assert backend.on_gpu()


def test_options_are_for_what_runs_on_the_cpu(gpu, monkeypatch):
    monkeypatch.setattr(vectors, "_wide", lambda: {"wide": 512})
    monkeypatch.setattr(vectors, "_known", lambda name, value: {name: value})
    assert not vectors.wide_vectors()
    assert vectors.compiler_options() is vectors.compiler_options(small_products=True) is None
    with backend.beside():
        assert vectors.wide_vectors()
        assert vectors.compiler_options() == {"wide": 512}
        assert vectors.compiler_options(small_products=True) == {"wide": 512, "xla_cpu_multi_thread_eigen": False}
        monkeypatch.setattr(vectors, "_known", lambda name, value: {} if "ynn" in name else {name: value})
        assert vectors.compiler_options(small_products=True) == {"wide": 512}


PRODUCT = """
import resource, jax, jax.numpy as jnp
from sgdsim.ensemble.vectors import compiler_options
resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))
left, right = jnp.zeros((16, 20, 16), jnp.float32), jnp.zeros((16, 16, 20), jnp.float32)
jax.jit(jnp.matmul, compiler_options=compiler_options(small_products=True)).lower(left, right).compile()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as on Linux")
def test_small_products_compile_in_little_memory():
    """In a form of XLA's own this shape takes all there is."""
    subprocess.run([sys.executable, "-c", PRODUCT], check=True, timeout=100)


@pytest.mark.parametrize(("theory", "on_cpu"), [(WhereTheory(), True), (OnAccelerator(), False)])
def test_a_theory_is_solved_where_it_is_fast(gpu, theory, on_cpu):
    theory.seen.clear()
    problem, start, times = Walk(d=10), Origin(), np.array([0.0, 0.3])
    solved = solve_theory(problem, start, times, theory)
    predicted_spread(problem, start, times, theory)
    assert theory.seen == [on_cpu, on_cpu]
    assert np.isfinite(solved["risk"]).all()


def test_the_mean_field_theory_of_signal_recovery_is_for_the_accelerator():
    assert Dmft.on_accelerator
