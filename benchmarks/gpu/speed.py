"""Steps per second of the chain in its forms and of full weights, against vmap(scan) and what the card allows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import jax

from benchmarks.forms import committee, textbook_chain_rate, textbook_weights_rate
from benchmarks.gpu.bounds import FORETOLD, issue_bound, traffic
from benchmarks.gpu.jobs import FORMS, Job
from benchmarks.gpu.setting import Missing, Setting, table
from benchmarks.timing import seconds
from sgdsim.committee import Weights
from sgdsim.contracts import Simulator
from sgdsim.rules.lanes import RuleLanes

HEAD = (
    "form", "p", "replicas", "at once", "steps/s", "us for a step of all", "GB/s", "of the issue bound",
    "vmap(scan), steps/s", "faster by", "foretold of an H200, steps/s",
)  # fmt: skip
LONGEST = 2**24
"""Steps of one call."""


@dataclass(frozen=True)
class Row:
    """One form at one size."""

    form: str
    simulator: Simulator
    p: int
    d: int
    replicas: int

    def cells(self, setting: Setting, target: float, textbook: float | Missing | None) -> tuple[object, ...]:
        """The row as it is shown; calls last about `target` seconds."""
        measured = setting.attempt(lambda: Measured.of(self, target))
        head = (self.form, str(self.p), str(self.replicas))
        foretold = FORETOLD.get((self.form, self.replicas)) if self.p == 4 else None
        if isinstance(measured, Missing):
            return *head, "", measured, "", "", "", textbook, "", foretold
        faster = measured.rate / textbook if isinstance(textbook, float) else None
        return (
            *head, str(measured.replicas), measured.rate, 1e6 * measured.replicas / measured.rate,
            measured.bandwidth, measured.share, textbook, faster, foretold,
        )  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """Steps/s of the replicas at once, and what they ask of the card where that can be said."""

    rate: float
    replicas: int
    bandwidth: float | None
    share: float | None

    @classmethod
    def of(cls, row: Row, target: float) -> "Measured":
        """Measures a row."""
        job = Job(row.simulator, committee(row.d, row.p), row.replicas)
        rate = job.replicas * _steps_per_second(job, target)
        bandwidth = share = None
        if isinstance(job.kernel, RuleLanes) and jax.default_backend() == "gpu":
            if row.form == "xla":
                bandwidth = rate * traffic(job.kernel) / 1e9
            else:
                bound = issue_bound(row.p)
                share = None if bound is None else rate / bound
        return cls(rate, job.replicas, bandwidth, share)


def _steps_per_second(job: Job, target: float) -> float:
    """Steps of every replica in a second, by calls of about `target` seconds."""
    steps, duration = int(job.kernel.segment), 0.0
    job(steps)
    while duration < target / 8 and steps < LONGEST:
        steps *= 8
        duration = seconds(partial(job, steps), repeats=1)
    steps = max(int(job.kernel.segment), int(steps * target / max(duration, 1e-6)))
    return steps / seconds(partial(job, steps), budget=target)


def lines(setting: Setting) -> Iterator[str]:
    """One table, the most telling rows first."""
    setting.need_gpu()
    target = 0.02 if setting.small else 0.5
    yield from table(HEAD, _rows(setting, target))
    if jax.default_backend() != "gpu":
        yield "GB/s and shares of the issue bound: no GPU."


def _rows(setting: Setting, target: float) -> Iterator[tuple[object, ...]]:
    for group, name, replicas in _small() if setting.small else _plan():
        row = Row(name, group.forms[name], group.p, group.d, replicas)
        yield row.cells(setting, target, group.textbook(setting))


@dataclass
class Group:
    """Rows of one width, which are compared with one speed of vmap(scan), of so many replicas."""

    forms: Mapping[str, Simulator]
    p: int
    d: int
    textbook_replicas: int
    speed: float | Missing | None = None

    def textbook(self, setting: Setting) -> float | Missing:
        """Steps/s of vmap(scan), measured once."""
        if self.speed is None:
            measure = textbook_weights_rate if "weights" in self.forms else textbook_chain_rate
            self.speed = setting.attempt(lambda: measure(self.d, self.p, self.textbook_replicas, 32))
        return self.speed


def _small() -> Iterator[tuple[Group, str, int]]:
    two = Group(FORMS, 2, 1000, 16)
    yield from ((two, name, 64) for name in FORMS)
    yield Group({"weights": Weights()}, 4, 100, 16), "weights", 64


def _plan() -> Iterator[tuple[Group, str, int]]:
    """The most telling rows first: a program is compiled for each, which takes XLA's forms 5 to 15 s."""
    d, many = 10**6, 2**16
    weights, blocks = {"weights": Weights()}, {"xla": FORMS["xla"]}
    four, eight, two = (Group(FORMS, p, d, many) for p in (4, 8, 2))
    wide, widest = (Group(blocks, p, d, 2**19 // p**2) for p in (32, 128))
    full, full_wide = (Group(weights, p, 1000, 2**14 // p) for p in (4, 32))
    yield from ((four, "fused", replicas) for replicas in (10**5, 10**6, 10**4, 64))
    yield from ((group, "fused", 10**5) for group in (eight, two))
    yield from ((full, "weights", 10**4), (four, "xla", 10**5), (wide, "xla", 10**4), (widest, "xla", 10**4))
    yield from ((full_wide, "weights", 10**4), (full, "weights", 64), (full, "weights", 10**5), (four, "xla", 64))
    yield from ((group, "fused", replicas) for replicas in (64, 10**6) for group in (eight, two))
    yield from ((eight, "xla", 10**5), (two, "xla", 10**5), (four, "xla", 10**6), (four, "xla", 10**4))
    yield from ((wide, "xla", 64), (widest, "xla", 64), (full_wide, "weights", 64), (wide, "xla", 10**5))
