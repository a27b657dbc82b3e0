"""Is what the device computes right? Forms against one another, chain against weights, and every bit against the batch.

    python -m benchmarks.gpu.correct FILE

writes the chains of a CPU, which those of the device are held against.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

import sgdsim
from benchmarks.forms import committee, particles
from benchmarks.gpu.jobs import FORMS, Job
from benchmarks.gpu.setting import Missing, Setting, table
from sgdsim.committee import Chain, Committee, Weights
from sgdsim.contracts import Problem, Simulator, Start
from sgdsim.meanfield.dynamics import Sgd
from sgdsim.meanfield.particles import Particles
from sgdsim.meanfield.starts import LawStart
from sgdsim.recovery import Descent, ExactStart, Recovery

WIDTHS = (4, 8, 2)
REPLICAS, STEPS = 512, 3001
"""Two tiles; steps that no stretch of a power of two divides."""
ROUNDING = 1e-5
"""Part of the motion by which float32 forms may differ after these steps."""
MOST = 5.0
"""Standard errors."""


def lines(setting: Setting) -> Iterator[str]:
    """Three tables, each with a verdict in every row."""
    setting.need_gpu()
    with tempfile.TemporaryDirectory() as folder:
        cpu = None if setting.small else _Cpu(Path(folder) / "cpu.npz")
        head = ("chain against XLA's on the CPU", "largest difference in units of the motion", "to rounding")
        yield from table(head, _forms(setting, cpu))
    head = ("chain against weights, d = 64, p = 3, k = 2", "largest difference in error bars", f"below {MOST:g}")
    yield from table(head, _laws(setting))
    yield from table(("one tile at a time against all at once", "arrays that differ", "same bits"), _bits(setting))


class _Cpu:
    """The chains of this machine's CPU, computed beside the device's."""

    def __init__(self, file: Path) -> None:
        self._file = file
        command = [sys.executable, "-m", "benchmarks.gpu.correct", str(file)]
        self._process = subprocess.Popen(command, env=os.environ | {"JAX_PLATFORMS": "cpu"})

    def chains(self, p: int) -> np.ndarray:
        """The motion at one width."""
        if self._process.wait() != 0:
            raise RuntimeError("the process that computes on the CPU failed")
        return np.load(self._file)[f"p{p}"]


def _motion(simulator: Simulator, p: int, replicas: int, steps: int) -> np.ndarray:
    """What m and S of every replica have moved by."""
    job = Job(simulator, committee(10**4, p), replicas)
    # Copies: the job takes its state over.
    before = [np.array(part) for part in (job.state.m, job.state.S)]
    after = job(steps)
    moved = (np.asarray(last) - first for first, last in zip(before, (after.m, after.S), strict=True))
    return np.concatenate([part.ravel() for part in moved])


def _forms(setting: Setting, cpu: _Cpu | None) -> Iterator[tuple[str, object, str]]:
    replicas, steps = (32, 100) if setting.small else (REPLICAS, STEPS)
    widths = WIDTHS[-1:] if setting.small else WIDTHS
    for p in widths:
        # XLA's form takes a GPU's compiler 10 s and more: once is enough.
        for name in ("fused", "xla") if p == widths[0] else ("fused",):
            moved = setting.attempt(lambda name=name, p=p: _motion(FORMS[name], p, replicas, steps))
            there = setting.attempt(lambda p=p: cpu.chains(p) if cpu else _motion(FORMS["xla"], p, replicas, steps))
            yield f"p = {p}, {name}", *_compared(setting, f"{name}, p = {p}", moved, there)


def _compared(
    setting: Setting, what: str, one: np.ndarray | Missing, other: np.ndarray | Missing
) -> tuple[object, str]:
    """The largest difference of two motions, in units of the largest motion."""
    if isinstance(one, Missing) or isinstance(other, Missing):
        return one if isinstance(one, Missing) else other, ""
    difference = float(np.abs(one - other).max() / np.abs(other).max())
    # Not "larger is bad", which would let NaN pass.
    return difference, setting.check(f"{what}: {difference:.1e}", difference < ROUNDING)


def _laws(setting: Setting) -> Iterator[tuple[str, object, str]]:
    case = _law(512 if setting.small else 2**15)
    weights = setting.attempt(case.run, 20)
    for name, form in FORMS.items():
        what, chain = f"{name}, {case.replicas} replicas", setting.attempt(replace(case, simulator=form).run, 10)
        if isinstance(weights, Missing) or isinstance(chain, Missing):
            yield what, chain if isinstance(chain, Missing) else weights, ""
            continue
        z = max(
            float(np.abs((chain[of] - weights[of]) / np.hypot(chain[f"{of}_sem"], weights[f"{of}_sem"])).max())
            for of in ("M", "Q", "excess_risk")
        )
        yield what, z, setting.check(f"{name} against weights: {z:.2f} error bars", z < MOST)


@dataclass(frozen=True)
class Case:
    """An ensemble without theory."""

    name: str
    problem: Problem
    start: Start
    simulator: Simulator
    replicas: int
    times: tuple[float, ...]

    def run(self, batch: int | None = None) -> xr.Dataset:
        """Its statistics, simulated `batch` replicas at once."""
        return sgdsim.simulate(
            self.problem,
            self.start,
            self.times,
            replicas=self.replicas,
            simulator=self.simulator,
            compare=False,
            batch=batch,
        )

    @property
    def tile(self) -> int:
        """Replicas of a tile."""
        return self.simulator.bind(self.problem, self.replicas, self.times[-1]).lanes


def _law(replicas: int) -> Case:
    """Weights at a small d, which the chain has the law of."""
    problem = Committee(d=64, p=3, k=2, gamma=1.0, noise=0.01)
    start = sgdsim.committee.overlap_start(problem, 0.5, seed=1)
    return Case("weights", problem, start, Weights(), replicas, (0.5, 1.0, 2.0))


def _bits(setting: Setting) -> Iterator[tuple[str, object, str]]:
    for case in _cases(setting.small):
        one = setting.attempt(lambda case=case: case.run(case.tile))
        every = setting.attempt(case.run)
        if isinstance(one, Missing) or isinstance(every, Missing):
            yield case.name, one if isinstance(one, Missing) else every, ""
            continue
        different = [of for of in one.variables if one[of].values.tobytes() != every[of].values.tobytes()]
        yield case.name, str(len(different)), setting.check(f"{case.name}: bits of {different}", not different)


def _cases(small: bool) -> Iterator[Case]:
    """What may depend on the batch, in several tiles."""
    if small:
        # Of a shape that is compiled for the table before this one.
        yield replace(_law(512), name="chain, xla", simulator=FORMS["xla"])
        return
    chain = committee(1000, 4)
    overlap = sgdsim.committee.overlap_start(chain, 0.5, seed=1)
    for name, form in FORMS.items():
        yield _case(f"chain, {name}", chain, overlap, form, 1024)
    wide = committee(1000, 32)
    start = sgdsim.committee.overlap_start(wide, 0.5, seed=1)
    yield _case("chain, p = 32", wide, start, Chain(), 64)
    yield _case("weights, p = 4", chain, overlap, Weights(), 64)
    yield _case("particles, SGD", particles(10**4, Sgd()), LawStart(), Particles(), 256)
    recovery = Recovery(alpha=2.5, eta=0.1, b=0.5, N=100)
    yield _case("descent, N = 100", recovery, ExactStart(), Descent(), 128)


def _case(name: str, problem: Problem, start: Start, simulator: Simulator, replicas: int) -> Case:
    return Case(name, problem, start, simulator, replicas, (100 * problem.dt,))


def main() -> None:
    """The reference, on whatever JAX runs on."""
    chains = {f"p{p}": _motion(FORMS["xla"], p, REPLICAS, STEPS) for p in WIDTHS}
    np.savez(sys.argv[1], allow_pickle=False, **chains)


if __name__ == "__main__":
    main()
