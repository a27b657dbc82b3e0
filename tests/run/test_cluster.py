"""How the run on a cluster deals with what comes back, and with what does not. The cluster is played by coroutines."""

import asyncio
import importlib.util
import pickle
import time
from dataclasses import replace

import dask.config
import pytest
from distributed import CancelledError, KilledWorker

from sgdsim.errors import ExperimentError
from sgdsim.run.block_maker import Maker
from sgdsim.run.dask import cluster
from sgdsim.run.dask.cluster import DEATHS, DEPTH, ClusterRun
from sgdsim.run.dask.worker import Receipt, Ticket, Unfit, Unwritten, leave, make_block
from sgdsim.run.opened import open_run
from sgdsim.run.outcomes import Elsewhere, Failed, Made
from sgdsim.run.progress import Meter
from sgdsim.run.provenance import begin_session
from sgdsim.run.stop import Stop
from sgdsim.store.directory import Unwritable
from sgdsim.store.presence import Presence
from tests.toy import make_experiment


class Heard(Meter):
    """Remembers what it was told."""

    def __init__(self):
        self.total = self.done = 0
        self.said, self.labels = [], []

    def start(self, total, done):
        self.total, self.done = total, done

    def advance(self, steps):
        assert steps > 0
        self.done += steps

    def cell(self, label):
        self.labels.append(label)

    def message(self, text):
        self.said.append(text)


class Played:
    """A cluster of one worker with one thread, which answers as `answers` says; without more to say it makes blocks."""

    status = "running"

    def __init__(self, path, monkeypatch, **changes):
        self.sweep = open_run(make_experiment(**{"d": (20, 40), "replicas": 24, "block": 8} | changes), path)
        self.presence = Presence(self.sweep.directory.watch.folder)
        self.maker = Maker(self.sweep, self.presence, print)
        self.answers, self.asked, self.pending, self.most = {}, [], 0, 0
        self.meter = Heard()
        for name in ("connect", "ask", "part"):
            monkeypatch.setattr(cluster, name, getattr(self, name))
        monkeypatch.setattr(cluster, "WAIT_SECONDS", 0.01)
        monkeypatch.setattr(cluster, "LOOK_SECONDS", 0.01)

    async def connect(self, scheduler, stop):
        return self

    async def nthreads(self):
        return {"tcp://worker": 1}

    async def ask(self, client, key, priority, ticket, block):
        self.asked.append(block)
        self.pending += 1
        self.most = max(self.most, self.pending)
        try:
            return await self.answer(block)
        finally:
            self.pending -= 1

    async def answer(self, block):
        await asyncio.sleep(0.001)
        said = self.answers.get(block.name)
        answer = said.pop(0) if said else self.maker.make(block, lambda work: None)
        if isinstance(answer, Exception):
            raise answer
        return Receipt(answer)

    async def part(self, client, folder):
        pass

    def run(self, seconds=None):
        with Stop(limit=None if seconds is None else time.monotonic() + seconds) as stop, self.presence:
            run = ClusterRun(self.sweep, self.meter, stop, "tcp://scheduler:1")
            return run.run(self.sweep.blocks)


@pytest.fixture
def played(tmp_path, monkeypatch):
    return Played(tmp_path / "run", monkeypatch)


def test_largest_first_and_not_all_at_once(played):
    outcome = played.run()
    assert (outcome.made, outcome.stopped, outcome.failed) == (6, False, {})
    assert [block.cell for block in played.asked] == [1, 1, 1, 0, 0, 0]
    assert played.most == DEPTH
    assert not played.sweep.missing
    assert played.meter.done == played.meter.total
    assert played.meter.labels == ["1 worker"]


def test_what_is_in_other_hands_is_asked_for_again(played):
    first = played.sweep.blocks[0]
    played.answers[first.name] = [Elsewhere("other.1.1")] * 3
    assert not played.run().stopped
    assert played.asked.count(first) == 4
    assert [text for text in played.meter.said if "other.1.1" in text] == played.meter.said


