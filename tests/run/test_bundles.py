"""Bundles: which blocks are made at once, and that each of them is a block like any other."""

import time
from dataclasses import replace

import jax
import numpy as np
import pytest

from sgdsim.cost import OPERATION
from sgdsim.ensemble.batch import Batch
from sgdsim.errors import ArgumentError
from sgdsim.run import bundles
from sgdsim.run.block_maker import Maker
from sgdsim.run.bundles import Bundler
from sgdsim.run.local import LocalRun, label
from sgdsim.run.opened import open_run
from sgdsim.run.outcomes import Elsewhere, Failed, Made
from sgdsim.run.progress import Meter
from sgdsim.run.stop import Stop
from sgdsim.store.presence import Presence
from sgdsim.store.worker import HOST, PLACE, Worker, start_of
from tests.helpers import make_blocks, make_some
from tests.run.test_block_maker import digests
from tests.toy import DecayTheory, Origin, Walk, make_experiment


@pytest.fixture
def two_cores(monkeypatch):
    """Bundles of eight tiles at most."""
    monkeypatch.setattr(jax, "local_device_count", lambda: 2)


def names(blocks):
    return [(block.cell, block.tiles.start) for block in blocks]


def bundled(sweep):
    """All bundles of a sweep, in order."""
    bundler, left, found = Bundler(sweep), sweep.blocks, []
    while bundle := bundler.first(left):
        found.append(names(bundle))
        left = [block for block in left if block not in bundle]
    return found


def mixed(experiment, p):
    """The same cells, but that some have walks of so many components: another program."""
    cells = [
        replace(cell, problem=Walk(d=cell.problem.d, p=p)) if cell.index % 2 else cell for cell in experiment.cells
    ]
    return replace(experiment, cells=tuple(cells))


def test_a_bundle_is_of_as_many_blocks_as_fill_the_cores_in_order(two_cores, tmp_path):
    sweep = open_run(make_experiment(d=(20, 40), replicas=40, block=12), tmp_path)  # blocks of 3, 3, 3 and 1 tiles
    assert bundled(sweep) == [[(0, 0), (0, 3), (0, 9), (1, 9)], [(0, 6), (1, 0)], [(1, 3), (1, 6)]]


def test_cells_of_another_form_are_left_for_another_bundle(two_cores, tmp_path):
    sweep = open_run(mixed(make_experiment(d=(20, 40, 80, 160), replicas=8, block=8), p=3), tmp_path)
    assert bundled(sweep) == [[(0, 0), (2, 0)], [(1, 0), (3, 0)]]


def test_a_cell_whose_start_cannot_be_drawn_is_alone_and_fails_alone(two_cores, tmp_path, monkeypatch):
    draw = Origin.draw

    def broken(self, problem, rng, size):
        return draw(self, problem, rng, size if problem.d != 40 else -1)

    monkeypatch.setattr(Origin, "draw", broken)
    sweep = open_run(make_experiment(d=(20, 40, 80), replicas=8, block=8), tmp_path)
    assert bundled(sweep) == [[(0, 0), (2, 0)], [(1, 0)]]
    outcome = make_some(sweep)
    assert list(outcome.failed) == [1]
    assert outcome.made == 2


def test_a_bundle_is_not_much_work_and_no_short_block_waits_for_a_long_one(two_cores, tmp_path, monkeypatch):
    """A tile takes 40 * 8 * d operations; a bundle may have 2 * 10 000, or a tile a core, if alike."""
    monkeypatch.setattr(bundles, "BLOCK_SECONDS", 10_000 * OPERATION)
    sweep = open_run(make_experiment(d=(10, 20, 100, 150), replicas=8, block=4), tmp_path / "two")
    pairs = [[(cell, 0), (cell, 1)] for cell in range(4)]
    assert bundled(sweep) == [pairs[0] + pairs[1], pairs[2], pairs[3]]
    sweep = open_run(make_experiment(d=(10, 100, 150, 1000), replicas=4, block=4), tmp_path / "one")
    assert bundled(sweep) == [[(0, 0)], [(1, 0), (2, 0)], [(3, 0)]]


def test_an_accelerator_takes_all_that_fits(two_cores, tmp_path, monkeypatch):
    monkeypatch.setattr(bundles, "BLOCK_SECONDS", 10_000 * OPERATION)
    sweep = open_run(make_experiment(d=(10, 1000), replicas=80, block=4), tmp_path)
    assert [getattr(ensemble, "room", None) for ensemble in sweep.ensembles] == [32, 32]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert [len(bundle) for bundle in bundled(sweep)] == [32, 8]


def test_theory_alone_is_made_cell_by_cell(two_cores, tmp_path):
    experiment = make_experiment(d=(20, 40), replicas=8)
    alone = replace(experiment, cells=tuple(replace(cell, simulator=None) for cell in experiment.cells))
    assert bundled(open_run(alone, tmp_path)) == [[(0, 0)], [(1, 0)]]


def test_bundles_change_no_bit_of_any_block(tmp_path, monkeypatch):
    experiment = mixed(make_experiment(d=(20, 40, 80, 160), replicas=22, block=8), p=3)
    together = make_blocks(experiment, tmp_path / "together")
    monkeypatch.setattr(bundles, "TILES_PER_CORE", 0)
    assert digests(make_blocks(experiment, tmp_path / "alone")) == digests(together)


