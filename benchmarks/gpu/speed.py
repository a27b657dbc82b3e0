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
from sgdsim.committee.chain_lanes import ChainLanes
from sgdsim.ensemble.contracts import Simulator

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
        if isinstance(job.kernel, ChainLanes) and jax.default_backend() == "gpu":
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
    yield from table(HEAD, (cells for group in _groups(setting.small) for cells in group.rows(setting, target)))
    if jax.default_backend() != "gpu":
        yield "GB/s and shares of the issue bound: no GPU."


@dataclass(frozen=True)
class Group:
    """Rows of one width that are compared with one speed of vmap(scan)."""

    forms: Mapping[str, Simulator]
    p: int
    d: int
    sizes: tuple[int, ...]
    textbook_replicas: int

    def rows(self, setting: Setting, target: float) -> Iterator[tuple[object, ...]]:
        """All forms at each size, the textbook's speed in the first row that has one."""
        textbook: float | Missing | None = None
        for replicas in self.sizes:
            for name, simulator in self.forms.items():
                row = Row(name, simulator, self.p, self.d, replicas)
                textbook = textbook or setting.attempt(self._textbook)
                yield row.cells(setting, target, textbook)

    def _textbook(self) -> float:
        """Steps/s of vmap(scan), at its best."""
        measure = textbook_weights_rate if "weights" in self.forms else textbook_chain_rate
        return measure(self.d, self.p, self.textbook_replicas, 32)


def _groups(small: bool) -> Iterator[Group]:
    weights = {"weights": Weights()}
    blocks = {"xla": FORMS["xla"]}
    if small:
        yield Group(FORMS, 2, 1000, (64,), 16)
        yield Group(weights, 4, 100, (64,), 16)
        return
    d, many = 10**6, 2**16
    yield Group(FORMS, 4, d, (10**5, 10**6, 64, 10**4), many)
    yield Group(weights, 4, 1000, (10**4, 64, 10**5), 4096)
    yield Group(FORMS, 8, d, (10**5, 64, 10**6), many)
    yield Group(FORMS, 2, d, (10**5, 64, 10**6), many)
    yield Group(blocks, 32, d, (10**4, 64, 10**5), 4096)
    yield Group(weights, 32, 1000, (10**4, 64), 1024)
    yield Group(blocks, 128, d, (10**4, 64), 256)