def test_a_cell_that_fails_leaves_the_others(tmp_path, monkeypatch):
    played = Played(tmp_path / "run", monkeypatch, block=4)
    for block in played.sweep.layout[1].blocks:
        played.answers[block.name] = [Failed("cell 1: no")]
    outcome = played.run()
    assert outcome.failed == {1: "cell 1: no"}
    assert played.meter.said == ["cell 1: no"]
    assert {block.cell for block in played.sweep.missing} == {1}
    assert len([block for block in played.asked if block.cell == 1]) <= DEPTH < len(played.sweep.layout[1].blocks)
    assert played.meter.done == played.meter.total


@pytest.mark.parametrize("deaths", [DEATHS, DEATHS + 1])
def test_a_block_that_kills_its_workers(played, deaths):
    block = played.sweep.blocks[0]
    played.answers[block.name] = [KilledWorker("task", None, 3) for _ in range(deaths)]
    outcome = played.run()
    assert played.asked.count(block) == DEATHS + 1
    if deaths == DEATHS:
        assert not outcome.failed
        return
    assert f"{block.name} killed its worker {4 * deaths} times; it may need more memory" in outcome.failed[0]
    assert played.sweep.directory.failures.read() == outcome.failed


def test_what_the_scheduler_forgot_is_asked_for_again(played):
    block = played.sweep.blocks[0]
    played.answers[block.name] = [CancelledError("forgotten")]
    assert played.run().made == 6
    assert played.asked.count(block) == 2


def test_a_scheduler_that_is_gone_ends_the_run(played):
    for block in played.sweep.blocks:
        played.answers[block.name] = [CancelledError("lost")]
    played.status = "closed"
    outcome = played.run()
    assert (outcome.stopped, outcome.dropped) == (True, False)
    assert played.meter.said == ["Lost the scheduler tcp://scheduler:1. What the workers have stored is kept."]


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (Unwritten("the disk is full"), Unwritable, "the disk is full"),
        (Unfit("host does not see it"), ExperimentError, "^tcp://scheduler:1: host does not see it$"),
        (ModuleNotFoundError("No module\nnamed x"), ExperimentError, "1: ModuleNotFoundError: No module named x$"),
    ],
)
def test_what_a_person_must_mend_ends_the_run(played, answer, error, text):
    played.answers[played.sweep.blocks[-1].name] = [answer]
    with pytest.raises(error, match=text):
        played.run()


@pytest.mark.parametrize("begun", [False, True])
def test_at_the_time_limit_only_what_is_in_hand_is_waited_for(played, begun):
    claims, block = played.sweep.directory.claims, played.sweep.layout[1].blocks[0]
    played.answer = lambda block: asyncio.sleep(100)
    if begun:
        claims.take(block.name)
    outcome = played.run(seconds=0.3)
    assert outcome.stopped
    assert outcome.dropped == begun
    claims.release_all()


def test_no_block_is_given_that_would_not_be_done_in_time(played, monkeypatch):
    monkeypatch.setattr(cluster._Crowd, "look", lambda crowd, client, given: asyncio.sleep(0))
    monkeypatch.setattr(cluster._Crowd, "rate", 1.0, raising=False)
    monkeypatch.setattr(cluster._Crowd, "__init__", lambda crowd, *_: None)
    outcome = played.run(seconds=60.0)
    assert outcome.stopped
    assert not played.asked


def test_the_meter_follows_the_signs_of_life(played):
    """A worker is half through a block, dies, and another makes it: no work is counted twice."""
    seen = []

    async def answer(block):
        if not seen:
            work = played.sweep.work(block)
            played.presence.begin(block.name, work, "steps")
            played.presence.advance(work // 2)
            played.presence._give()
            await asyncio.sleep(0.3)
            seen.append((played.meter.done, work))
            played.presence.end()
            played.presence._give()
            await asyncio.sleep(0.3)
        return Receipt(played.maker.make(block, lambda work: None))

    played.sweep = replace(played.sweep, layout=played.sweep.layout[:1])
    played.answer = answer
    played.run()
    done, work = seen[0]
    assert done >= work // 2
    assert played.meter.done == played.meter.total


def test_no_scheduler_at_the_address(tmp_path):
    sweep = open_run(make_experiment(d=(20,), replicas=4), tmp_path)
    text = r"^tcp://127.0.0.1:1: no Dask scheduler answers there \(.*\)$"
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.3s"}),
        Stop() as stop,
        pytest.raises(ExperimentError, match=text),
    ):
        ClusterRun(sweep, Meter(), stop, "tcp://127.0.0.1:1").run(sweep.blocks)


