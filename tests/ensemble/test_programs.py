"""A process that compiles without end: old programs make room for new ones, and no number changes."""

from pathlib import Path

import jax
import numpy as np
import pytest

import sgdsim
from sgdsim.ensemble import programs
from sgdsim.ensemble.batch import Bundle
from sgdsim.ensemble.programs import make_room
from sgdsim.ensemble.replicas import Ensemble
from tests.toy import DecayTheory, Origin, Walk, Walker


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Sets what the system tells: maps that the process has, and how many it may have."""
    maps, granted = tmp_path / "maps", tmp_path / "max_map_count"
    monkeypatch.setattr(programs, "_MAPS", maps)
    monkeypatch.setattr(programs, "_GRANTED", granted)

    def tell(taken, most):
        maps.write_text("7f00-7f01 r-xp\n" * taken)
        granted.write_text(f"{most}\n")

    return tell


@pytest.fixture
def compiled():
    """A function with one compiled program."""
    function = jax.jit(lambda x: x + 1)
    function(1.0)
    assert function._cache_size() == 1
    return function


def test_beyond_half_of_what_is_granted_programs_are_forgotten(machine, compiled):
    machine(51, 100)
    assert make_room()
    assert compiled._cache_size() == 0
    assert compiled(1.0) == 2.0


def test_up_to_half_they_stay(machine, compiled):
    machine(50, 100)
    assert not make_room()
    assert compiled._cache_size() == 1


@pytest.mark.parametrize("granted", ["", "many"])
def test_they_stay_where_the_system_does_not_tell(machine, compiled, granted):
    assert not make_room()  # there are no such files
    machine(51, 100)
    programs._GRANTED.write_text(granted)
    assert not make_room()
    assert compiled._cache_size() == 1


def test_forgetting_before_every_task_changes_no_bit(machine, monkeypatch):
    forgotten = []
    monkeypatch.setattr(jax, "clear_caches", lambda clear=jax.clear_caches: (forgotten.append(None), clear()))

    def both():
        problem, parts = Walk(d=20, noise=0.5), {"simulator": Walker(), "theory": DecayTheory()}
        return sgdsim.simulate(problem, Origin(), [0.05, 0.3], replicas=5, **parts), sgdsim.solve(
            problem, Origin(), [0.05, 0.3], theory=DecayTheory()
        )

    kept = both()
    assert not forgotten
    machine(51, 100)
    for found, before in zip(both(), kept, strict=True):
        found.attrs.pop("wall_seconds", None)
        before.attrs.pop("wall_seconds", None)
        assert found.identical(before)
    assert len(forgotten) >= 3  # to simulate, for its theory, and to solve


def test_a_bundle_makes_room_before_it_is_compiled(machine, compiled):
    ensemble = Ensemble(Walk(d=20, noise=0.5), Origin(), Walker(), None, np.array([0.05, 0.3]), 5, 3)
    machine(51, 100)
    Bundle([(ensemble, range(1))]).compile()
    assert compiled._cache_size() == 0


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux tells the maps of a process")
def test_what_is_forgotten_gives_its_maps_back():
    def maps():
        return len(Path("/proc/self/maps").read_text().splitlines())

    jax.clear_caches()
    before = maps()
    functions = [jax.jit(lambda x, n=n: np.float64(n) * x.sort().cumsum()) for n in range(10)]
    for function in functions:
        function(np.ones(7)).block_until_ready()
    grown = maps()
    jax.clear_caches()
    assert maps() - before < (grown - before) / 2
