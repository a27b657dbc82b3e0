"""The bar of simulate: there before anything is compiled, where a person looks, and with the right count at the end."""

import io
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import sgdsim
from sgdsim.api.bar import SimulationBar
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.notices import in_notebook, watched
from tests.toy import Origin, Walk

PROBLEM = Walk(d=20)
TIMES = np.array([0.5, 1.0])


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Puts a terminal in the place of the standard error: in the test, as pytest puts its own there before."""

    def put():
        stderr = Terminal()
        monkeypatch.setattr(sys, "stderr", stderr)
        return stderr

    return put


def simulate(**options):
    return sgdsim.simulate(PROBLEM, Origin(), TIMES, replicas=8, **options)


def test_it_says_that_it_compiles_before_anything_is(terminal, monkeypatch):
    before, stderr = [], terminal()

    def run(self, tiles=None, progress=None):
        before.append(stderr.getvalue())
        return original(self, tiles, progress)

    original = Ensemble.run
    monkeypatch.setattr(Ensemble, "run", run)
    simulate()
    (told,) = before
    assert "theory, compiling:   0%" in told
    assert "simulating" not in told
    last = stderr.getvalue().rstrip().split("\r")[-1]
    assert re.match(r"simulating: 100%\|.*\| 160/160 \[00:\d\d<00:00, .*steps/s\]", last)


def test_nobody_looks_at_a_pipe(capsys):
    assert not watched()
    simulate()
    assert capsys.readouterr().err == ""
    simulate(progress=True)
    assert "160/160" in capsys.readouterr().err


def test_it_can_be_left_out(terminal):
    told, stderr = [], terminal()
    simulate(progress=False)
    simulate(progress=told.append)
    assert stderr.getvalue() == ""
    assert sum(told) == 8 * 20


def test_compilation_is_no_part_of_the_rate(terminal, monkeypatch):
    """A minute of compilation, then 100 steps in 10 s, of 200."""
    terminal()
    now = [0.0]
    with SimulationBar(200) as bar:
        monkeypatch.setattr(bar._bar, "_time", lambda: now[0])
        bar._bar.start_t = bar._bar.last_print_t = 0.0
        now[0] = 60.0
        bar(0)
        now[0] = 70.0
        bar(100)
        assert bar._bar.format_dict["elapsed"] == 10.0
        assert "100/200 [00:10<00:10, 10.0steps/s]" in str(bar._bar)


def test_a_notebook_is_looked_at(monkeypatch):
    for config, looked in (({"IPKernelApp": {}}, True), ({}, False)):
        shell = SimpleNamespace(get_ipython=lambda config=config: SimpleNamespace(config=config))
        monkeypatch.setitem(sys.modules, "IPython", shell)
        assert in_notebook() is looked
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert not in_notebook()
