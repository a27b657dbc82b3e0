"""What a device needs for the fused form."""

from types import SimpleNamespace

import pytest

from sgdsim.ensemble import mosaic_device
from sgdsim.ensemble.mosaic_device import why_not


def device(kind, **known):
    return SimpleNamespace(device_kind=kind, **known)


def test_a_gpu_of_compute_capability_9_can(monkeypatch):
    monkeypatch.setattr(mosaic_device, "MODULE", "json")
    for capability in ("9.0", "10.0", "12.1"):
        assert why_not(device("NVIDIA H200", compute_capability=capability)) is None


def test_an_older_one_cannot(monkeypatch):
    monkeypatch.setattr(mosaic_device, "MODULE", "json")
    why = why_not(device("NVIDIA A100", compute_capability="8.0"))
    assert why == "NVIDIA A100 has compute capability 8.0, and 9.0 is needed"


@pytest.mark.parametrize("known", [{}, {"compute_capability": "gfx942"}])
def test_nor_can_what_is_no_gpu_of_nvidia(known):
    assert why_not(device("MI300X", **known)) == "MI300X is no GPU of NVIDIA"


def test_nor_a_jax_without_this_part_of_pallas(monkeypatch):
    monkeypatch.setattr(mosaic_device, "MODULE", "jax.experimental.no_such_part")
    why = why_not(device("NVIDIA H200", compute_capability="9.0"))
    assert why == "Pallas' part for GPUs cannot be imported (No module named 'jax.experimental.no_such_part')"
