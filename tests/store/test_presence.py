"""Signs of life, what is read from them, claims and logs: who works in a folder."""

import json
import os
import threading
from pathlib import Path

import pytest

from sgdsim.run.provenance import read_sessions, write_provenance
from sgdsim.run.status import _logged
from sgdsim.store import presence
from sgdsim.store.claims import Claims
from sgdsim.store.directory import RunDirectory
from sgdsim.store.failures import Failures
from sgdsim.store.log import Log
from sgdsim.store.presence import SILENT_SECONDS, Presence, Sign, Watch, read_sign
from sgdsim.store.worker import HOST, PLACE, Worker, is_running, start_of, this_worker


class Clock:
    """A clock that the test turns."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def give_sign(folder, worker, **facts):
    (folder / f"{worker}.json").write_text(json.dumps(vars(Sign(worker, **facts))))


def test_the_sign_of_a_process_tells_what_it_has_in_hand(tmp_path):
    clock = Clock()
    with Presence(tmp_path, clock) as here:
        assert read_sign(tmp_path, this_worker().name) == Sign(this_worker().name, beat=1)
        here.begin("c0.npz", 100, "steps")
        clock.now += 5  # the theory, and compilation
        assert here.rate() is None
        here.resume()
        clock.now += 10
        here.advance(40)
        here._give()
        sign = read_sign(tmp_path, this_worker().name)
        assert sign == Sign(this_worker().name, 2, block="c0.npz", work=100, done=40, seconds=15.0, rate=4.0)
        here.advance(60)
        here.end()
        clock.now += 1000  # between blocks
        assert here.rate() == 10.0
        here.begin("c1.npz", 100, "steps")
        clock.now += 10
        here.advance(20)
        assert here.rate() == 6.0
    assert not list(tmp_path.iterdir())


def test_signs_are_given_again_and_again(tmp_path, monkeypatch):
    monkeypatch.setattr(presence, "BEAT_SECONDS", 0.01)
    seen = threading.Event()
    with Presence(tmp_path):
        while (sign := read_sign(tmp_path, this_worker().name)) is None or sign.beat < 4:
            assert not seen.wait(0.01)


def test_a_sign_that_cannot_be_written_or_read_stops_nothing(tmp_path):
    with Presence(tmp_path / "nowhere") as here:
        here.begin("c0.npz", 1, "steps")
    for text in ("", "{", "[]", '{"worker": "a", "unknown": 1}'):
        (tmp_path / "a.json").write_text(text)
        assert read_sign(tmp_path, "a") is None


def test_a_process_of_another_host_is_dead_after_a_minute_without_a_new_sign_whatever_the_clocks_say(tmp_path):
    clock = Clock()
    watch, name = Watch(tmp_path, clock), Worker("elsewhere", PLACE, 1, 2).name
    give_sign(tmp_path, name, beat=1)
    os.utime(tmp_path / f"{name}.json", (0, 0))  # decades ago, by the clock of the file server
    assert watch.lives(name)
    clock.now += SILENT_SECONDS - 1
    assert watch.lives(name)
    give_sign(tmp_path, name, beat=2)
    assert watch.lives(name)
    clock.now += SILENT_SECONDS - 1
    assert watch.lives(name)
    clock.now += 2
    assert not watch.lives(name)
    give_sign(tmp_path, name, beat=3)  # it had been suspended
    assert watch.lives(name)
    assert [sign.worker for sign in watch.signs()] == [name]


def test_a_process_of_this_host_is_looked_up(tmp_path):
    watch, init = Watch(tmp_path), Worker(HOST, PLACE, 1, start_of(1))
    assert watch.lives(init.name)
    assert watch.lives(this_worker().name)
    assert not watch.lives(Worker(HOST, PLACE, 1, init.started + 1).name)
    assert not watch.lives(Worker(HOST, PLACE, 2**22 + 1, 0).name)
    assert not watch.lives("no name")


def test_signs_of_the_dead_are_swept(tmp_path):
    dead, init = Worker(HOST, PLACE, 1, start_of(1) + 1).name, Worker(HOST, PLACE, 1, start_of(1)).name
    old, new = Worker("elsewhere", PLACE, 1, 2).name, Worker("elsewhere", PLACE, 3, 4).name
    for name in (dead, init, old, new):
        give_sign(tmp_path, name)
    os.utime(tmp_path / f"{old}.json", (0, 0))
    Watch(tmp_path).remove_dead()
    assert {path.stem for path in tmp_path.iterdir()} == {init, new}


def test_names_of_workers_come_back():
    for worker in (this_worker(), Worker("a-b", PLACE, 12, 34)):
        assert Worker.parse(worker.name) == worker
    assert this_worker().running
    assert is_running(os.getpid())
    for text in ("", "host", "host.1", f"host.{PLACE}.a.b", f"host.{PLACE}.-5.7", f"host.{PLACE}.{'9' * 5000}.7"):
        with pytest.raises(ValueError, match=r"must be HOST.PLACE.PID.STARTED"):
            Worker.parse(text)


@pytest.fixture
def claims(tmp_path):
    (tmp_path / "claims").mkdir()
    return Claims(tmp_path / "claims", Watch(tmp_path, Clock()), tmp_path / "aside")


def claim(claims, name, worker):
    (claims.folder / name).symlink_to(worker)


def test_a_claim_is_one_process_s_until_it_gives_it_up_or_dies(claims):
    init, dead = Worker(HOST, PLACE, 1, start_of(1)).name, Worker(HOST, PLACE, 1, start_of(1) + 1).name
    assert claims.take("a") is None
    assert claims.take("a") is None
    assert claims.held() == {"a": this_worker().name}
    claim(claims, "b", init)
    assert claims.take("b") == init
    claim(claims, "c", dead)
    assert claims.held() == {"a": this_worker().name, "b": init}
    assert claims.take("c") is None
    claims.release("a")
    assert claims.holder("a") is None
    claims.release_all()
    assert claims.held() == {"b": init}
    claim(claims, "d", dead)
    claims.remove_dead()
    assert [path.name for path in claims.folder.iterdir()] == ["b"]


def test_a_claim_that_another_has_just_taken_from_the_dead_is_given_back(claims):
    """Two find the same dead claim; the second to break it finds that of the first in its place."""
    init, dead = Worker(HOST, PLACE, 1, start_of(1)).name, Worker(HOST, PLACE, 1, start_of(1) + 1).name
    claim(claims, "a", init)
    claims._break(claims.folder / "a", dead)
    assert claims.held() == {"a": init}
    assert [path.name for path in claims.folder.iterdir()] == ["a"]


def test_the_remote_dead_lose_their_claims_in_time(claims):
    far = Worker("elsewhere", PLACE, 1, 2).name
    claim(claims, "a", far)
    assert claims.take("a") == far
    claims.watch.clock.now += SILENT_SECONDS + 1
    assert claims.take("a") is None


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nobody"), os.mkfifo])
def test_what_is_no_claim_is_in_nobody_s_way(claims, make):
    """It was waited for for ever: nobody had it, and it was there."""
    make(claims.folder / "a")
    make(claims.folder / "b")
    assert claims.held() == {}
    assert claims.take("a") is None
    claims.remove_dead()
    assert [path.name for path in claims.folder.iterdir()] == ["a"]
    assert claims.held() == {"a": this_worker().name}


def test_one_process_in_another_namespace_is_not_taken_for_dead(tmp_path):
    """Two containers may have one host name, and each its own process 7; neither can look the other's up."""
    clock = Clock()
    watch, there = Watch(tmp_path, clock), Worker(HOST, "0" * 8, 7, 8)
    give_sign(tmp_path, there.name, beat=1)
    assert not there.here
    assert watch.lives(there.name)
    watch.remove_dead()
    assert [sign.worker for sign in watch.signs()] == [there.name]
    clock.now += SILENT_SECONDS + 1
    assert not watch.lives(there.name)


