"""The torture itself: what is planted is found. `make torture TORTURE_ARGS=--small` runs each part."""

import os
import random
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.torture import corruptions, damage, fuzz_experiments, kills, pool
from tests.torture.lab import Lab, Loss, Outcome
from tests.torture.parts import Tally
from tests.torture.pool import PoolPart, refused_or_taken


class Counting(PoolPart):
    """Cases of which the third is lost, the fifth works for ever and the seventh kills its process."""

    name, help, count, small = "counting", "", 9, 9

    def prepare(self, lab):
        pass

    def case(self, seed, place):
        if seed == 3:
            raise Loss("the third")
        while seed == 5:
            pass
        if seed == 7:
            os._exit(9)
        return "even" if seed % 2 == 0 else "odd"


def counted(root: Path, keep_going: bool) -> tuple[Tally, list[str]]:
    """What comes of nine cases, of which each may take 0.2 s of processor time."""
    pool.SECONDS = 0.2
    said: list[str] = []
    with Lab(root, 2) as lab:
        return Counting().run(lab, range(9), said.append, keep_going), said


@pytest.fixture
def fresh():
    """A new process: a pool forks, which one where JAX has threads must not."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        yield executor


def test_losses_hangs_and_dead_processes_are_told_with_their_seeds(fresh, tmp_path):
    tally, said = fresh.submit(counted, tmp_path, keep_going=True).result()
    assert tally.fell == {"even": 5, "odd": 1}
    assert sorted(tally.lost) == [3, 5, 7]
    assert tally.lost[3] == "the third"
    assert tally.lost[5].startswith("hung: 0.2 s")
    assert tally.lost[7] == "the process died: 9"
    assert any(
        line.startswith("counting: LOST, again with: python -m tests.torture counting --seed 3") for line in said
    )
    assert said[-1].startswith("counting: 9 (even 5, odd 1), 3 lost; ")


def test_the_first_loss_is_the_last_case(fresh, tmp_path):
    tally, _ = fresh.submit(counted, tmp_path, keep_going=False).result()
    assert sorted(tally.lost) == [3]
    assert tally.fell.total() <= 4


def test_a_case_is_the_same_whenever_it_is_repeated():
    files = fuzz_experiments.corpus()
    once, again = ([fuzz_experiments.mixed(random.Random(seed), files) for seed in range(20)] for _ in range(2))
    assert once == again
    assert len(set(once)) == 20


@pytest.mark.parametrize("kind", dict.fromkeys([*damage.BYTES, *damage.TEXT, *damage.PLACE]))
def test_every_damage_changes_a_file_and_is_repaired(kind, tmp_path):
    path, source = tmp_path / "x.json", tmp_path / "source.json"
    source.write_text('{"format": 2, "cells": [1, 2]}\n')
    damage.restore(path, source)
    before = (path.stat().st_mode, path.read_bytes())
    kind(path, random.Random(1))
    assert damage.kinds(source)
    changed = path.is_symlink() or not path.is_file() or path.stat().st_size > 1000
    assert changed or (path.stat().st_mode, path.read_bytes()) != before
    damage.restore(path, source)
    assert (path.stat().st_mode, path.read_bytes()) == before


@pytest.mark.parametrize(
    ("code", "said", "complaint"),
    [
        (-14, "", "hung"),
        (-11, "", "crashed"),
        (1, "Traceback (most recent call last):\n", "crashed"),
        (75, "Stopped", "exit code 75"),
    ],
)
def test_an_outcome_that_is_a_loss(code, said, complaint):
    with pytest.raises(Loss, match=complaint):
        Outcome(("run", "x"), code, said).check(0, 1, 2)


def test_a_refusal_says_of_what():
    Outcome(("run",), 2, "/runs/a/blocks/index.json: cannot be read; delete it").names(Path("/runs/a"))
    with pytest.raises(Loss, match="does not say"):
        Outcome(("run",), 2, "a file cannot be read").names(Path("/runs/a"))


def test_experiments_by_chance_are_judged(tmp_path):
    good = tmp_path / "good.toml"
    good.write_text(fuzz_experiments.corpus()[0])
    assert refused_or_taken(["plan", str(good)], "") == "taken"
    assert refused_or_taken(["plan", str(tmp_path / "none.toml")], "") == "refused"
    with pytest.raises(Loss, match="TypeError of a mistake"):
        refused_or_taken(["plan", str(good), *[None]], "a mistake")


def test_where_kills_fall(tmp_path):
    assert kills.fell(tmp_path, "begun") == "at the start"
    (tmp_path / "blocks" / "00").mkdir(parents=True)
    (tmp_path / "blocks" / "index.json").touch()
    assert kills.fell(tmp_path, "begun") == "before the first block"
    (tmp_path / "blocks" / "00" / "c.npz").touch()
    assert kills.fell(tmp_path, "begun") == "between blocks"
    assert kills.fell(tmp_path, "merge") == "in merge"


def test_kinds_of_files(tmp_path):
    for name in ("blocks/00/c.npz", "blocks/00/.c.npz.tmp", "live/workers/h.json", "logs/h.jsonl", "results.nc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {corruptions.kind_of(path, tmp_path) for path in tmp_path.rglob("*")}
    assert {"block", "half-written", "live/workers", "logs", "results.nc", "folder blocks", "folder live/*"} <= found
