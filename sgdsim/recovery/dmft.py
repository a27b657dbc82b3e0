"""Dynamical mean-field theory of signal recovery: the exact dynamics of GD and SGD for N -> infinity."""

import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sgdsim.checks import Integer, Real, as_declared, integer
from sgdsim.contracts import Problem, Start, Theory
from sgdsim.cost import THEORY_OPERATION, Once
from sgdsim.ensemble.backend import on_cpu
from sgdsim.ensemble.devices import device_memory
from sgdsim.ensemble.loops import steps_while
from sgdsim.errors import ArgumentError, CautionWarning
from sgdsim.native.build import find_compiler
from sgdsim.parameters import Parameter
from sgdsim.recovery.dmft_loss import mean_squares
from sgdsim.recovery.dmft_products import TILE, NativeProducts, Products, WholeProducts
from sgdsim.recovery.dmft_step import Kernels, Rates, begin, step
from sgdsim.recovery.edge import edge_of_stability, lost_from, past_the_edge
from sgdsim.recovery.path import Path, SharedCurve
from sgdsim.recovery.problem import Recovery
from sgdsim.recovery.selection import Fresh, Selection
from sgdsim.recovery.starts import SignalOverlaps

_FIRST = 4 * TILE
"""Size of the arrays to begin with."""
STAGE, LIBRARY = 0.5, 0.7
"""Seconds that compiling the program of one stage takes, and what a C++ compiler takes for their products."""
WITHOUT_COMPILER = 3.0
"""How many times longer a step takes where XLA makes its products on a CPU (`make bench`: 2.4 to 4)."""
_PAUSE = 0.25
"""Seconds of computation after which Python has its turn, to hear Ctrl-C; at most twice as long."""

Tolerance = Annotated[
    float,
    Parameter(
        "",
        "distance from the signal at which the solution is no longer followed",
        least=0,
        below=1,
        must="be at least 0 and below 1",
    ),
]
"""The parameter of both forms of the theory."""

Values = Real | Sequence[Real] | Float[np.ndarray, "..."]
"""One number, or many."""


@dataclass(frozen=True)
class DmftSolution:
    """Order parameters and kernels at the steps 0..T, float64, with the leading axes that the parameters had.

    - `m`, `e2`: m(t) = x(t).x*/N and e2(t) = E r(t)^2, the mean square residual over all data.
    - `C`: C(t,t') = x(t).x(t')/N; `LC`: Lambda_C(t,t') = E[sigma(t) r(t) sigma(t') r(t')]. Both symmetric.
    - `R`: R(t,t') = (1/N) sum_i dx_i(t)/dH_i(t'), zero for t' >= t; `LR`: Lambda_R(t,t') = E[sigma(t) dr(t)/dxi(t')].
    - `last`: the last step, T or where the solution stopped early. Everything beyond it is zero.
    """

    m: Float[np.ndarray, "*batch steps"]
    e2: Float[np.ndarray, "*batch steps"]
    C: Float[np.ndarray, "*batch steps steps"]
    R: Float[np.ndarray, "*batch steps steps"]
    LC: Float[np.ndarray, "*batch steps steps"]
    LR: Float[np.ndarray, "*batch steps steps"]
    last: Int[np.ndarray, "*batch"]