@pytest.mark.parametrize("junk", ["", "{}", "[1]", '{"worker": 3}', '{"beat": "a", "worker": "NAME"}', "[" * 10_000])
def test_what_is_no_sign_of_life_disturbs_nobody(tmp_path, junk):
    name = Worker("elsewhere", PLACE, 3, 4).name
    (tmp_path / f"{name}.json").write_text(junk.replace("NAME", name))
    (tmp_path / "nobody.json").write_text(junk)
    (tmp_path / "folder.json").mkdir()
    watch = Watch(tmp_path)
    watch.remove_dead()
    assert watch.signs() == []


LINES = [
    '{"event": "begin"}',
    '{"event": "begin", "at": 7, "role": "run"}',
    '{"event": "block", "at": "now", "block": 3, "seconds": "long"}',
    '{"event": "end", "at": "now"}',
    '{"event": "begin", "at": "now", "role": ["run"]}',
    "[" * 10_000,
]


@pytest.mark.parametrize("line", LINES)
def test_no_line_of_a_log_stops_who_reads_it(tmp_path, line):
    run = RunDirectory(tmp_path)
    run.make()
    run.log.path_of("somebody").write_text(f"{line}\n")
    (run.log.folder / "folder.jsonl").mkdir()
    assert read_sessions(run) == []
    assert _logged(run.log.read()) == {}
    write_provenance(run)


def test_a_log_is_not_appended_to_through_a_planted_link(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("theirs")
    log = Log(tmp_path)
    log.path_of(this_worker().name).symlink_to(outside)
    log.try_to_write("end", {})
    with pytest.raises(OSError, match=r"."):
        log.write("end", {})
    assert outside.read_text() == "theirs"


@pytest.mark.parametrize("junk", ["", "[]", '{"cell": [1], "error": "a"}', '{"cell": 0, "error": {}}', "[" * 10_000])
def test_junk_among_the_failures_is_none(tmp_path, junk):
    failures = Failures(tmp_path)
    (tmp_path / "c00000.json").write_text(junk)
    (tmp_path / "c00001.json").mkdir()
    assert failures.read() == {}
    failures.record(1, "no memory")
    failures.forget(1)
    failures.record(0, "no memory")
    assert failures.read() == {0: "no memory"}


def test_torn_lines_of_a_log_spoil_no_others(tmp_path):
    log = Log(tmp_path)
    log.write("begin", {"seed": 3})
    with log.path_of(this_worker().name).open("a") as stream:
        stream.write('{"event": "block", "blo')  # the disk is full, or the process killed
    log.write("end", {"status": "finished"})
    (entries,) = log.read().values()
    assert [(entry["event"], entry.get("seed"), entry.get("status")) for entry in entries] == [
        ("begin", 3, None),
        ("end", None, "finished"),
    ]
    Log(tmp_path / "nowhere").try_to_write("end", {})
    with pytest.raises(FileNotFoundError):
        Log(tmp_path / "nowhere").write("end", {})
