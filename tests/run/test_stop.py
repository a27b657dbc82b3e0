"""Signals and a time limit that end a run in good order."""

import contextlib
import os
import signal
import threading
import time

import pytest

from sgdsim.run import stop as module
from sgdsim.run.stop import GRACE_SECONDS, Dropped, Exit, Stop

SIGNALS = tuple(GRACE_SECONDS)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_and_the_second_raises(number):
    heard = []
    before = signal.getsignal(number)

    def signal_twice():
        with Stop(lambda: heard.append(True)) as stop:
            assert stop.allows(None)
            os.kill(os.getpid(), number)
            assert stop.requested
            assert not stop.allows(None)
            stop.check()
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        signal_twice()
    assert heard == [True]
    assert signal.getsignal(number) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_second_signal_that_was_lost_is_raised_again():
    with Stop() as stop:
        signal.raise_signal(signal.SIGINT)
        stop.check()
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            stop.check()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75), (signal.SIGUSR1, 75), (None, 75)]
)
def test_the_exit_code_tells_ctrl_c_from_what_is_to_be_taken_up_again(number, code):
    with Stop(limit=None if number else time.monotonic()) as stop:
        if number:
            signal.raise_signal(number)
        assert stop.requested
        assert stop.code == code


@pytest.mark.parametrize(("number", "waits"), [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGUSR1, False)])
def test_the_block_in_hand_is_dropped_when_the_grace_is_over(number, waits, monkeypatch):
    monkeypatch.setattr(module, "GRACE_SECONDS", {key: min(value, 0.05) for key, value in GRACE_SECONDS.items()})
    if waits:
        monkeypatch.setitem(module.GRACE_SECONDS, number, GRACE_SECONDS[number])
    with Stop() as stop:
        signal.raise_signal(number)
        stop.check()
        time.sleep(0.06)
        with contextlib.nullcontext() if waits else pytest.raises(Dropped):
            stop.check()


def test_a_request_to_terminate_after_a_warning_shortens_the_grace(monkeypatch):
    monkeypatch.setattr(module, "GRACE_SECONDS", GRACE_SECONDS | {signal.SIGTERM: 0.05})
    with Stop() as stop:
        signal.raise_signal(signal.SIGUSR1)
        time.sleep(0.06)
        stop.check()
        signal.raise_signal(signal.SIGTERM)
        stop.check()
        time.sleep(0.06)
        with pytest.raises(Dropped):
            stop.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_grace_is_shorter_than_what_batch_systems_wait():
    """Slurm (KillWait) and Kubernetes send SIGKILL 30 s after SIGTERM."""
    assert GRACE_SECONDS[signal.SIGTERM] + module.MARGIN_SECONDS < 30


def test_the_time_limit_counts_what_a_block_will_take():
    with Stop(limit=time.monotonic() + 100) as stop:
        assert stop.allows(None)
        assert stop.allows(99.0)
        assert not stop.allows(101.0)
        assert not stop.requested
    with Stop(limit=time.monotonic() + 0.03) as stop:
        stop.check()
        stop.wait(10.0)
        assert stop.requested
        with pytest.raises(Dropped):
            stop.check()


def test_waiting_ends_with_a_signal():
    with Stop() as stop:
        threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        began = time.monotonic()
        stop.wait(30.0)
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("by", ["signal", "limit"])
def test_a_main_thread_that_stands_still_is_left_behind(by, monkeypatch):
    """In compiled code no handler runs; the thread that guards learns of the signal all the same."""
    monkeypatch.setattr(module, "MARGIN_SECONDS", 0.05)
    monkeypatch.setattr(module, "GRACE_SECONDS", dict.fromkeys(SIGNALS, 0.05))
    left = threading.Event()
    codes = []

    def leave(code):
        codes.append(code)
        left.set()

    with Stop(leave=leave, limit=time.monotonic() + 0.05 if by == "limit" else None) as stop:
        monkeypatch.setattr(stop, "_handle", None)
        if by == "signal":
            signal.signal(signal.SIGTERM, lambda number, frame: None)
            os.kill(os.getpid(), signal.SIGTERM)
        assert left.wait(10)
    assert codes == [Exit.RESUMABLE]


def test_outside_the_main_thread_signals_stay_as_they_are():
    before = [signal.getsignal(number) for number in SIGNALS]
    seen = []

    def look():
        with Stop(limit=time.monotonic()) as stop:
            seen.append((stop.requested, [signal.getsignal(number) for number in SIGNALS]))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [(True, before)]