def integrate(
    alpha: Values,
    eta: Values,
    b: Values,
    m0: Values,
    C00: Values,
    steps: Integer,
    tolerance: Real = 0.0,
    *,
    temperature: Values = 0.0,
    selection: Selection = Fresh(),  # noqa: B008 (it is frozen)
) -> DmftSolution:
    """The closed equations of m, C, R, Lambda_C and Lambda_R, step by step in float64; see `dmft_step.step`.

    The six parameters broadcast against one another; `selection`, who is used in a step, is that of all. An element
    stops when its distance 1 - 2|m| + C(t,t) has fallen below `tolerance` (0: never), or is no longer a finite number.
    On a CPU elements are solved one after another and do not depend on one another bitwise; an accelerator takes all at
    once. Memory 32 T^2 bytes each.

    **Raises:** ArgumentError for parameters that are no finite numbers, outside the ranges of `Recovery`, or
    do not broadcast; for steps that are no integer >= 0; and for a tolerance outside [0, 1).

    **Warns:** CautionWarning where rounding decides the last steps of a descent beyond its edge of stability.
    """
    steps, least = integer("steps", steps, 0), as_declared(Dmft, "tolerance", tolerance)
    given = _broadcast(alpha=alpha, eta=eta, b=b, temperature=temperature, m0=m0, C00=C00)
    _check(given)
    flat = np.stack([value.reshape(-1) for value in given.values()])
    # On a CPU side by side would wait for the slowest, and would round by the size of the batch.
    groups = np.split(flat, flat.shape[1], axis=1) if on_cpu() else [flat]
    parts = [_host(solve(*group, steps=steps, tolerance=least, selection=selection), steps) for group in groups]
    known = jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
    e2 = np.empty_like(known.m)
    for i, (alpha_i, eta_i, b_i, temperature_i, *_) in enumerate(flat.T):
        one = jax.tree.map(lambda leaf, i=i: leaf[i], known)
        e2[i] = mean_squares(one, eta_i, selection)
        _warn_of(_lost(one, edge_of_stability(alpha_i, eta_i, b_i, temperature_i)), one)
    found = {name: getattr(known, name) for name in ("m", "R", "LR", "last")}
    found |= {"e2": e2, "C": _symmetric(known.C), "LC": _symmetric(known.LC)}
    shape = given["alpha"].shape
    return DmftSolution(**{name: values.reshape((*shape, *values.shape[1:])) for name, values in found.items()})


def _lost(known: Kernels, edge: float) -> int:
    """The step from which on a descent is lost; one beyond the last where it is not."""
    return lost_from(np.asarray(known.norm)[: int(known.last) + 1], known.R, edge)


def _warn_of(lost: int, known: Kernels) -> None:
    if lost <= int(known.last):
        line = f"From step {lost} on this gradient descent is beyond its edge of stability, where rounding decides"
        warnings.warn(f"{line}: take a smaller `eta`, or fewer steps.", CautionWarning, stacklevel=3)


def _broadcast(**parameters: Values) -> dict[str, np.ndarray]:
    """The parameters as float64 arrays of one shape. **Raises:** ArgumentError naming one that is no array of it."""
    arrays = {name: np.asarray(value) for name, value in parameters.items()}
    shape: tuple[int, ...] = ()
    for name, array in arrays.items():
        if array.dtype.kind not in "iuf":
            raise ArgumentError(name, "be a number, or an array of numbers", parameters[name])
        try:
            shape = np.broadcast_shapes(shape, array.shape)
        except ValueError:
            raise ArgumentError(name, f"broadcast against the shape {shape} of those before", array.shape) from None
    return {name: np.broadcast_to(array.astype(np.float64), shape) for name, array in arrays.items()}


def _check(given: dict[str, np.ndarray]) -> None:
    """**Raises:** ArgumentError for values outside the ranges that `Recovery` declares."""
    for name, values in given.items():
        for value in values.ravel().tolist():
            as_declared(Recovery, name, value)
    m0, good = given["m0"], given["m0"] ** 2 <= given["C00"]
    if not good.all():
        raise ArgumentError("m0", "have m0^2 <= C00", m0[~good].ravel()[0].item())


def _host(known: Kernels, steps: int) -> Kernels:
    """The steps 0..T, on the host."""

    def cut(leaf: Array) -> np.ndarray:
        whole = np.asarray(leaf)
        return whole[(slice(None), *[slice(steps + 1)] * (whole.ndim - 1))]

    return jax.tree.map(cut, known)


def _symmetric(lower: Float[np.ndarray, "*batch n n"]) -> Float[np.ndarray, "*batch n n"]:
    return lower + np.tril(lower, -1).mT


def stage_sizes(steps: int) -> list[int]:
    """Sizes of the padded arrays of a run, which grow with it: the last one holds the steps 0..T.

    They are powers of 2, and the last may be 5, 6 or 7 quarters of one: one ladder for all runs, so that few sizes are
    ever compiled, and that beyond 512 no more than a quarter is padding. TILE divides all of them.
    """
    sizes = [_FIRST]
    while sizes[-1] <= steps:
        quarter = sizes[-1] // 4
        # Work grows with the cube of the size, compilation with the number of sizes.
        sizes.append(next(quarter * k for k in (5, 6, 7, 8) if quarter * k > steps or k == 8))
    return sizes