def test_no_scheduler_file(tmp_path):
    sweep = open_run(make_experiment(d=(20,), replicas=4), tmp_path)
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.3s"}),
        Stop() as stop,
        pytest.raises(
            ExperimentError, match=r"none.json: no Dask scheduler answers there \(the file has not appeared within"
        ),
    ):
        ClusterRun(sweep, Meter(), stop, str(tmp_path / "none.json")).run(sweep.blocks)


def test_a_stop_ends_the_search_for_a_scheduler(tmp_path):
    sweep = open_run(make_experiment(d=(20,), replicas=4), tmp_path)
    with Stop(limit=time.monotonic() + 0.2) as stop:
        assert ClusterRun(sweep, Meter(), stop, str(tmp_path / "none.json")).run(sweep.blocks).stopped


def test_without_the_package(tmp_path, monkeypatch):
    sweep = open_run(make_experiment(d=(20,), replicas=4), tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExperimentError, match=r"pip install 'sgdsim\[cluster\]'"):
        ClusterRun(sweep, Meter(), Stop(), "tcp://127.0.0.1:1").run(sweep.blocks)


@pytest.fixture
def walks(monkeypatch):
    """Runs of the toy, which no file describes, can be joined too."""
    monkeypatch.setattr("sgdsim.run.opened.load_run", lambda directory: make_experiment(d=(20,), replicas=8, block=4))


def ticket_of(sweep):
    begin_session(sweep.directory, sweep.experiment, "sgdsim run")
    return Ticket.of(sweep.directory)


def test_a_worker_makes_a_block_once_and_leaves(tmp_path, walks):
    sweep = open_run(make_experiment(d=(20,), replicas=8, block=4), tmp_path)
    ticket, block = ticket_of(sweep), sweep.blocks[0]
    assert make_block(ticket, 0, block.tiles).outcome.seconds > 0
    assert make_block(pickle.loads(pickle.dumps(ticket)), 0, block.tiles) == Receipt(Made(0.0))
    assert len(sweep.directory.watch.signs()) == 1
    leave(ticket.folder)
    assert not sweep.directory.watch.signs()
    assert [block.name for block in sweep.missing] == [sweep.blocks[1].name]


def test_a_worker_that_cannot_store_says_so(tmp_path, walks, monkeypatch):
    sweep = open_run(make_experiment(d=(20,), replicas=8, block=4), tmp_path)
    ticket = ticket_of(sweep)

    def write_block(*_):
        raise Unwritable("the disk is full")

    monkeypatch.setattr("sgdsim.store.directory.RunDirectory.write_block", write_block)
    assert make_block(ticket, 0, sweep.blocks[0].tiles).outcome == Unwritten("the disk is full")
    leave(ticket.folder)


def test_a_worker_that_does_not_see_the_run_is_unfit(tmp_path):
    sweep = open_run(make_experiment(d=(20,), replicas=4), tmp_path / "run")
    ticket = ticket_of(sweep)
    for changes, text in (
        ({"folder": str(tmp_path / "elsewhere")}, "does not see the folder .*elsewhere: .* file system"),
        ({"run": "host.1.1"}, "does not see the folder"),
        ({"experiment": "other"}, "finds another experiment in"),
    ):
        with pytest.raises(Unfit, match=text):
            make_block(replace(ticket, **changes), 0, range(1))
    sweep.directory.experiment.write_text("title = ")
    with pytest.raises(Unfit):
        make_block(replace(ticket, experiment=Ticket.of(sweep.directory).experiment), 0, range(1))
