"""Memory of an accelerator in other hands: waited for, then told with what to do. The accelerators are played."""

import jax
import pytest

from sgdsim.ensemble import devices
from sgdsim.ensemble.batch import Batch
from sgdsim.errors import ExperimentError
from sgdsim.run import block_maker, memory, outcomes
from sgdsim.run.memory import PAUSES, NoMemory, Patience, lacks_memory, wait_for_devices
from sgdsim.run.opened import open_run
from sgdsim.run.stop import Exit, Stop
from sgdsim.store.presence import Presence
from tests.helpers import make_blocks
from tests.toy import make_experiment

# As JAX 0.11 says them: a pool that is full, a library without room for its workspace, a backend that cannot start.
FULL = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 3072 bytes.\n  1. Module")
NO_HANDLE = jax.errors.JaxRuntimeError("INTERNAL: Failed to create cuBLAS handle: CUBLAS_STATUS_ALLOC_FAILED")
NO_START = RuntimeError(
    "Unable to initialize backend 'cuda': INTERNAL: CUDA error: : CUDA_ERROR_OUT_OF_MEMORY: out of memory"
    " (you may need to uninstall the failing plugin package, or set JAX_PLATFORMS=cpu to skip this backend.)"
)


class Others:
    """Other processes, which hold all memory until they were waited for so many times."""

    def __init__(self, monkeypatch, waits, error=FULL):
        self.waits, self.error, self.slept, self.said = waits, error, [], []
        monkeypatch.setattr(block_maker, "on_accelerator", lambda: True)
        monkeypatch.setattr(block_maker, "device_words", lambda: "gpu:0 (played)")
        run = Batch.run

        def crowded(batch, progress):
            if len(self.slept) < self.waits:
                progress(3)
                raise self.error
            return run(batch, progress)

        monkeypatch.setattr(Batch, "run", crowded)

    def make(self, sweep):
        with Presence(sweep.directory.watch.folder) as presence:
            one = block_maker.Maker(sweep, presence, self.said.append, sleep=self.slept.append)
            return [one.make(block, lambda work: None) for block in sweep.blocks]


def digests(sweep):
    return [sweep.directory.read_block(block, 4)[1].digest for block in sweep.blocks]


@pytest.mark.parametrize("error", [FULL, NO_HANDLE])
def test_a_block_waits_for_memory_that_others_hold_and_its_numbers_are_the_same(tmp_path, monkeypatch, error):
    experiment = make_experiment(d=(20,), replicas=8, batch=4, block=4)
    whole = make_blocks(experiment, tmp_path / "whole")
    others, sweep = Others(monkeypatch, waits=3, error=error), open_run(experiment, tmp_path / "crowded")
    assert all(isinstance(made, outcomes.Made) for made in others.make(sweep))
    assert others.slept == list(PAUSES[:3])
    (line,) = others.said
    assert line.startswith("Waiting for memory on gpu:0 (played): another process may hold it")
    assert "XLA_PYTHON_CLIENT_MEM_FRACTION" in line
    assert digests(sweep) == digests(whole)
    assert not sweep.directory.failures.read()


def test_a_batch_is_halved_before_anything_is_waited_for(tmp_path, monkeypatch):
    others = Others(monkeypatch, waits=1)
    others.make(open_run(make_experiment(d=(20,), replicas=16, block=16), tmp_path))
    assert [line.partition(": ")[2][:13] for line in others.said] == ["out of memory"] * 2 + ["another proce"]
    assert others.slept == [PAUSES[0]]


def test_where_memory_never_comes_no_cell_fails_but_the_run_ends_with_the_remedy(tmp_path, monkeypatch):
    from sgdsim.run import conductor, local
    from sgdsim.run.options import Options

    others = Others(monkeypatch, waits=10**6)
    monkeypatch.setattr(local.LocalRun, "_pause", lambda self, seconds: others.slept.append(seconds))
    sweep, said = open_run(make_experiment(d=(20, 40), batch=4), tmp_path), []
    assert conductor.Conductor(sweep, Options("sgdsim run walk", quiet=True), said.append).run() == Exit.FAILED
    assert others.slept == list(PAUSES)
    first, last = said
    assert first.startswith("gpu:0 (played) has had no memory to spare for 9 minutes (RESOURCE_EXHAUSTED: Out of")
    assert "CUDA_VISIBLE_DEVICES" in first
    assert "Module" not in first
    assert last == "Stopped with 0 of 6 blocks on disk. To go on: sgdsim run walk"
    assert not sweep.directory.failures.read()
    assert not sweep.directory.claims.held()