def _bytes(sizes: list[int]) -> int:
    """Of four kernels of the last size, and of those of the stage before while they grow."""
    return 32 * sum(size**2 for size in sizes[-2:])


def _check_memory(need: int, steps: int) -> None:
    memory = device_memory()
    if need > memory:
        must = f"need no more than the {memory / 2**30:.1f} GiB of a device for its kernels"
        got = f"T = {steps}, which takes {need / 2**30:.1f} GiB"
        raise ArgumentError("times", must, got, "Memory is 32 T^2 bytes, T = t/eta: end earlier, or raise eta.")


def _products() -> Products:
    """The form for the devices at hand."""
    return NativeProducts() if on_cpu() else WholeProducts()


def solve(
    alpha: Float[np.ndarray, " batch"],
    eta: Float[np.ndarray, " batch"],
    b: Float[np.ndarray, " batch"],
    temperature: Float[np.ndarray, " batch"],
    m0: Float[np.ndarray, " batch"],
    C00: Float[np.ndarray, " batch"],
    *,
    steps: int,
    tolerance: float,
    selection: Selection,
) -> Kernels:
    """All elements side by side, on the device, until T or until all have stopped; padded, see `stage_sizes`."""
    constants = (alpha, eta, b, temperature, np.full_like(b, tolerance))
    rates = Rates(*(jnp.asarray(value, jnp.float64) for value in constants))
    sizes = stage_sizes(steps)
    _check_memory(len(b) * _bytes(sizes), steps)
    known = jax.vmap(partial(begin, n=sizes[0]))(rates, jnp.asarray(m0), jnp.asarray(C00))
    t, chunk = 0, 32
    for size in sizes:
        known = _grow(known, size)
        end = min(size - 1, steps)
        while t < end and not np.asarray(known.stopped).all():
            until, began = min(t + chunk, end), time.perf_counter()
            # A call that returns at once could not be timed, nor interrupted.
            span = jnp.asarray(t), jnp.asarray(until)
            known = jax.block_until_ready(advance(rates, selection, known, *span, _products()))
            t = until
            # The clock decides only how often Python has its turn: steps do not depend on how they are grouped.
            took = time.perf_counter() - began
            chunk = chunk * 2 if took < _PAUSE else max(1, chunk // 2) if took > 2 * _PAUSE else chunk
    return known


@partial(jax.jit, static_argnames="products", donate_argnames="known")
def advance(
    rates: Rates, selection: Selection, known: Kernels, t: Int[Array, ""], until: Int[Array, ""], products: Products
) -> Kernels:
    """From step t to `until`, or to where all elements have stopped."""
    every = jax.vmap(partial(step, products=products), in_axes=(0, None, 0, None))

    def advanced(t: Int[Array, ""], known: Kernels) -> Kernels:
        return every(rates, selection, known, t)

    return steps_while(t, until, lambda known: ~known.stopped.all(), advanced, known)


def _grow(known: Kernels, size: int) -> Kernels:
    """The same, in arrays of this size."""
    more = size - known.m.shape[-1]
    return jax.tree.map(lambda leaf: jnp.pad(leaf, [(0, 0)] + [(0, more)] * (leaf.ndim - 1)), known) if more else known


class DmftCurve(SharedCurve):
    """The theory of one problem. Its work depends on the times, so it is solved on the host, for one start."""

    problem: Recovery
    tolerance: float = eqx.field(static=True)

    def solve(self, initial: SignalOverlaps, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """Observables at the steps rint(t/eta). After an early stop the last values are held.

        Where the solution has grown beyond all numbers, distance, C and loss are infinite, and the rest is NaN.
        """
        problem = self.problem
        at = problem.steps(times)
        start = [np.atleast_1d(np.asarray(value, np.float64)) for value in (initial.m, initial.C)]
        rates = (problem.alpha, problem.eta, problem.b, problem.temperature)
        constants = [np.array([value], np.float64) for value in rates]
        selection = problem.selection_law
        batch = solve(*constants, *start, steps=int(at.max()), tolerance=self.tolerance, selection=selection)
        known = jax.tree.map(lambda leaf: leaf[0], batch)
        # Beyond an early stop the arrays are zero: the last step that was made stands for what follows.
        at = np.minimum(at, int(known.last))
        earlier = np.minimum(at[:, None], np.array([0, *problem.waiting_steps])[None, :])
        m, C = (np.asarray(values)[at] for values in (known.m, known.norm))
        path = Path(
            m=np.where(at < _lost(known, problem.edge), m, np.nan),
            C=C,
            e2=mean_squares(known, problem.eta, selection)[at],
            earlier=np.asarray(known.C[at[:, None], earlier]),
            **_responses(np.asarray(known.R[at]), problem),
        )
        return path.observe(problem)


def _responses(R: Float[np.ndarray, "times n"], problem: Recovery) -> dict[str, np.ndarray]:
    """The responses of `Path` from rows of R, which is zero from the time of the row on."""
    waiting = np.array(problem.waiting_steps, np.int64)
    # Of waiting times after the last step there is nothing.
    inside = np.minimum(waiting, R.shape[1] - 1)
    since = [problem.eta * R[:, step:].sum(axis=1) for step in waiting]
    chi = np.array(since).T.reshape(len(R), len(waiting))
    return {"R_start": R[:, 0], "R_waiting": R[:, inside], "chi_waiting": chi}


def check_quadratic(problem: Recovery, name: str) -> None:
    """**Raises:** ArgumentError for a problem of degree 1, which a theory of this name is none of."""
    if problem.degree != 2:
        raise ArgumentError("theory", "be 'linear' for degree 1", name, "Its solution is closed: take 'linear'.")


@dataclass(frozen=True)
class Dmft(Theory):
    """Dynamical mean-field theory of degree 2, exact for N -> infinity (Kamali & Urbani 2023).

    It closes for every kind of selection, and with Langevin noise.
    The path of one replica concentrates on this solution: |x(t) - theory| = O(1/sqrt(N)), with a bias of O(1/N). It is
    followed until the distance from the signal is below `tolerance`, and constant from there. Gradient descent whose
    C(t,t) rises over the edge of stability is followed until a response exceeds 1, see `edge`: beyond, it is told
    as a solution that ends.
    """

    tolerance: Tolerance = 1e-12
    takes: ClassVar[type[Problem]] = Recovery
    name: ClassVar[str] = "dmft"
    on_accelerator: ClassVar[bool] = True

    def exists(self, problem: Recovery) -> bool:
        """For the quadratic problem."""
        return problem.degree == 2

    def check(self, problem: Recovery) -> None:
        """Raises ArgumentError for another degree."""
        check_quadratic(problem, self.name)

    def memory(self, problem: Recovery, times: Float[np.ndarray, " times"]) -> int:
        """32 n^2 bytes for four kernels of n >= T + 1 steps, and those of the stage before while they grow."""
        return _bytes(stage_sizes(int(problem.steps(times).max())))

    def cost(self, problem: Recovery, start: Start, times: Float[np.ndarray, " times"]) -> float:
        """Of 8 products of a triangular matrix and a vector per step: 8 T^3/3 operations."""
        slower = WITHOUT_COMPILER if find_compiler() is None else 1.0
        return slower * THEORY_OPERATION * 8 / 3 * float(problem.steps(times).max()) ** 3

    def once(self, problem: Recovery, start: Start, times: Float[np.ndarray, " times"]) -> tuple[Once, ...]:
        """A program for every stage, and the library that all call."""
        stages = stage_sizes(int(problem.steps(times).max()))
        programs = tuple(Once((type(self), size), compile=STAGE) for size in stages)
        return programs if find_compiler() is None else (*programs, Once((type(self), "library"), compile=LIBRARY))

    def unreached(self, problem: Recovery, last: float, final: float) -> ArgumentError:
        """What to tell where the solution ends: of a descent, why."""
        if math.isinf(problem.edge):
            return super().unreached(problem, last, final)
        return ArgumentError(
            "times", f"end at or before t = {last:g}", final, past_the_edge(problem.sharpness, problem.edge)
        )

    def bind(self, problem: Recovery) -> DmftCurve:
        """The curve of this problem."""
        return DmftCurve(problem=problem, tolerance=self.tolerance)
