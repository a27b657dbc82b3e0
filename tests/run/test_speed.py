"""Rate and time left of a run, by a clock that is played."""

import pytest
from rich.console import Console

from sgdsim.run import progress
from sgdsim.run.speed import LEAST_SECONDS, WINDOW_SECONDS, Speed


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def speed(clock):
    """Of a run whose first call is over: 1000 units to do."""
    speed = Speed(clock)
    speed.expect(1000.0)
    speed.advance(0)
    return speed


def work(speed, clock, seconds, steps):
    clock.now += seconds
    speed.advance(steps)


def test_rate_and_time_left(speed, clock):
    work(speed, clock, 2.0, 100)
    work(speed, clock, 2.0, 300)
    assert speed.rate == 100.0
    assert speed.seconds_left == 6.0


def test_the_clock_stands_while_a_cell_is_compiled(speed, clock):
    """400 s of theory and compilation between two blocks: the work is as fast as before, and so is what is left."""
    work(speed, clock, 4.0, 400)
    clock.now += 400.0
    speed.resume()
    work(speed, clock, 1.0, 100)
    assert speed.rate == 100.0
    assert speed.seconds_left == 5.0


def test_nothing_is_said_of_too_little(clock):
    """Of the first call, which may compile, nor of a moment."""
    speed = Speed(clock)
    speed.expect(1000.0)
    work(speed, clock, 50.0, 1)
    assert (speed.rate, speed.seconds_left) == (None, None)
    work(speed, clock, LEAST_SECONDS / 2, 100)
    assert (speed.rate, speed.seconds_left) == (None, None)
    work(speed, clock, LEAST_SECONDS / 2, 100)
    assert speed.rate == 200.0 / LEAST_SECONDS
    assert speed.seconds_left == pytest.approx(799 / 200 * LEAST_SECONDS)


def test_dear_steps_to_come_are_not_taken_for_cheap_ones(speed, clock):
    """600 of the cost are in 60 steps of ten times the cost: at 100 a second they take six seconds, not 0.6."""
    work(speed, clock, 4.0, 400)
    assert speed.seconds_left == 6.0
    speed.weigh(10.0)
    work(speed, clock, 2.0, 20)
    assert speed.rate == pytest.approx(420 / 6.0)
    assert speed.seconds_left == 4.0


def test_what_is_settled_without_work_makes_nothing_faster(speed, clock):
    work(speed, clock, 4.0, 400)
    speed.skip(500)
    assert (speed.rate, speed.seconds_left) == (100.0, 1.0)


def test_lost_work_is_to_be_done_again(speed, clock):
    work(speed, clock, 4.0, 400)
    speed.advance(-400)
    assert speed.seconds_left is None
    work(speed, clock, 4.0, 400)
    assert speed.seconds_left == 12.0


def test_the_speed_follows_a_machine_that_becomes_slower(speed, clock):
    for _ in range(10):
        work(speed, clock, WINDOW_SECONDS / 10, 60)
    for _ in range(10):
        work(speed, clock, WINDOW_SECONDS / 10, 6)
    assert speed.rate == pytest.approx(60 / WINDOW_SECONDS)
    assert speed.seconds_left == pytest.approx((1000 - 660) / 60 * WINDOW_SECONDS)


def lines(monkeypatch, told):
    """What a log says of calls (seconds, method, argument)."""
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock)
    console = Console(record=True, width=200)
    with console.capture() as captured:
        meter = progress.Lines(console)
        for seconds, method, argument in told:
            clock.now += seconds
            getattr(meter, method)(*argument)
    return captured.get().splitlines()


def test_the_log_speaks_now_and_then(monkeypatch):
    told = [(0.0, "start", (1000, 400)), (0.0, "cell", ("cell 1/3 d=20",)), (0.0, "resume", ())]
    told += [
        (seconds, "advance", (steps,)) for seconds, steps in ((0.5, 10), (4.0, 100), (1.0, 50), (1.0, 50), (4, 90))
    ]
    assert lines(monkeypatch, told) == [
        "cell 1/3 d=20: 56% of the sweep, 3.00e+01 steps/s, 15 s left",
        "cell 1/3 d=20: 70% of the sweep, 2.90e+01 steps/s, 10 s left",
    ]


def test_a_cell_that_is_compiled_after_a_line_leaves_no_absurd_time(monkeypatch):
    """A line, a little work, then 60 s of compilation and one short call: 1e-4 of a block in a minute, by the clock."""
    total = 10**10
    told = [(0.0, "start", (total, 0)), (0.0, "cell", ("a",)), (3.0, "resume", ()), (0.01, "advance", (10**5,))]
    told += [(6.0, "advance", (6 * 10**8,)), (0.1, "advance", (10**7,)), (0.0, "cell", ("b",)), (60.0, "resume", ())]
    told += [(0.001, "advance", (10**5,))]
    (first, second) = lines(monkeypatch, told)
    assert first == "a: 6% of the sweep, 1.00e+08 steps/s, 1 min 34 s left"
    assert second == "b: 6% of the sweep, 1.00e+08 steps/s, 1 min 34 s left"


def test_the_bar_shows_the_same(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock)
    console = Console(force_terminal=True, width=120, record=True)
    bar = progress.Bar(console)
    bar.start(1000, 0)
    bar.expect(2000.0, 400.0)
    bar.weigh(2.0)
    bar.cell("cell 1/1")
    for seconds, steps in ((9.0, 0), (4.0, 400)):
        clock.now += seconds
        bar.advance(steps)
    console.print(bar._progress.get_renderable())
    text = console.export_text()
    assert "cell 1/1" in text
    assert "60%" in text
    assert "1.00e+02 steps/s 4 s left" in " ".join(text.split())