def test_waiting_ends_with_the_run(tmp_path, monkeypatch):
    from sgdsim.run.local import LocalRun
    from sgdsim.run.progress import Meter

    others = Others(monkeypatch, waits=10**6)
    sweep = open_run(make_experiment(d=(20,), batch=4), tmp_path)
    with Stop(limit=memory.time.monotonic() + 0.5) as stop, Presence(sweep.directory.watch.folder) as presence:
        outcome = LocalRun(sweep, Meter(), stop, presence).run(sweep.blocks)
    assert (outcome.stopped, outcome.dropped, outcome.failed) == (True, True, {})
    assert not others.slept


def test_on_a_cpu_nothing_is_waited_for(tmp_path, monkeypatch):
    others = Others(monkeypatch, waits=1)
    monkeypatch.setattr(block_maker, "on_accelerator", lambda: False)
    made = others.make(open_run(make_experiment(d=(20,), replicas=4), tmp_path))
    assert isinstance(made[0], block_maker.Failed)
    assert not others.slept


def test_patience_begins_anew_after_success():
    slept, said = [], []
    patience = Patience(said.append, slept.append)
    for _ in PAUSES:
        patience.again("gpu:0", "full")
    patience.relax()
    patience.again("gpu:0", "full")
    assert slept == [*PAUSES, PAUSES[0]]
    assert len(said) == 2
    for _ in PAUSES[1:]:
        patience.again("gpu:0", "full")
    with pytest.raises(NoMemory, match="no memory to spare for 9 minutes"):
        patience.again("gpu:0", "full")


class Starting:
    """JAX on a GPU that is full for so many tries: it then keeps the CPU alone, until it is told to forget it."""

    def __init__(self, monkeypatch, tries, error=NO_START):
        self.tries, self.error, self.cpu_alone = tries, error, False
        self.found = jax.local_devices()
        monkeypatch.setattr(memory.jax, "local_devices", self.devices)
        monkeypatch.setattr(memory, "clear_backends", self.clear)

    def devices(self):
        assert not self.cpu_alone, "JAX would go on without the accelerator"
        if self.tries:
            self.tries, self.cpu_alone = self.tries - 1, True
            raise self.error
        return self.found

    def clear(self):
        self.cpu_alone = False


def test_jax_is_started_once_there_is_memory(monkeypatch):
    Starting(monkeypatch, tries=2)
    said, slept = [], []
    wait_for_devices(said.append, slept.append)
    assert slept == list(PAUSES[:2])
    (line,) = said
    assert line.startswith("Waiting for memory on the accelerator")


def test_jax_that_cannot_start_is_told_in_a_line(monkeypatch):
    Starting(monkeypatch, tries=10**6)
    with pytest.raises(ExperimentError, match=r"no memory to spare for 9 minutes .*MEM_FRACTION") as caught:
        wait_for_devices(lambda line: None, lambda seconds: None)
    assert len(caught.value.problems) == 1


def test_another_failure_to_start_is_not_waited_for(monkeypatch):
    Starting(monkeypatch, tries=1, error=RuntimeError("Unable to initialize backend 'cuda': no driver"))
    with pytest.raises(RuntimeError, match="no driver"):
        wait_for_devices(lambda line: None, lambda seconds: pytest.fail("waited"))


@pytest.mark.parametrize("error", [FULL, NO_HANDLE, NO_START, MemoryError()])
def test_lack_of_memory_is_known_by_its_words(error):
    assert lacks_memory(error)


def test_memory_of_an_accelerator_is_what_is_free_of_it(monkeypatch):
    class Card:
        platform = "gpu"

        def memory_stats(self):
            return {"bytes_limit": 60 * 2**30, "bytes_in_use": 50 * 2**30}

    monkeypatch.setattr(devices.jax, "local_devices", lambda: [Card()])
    assert devices.device_memory() == 10 * 2**30
