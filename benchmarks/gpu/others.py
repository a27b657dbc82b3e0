"""The other systems: particles, signal recovery and its mean-field theory, networks on digits."""

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.forms import descent_rate, mean_field, network_rate, particle_rate
from benchmarks.gpu.setting import Missing, Setting, table
from sgdsim.meanfield.dynamics import Sde, Sgd

Case = tuple[str, Callable[[], float], str, float]
"""What, how it is measured, in which unit, and seconds that it takes at the least."""


def lines(setting: Setting) -> Iterator[str]:
    """One table."""
    setting.need_gpu()
    yield from table(("what", "measured"), map(partial(_row, setting), _cases(setting.small)))


def _row(setting: Setting, case: Case) -> tuple[str, object]:
    what, measure, unit, needed = case
    measured = setting.attempt(measure, needed)
    return what, measured if isinstance(measured, Missing) else f"{measured:.3g} {unit}"


def _cases(small: bool) -> Iterator[Case]:
    steps = 10 if small else 2000
    N, replicas = (50, 8) if small else (10**4, 64)
    yield _theory(40 if small else 3000, 5)
    for name, dynamics in (("SGD", Sgd()), ("SDE, own noise", Sde()), ("SDE, common noise", Sde("common"))):
        what = f"particles, N = {N}, {replicas} replicas, {name}"
        yield what, partial(particle_rate, N, dynamics, replicas, steps), "steps/s", 5
        if small:
            break
    N, steps = (20, 4) if small else (400, 100)
    for stored in (True,) if small else (True, False):
        what = f"descent, alpha = 2.5, N = {N}, 64 replicas, data {'stored' if stored else 'drawn at every step'}"
        yield what, partial(descent_rate, N, stored, steps), "steps/s", 5
    N, replicas, steps = (50, 2, 4) if small else (1000, 64, 500)
    what = f"relu networks on digits, N = {N}, {replicas} replicas"
    yield what, partial(network_rate, N, replicas, steps), "steps/s", 5
    if not small:
        yield _theory(10**4, 15)


def _theory(steps: int, seconds: float) -> Case:
    return f"mean-field theory of signal recovery, T = {steps}", lambda: mean_field(steps)[0], "s", seconds
