"""Signals that ask a sweep to stop."""

import contextlib
import os
import signal

import pytest

from sgdsim.engine.stop import Interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_raises(number):
    heard = []
    before = signal.getsignal(number)

    def signal_twice():
        with Interrupt(lambda: heard.append(True)) as interrupt:
            assert not interrupt.requested
            os.kill(os.getpid(), number)
            assert interrupt.requested
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        signal_twice()
    assert heard == [True]
    assert signal.getsignal(number) is before


def test_a_second_signal_that_was_lost_is_raised_again():
    with Interrupt(lambda: None) as interrupt:
        signal.raise_signal(signal.SIGINT)
        interrupt.check()
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