def test_a_theory_that_cannot_be_solved_fails_its_cell_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(DecayTheory, "check", _refuses)
    sweep = open_run(make_experiment(d=(20, 40, 80)), tmp_path)
    tried = count_batches(monkeypatch)
    monkeypatch.setattr("sgdsim.ensemble.replicas.solve_theory", _unsolved)
    outcome = make_some(sweep)
    assert list(outcome.failed) == [1]
    assert outcome.failed[1] == "walk: cell 1 (d=40, noise=1): Argument `times` must end earlier, but got 40."
    assert outcome.made == 6
    assert all(40 not in batch for batch in tried)
    assert sweep.directory.failures.read() == outcome.failed


def _refuses(self, problem):
    """A theory takes any problem when it is checked."""


def _unsolved(problem, start, times, theory):
    if problem.d == 40:
        raise ArgumentError("times", "end earlier", 40)
    return {name: np.zeros((len(times), *shape)) for name, shape in (("x", (2,)), ("risk", ()))}


def count_batches(monkeypatch):
    """The values of d in every batch that is run."""
    tried, run = [], Batch.run

    def counted(self, progress):
        tried.append({round(1 / float(piece.kernel.dt)) for piece in self.pieces})
        return run(self, progress)

    monkeypatch.setattr(Batch, "run", counted)
    return tried


def test_a_block_in_other_hands_is_left_out_of_its_bundle(tmp_path):
    sweep = open_run(make_experiment(d=(20, 40), replicas=8, block=8), tmp_path)
    claims, first = sweep.directory.claims, sweep.blocks[0]
    init = Worker(HOST, PLACE, 1, start_of(1) or 0).name
    (claims.folder / first.name).symlink_to(init)
    with Presence(sweep.directory.watch.folder) as presence:
        held, made = Maker(sweep, presence, print).make_together(sweep.blocks, lambda work: None)
    assert held == Elsewhere(init)
    assert isinstance(made, Made)
    assert made.seconds > 0
    assert [path.name for path in claims.folder.iterdir()] == [first.name]


def test_the_time_of_a_bundle_is_shared_out_by_work(tmp_path):
    sweep = open_run(make_experiment(d=(20, 60), replicas=8, block=8), tmp_path)
    with Presence(sweep.directory.watch.folder) as presence:
        made = Maker(sweep, presence, print).make_together(sweep.blocks, lambda work: None)
    short, long = (outcome.seconds for outcome in made if isinstance(outcome, Made))
    assert long == pytest.approx(3 * short)


def test_all_blocks_of_a_bundle_are_claimed_and_signed_for_while_it_is_made(tmp_path):
    sweep = open_run(make_experiment(d=(20, 40), replicas=8, block=8), tmp_path)
    seen = []
    with Presence(sweep.directory.watch.folder) as presence:

        def look(work):
            presence._give()
            (sign,) = sweep.directory.watch.signs()
            seen.append((sign.block, sign.others, sign.work, set(sweep.directory.claims.held())))

        Maker(sweep, presence, print).make_together(sweep.blocks, look)
    first, second = (block.name for block in sweep.blocks)
    assert seen[0] == (first, [second], 8 * 60, {first, second})
    assert not list(sweep.directory.claims.folder.iterdir())


def test_where_time_is_short_fewer_blocks_are_made_together(two_cores, tmp_path):
    """Eight blocks of a tile each: at a step a second, 8 * 4 * 20 steps are too long for what is left, but not 160."""
    sweep = open_run(make_experiment(d=(20,), replicas=32, block=4), tmp_path)

    class Slow(Presence):
        def rate(self):
            return 1.0

    with Stop(limit=time.monotonic() + 250) as stop, Slow(sweep.directory.watch.folder) as presence:
        run = LocalRun(sweep, Meter(), stop, presence)
        assert len(run._with_time(sweep.blocks)) == 2
        assert run._with_time(sweep.blocks[:1] * 4) == sweep.blocks[:1] * 2
    limit = time.monotonic() + 50
    with Stop(limit=limit) as stop, Slow(sweep.directory.watch.folder) as presence:
        assert LocalRun(sweep, Meter(), stop, presence).run(sweep.blocks).stopped
    assert time.monotonic() < limit - 25  # it does not wait for the limit: no time comes by waiting
    assert len(sweep.missing) == 8


def test_one_that_fails_in_a_bundle_does_not_take_the_others_with_it(tmp_path, monkeypatch):
    run = Batch.run

    def fails(self, progress):
        progress(5)
        if any(float(piece.kernel.dt) == 1 / 40 for piece in self.pieces):
            raise ZeroDivisionError
        progress(-5)
        return run(self, progress)

    monkeypatch.setattr(Batch, "run", fails)
    sweep = open_run(make_experiment(d=(20, 40, 80), replicas=8, block=8), tmp_path)
    counted = []
    with Presence(sweep.directory.watch.folder) as presence:
        outcomes = Maker(sweep, presence, print).make_together(sweep.blocks, counted.append)
    assert [type(outcome) for outcome in outcomes] == [Made, Failed, Made]
    assert sum(counted) == 8 * 100 + 5  # what the cell that failed had done is the caller's to make up for


def test_a_bundle_is_named_shortly(tmp_path):
    sweep = open_run(make_experiment(d=(20, 40, 80, 160), replicas=8, block=4), tmp_path)
    blocks = sweep.blocks
    assert label(blocks[2:4], sweep.layout) == "cell 2/4 d=40, noise=1"
    assert label(blocks[2:5], sweep.layout) == "cells 2-3 of 4"
    assert label([blocks[0], *blocks[4:]], sweep.layout) == "3 of the cells 1-4 of 4"
