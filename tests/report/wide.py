"""Made-up runs of wide networks: power laws in N, histograms and final values of every run."""

import numpy as np
import tomli_w
import xarray as xr

from sgdsim.laws.power import FittedPower
from sgdsim.laws.two_term import FittedTwoTerm
from sgdsim.store.stored import Stored
from sgdsim.store.summary import CellSummary, End, Summary

TIMES = np.linspace(0.5, 5, 10)
REPLICAS, BINS, WINDOW, INPUTS = 40, 30, (-3.0, 3.0), 8
GAMMA = 0.1
EDGES = np.linspace(*WINDOW, BINS + 1)
LIMIT = np.exp(-(((EDGES[1:] + EDGES[:-1]) / 2) ** 2)) / np.exp(-(((EDGES[1:] + EDGES[:-1]) / 2) ** 2)).sum()
"""The share of every bin in the limit."""


def parameters(axes):
    """The parameters of a cell from its coordinates in the grid."""
    cell = {"model": "tanh", "N": 100, "beta": 0.5, "gamma": GAMMA, "a": 1.0, "dynamics": "sde", "noise": "independent"}
    cell |= axes
    return cell | {"eps": GAMMA * cell["N"] ** (cell["beta"] - 1), "inverse_N": 1 / cell["N"]}


def shift(axes):
    """By how much a run's particles are displaced together: N^-1/2, or a tenth where the limit is random."""
    return 0.1 if is_random(axes) else axes["N"] ** -0.5


def is_random(axes):
    """Whether the limit is random."""
    cell = parameters(axes)
    return cell["noise"] == "common" and cell["beta"] == 1


def _values(cells):
    """Means and theory of the observables by name, with their dimensions, and final values of the runs."""
    rng, count = np.random.default_rng(3), len(cells)
    size = np.array([shift(axes) for axes in cells])
    decay = 0.1 * np.exp(-TIMES) * (1 + size[:, None])
    moved = rng.standard_normal((count, REPLICAS)) * size[:, None]
    final = np.array([[np.interp(EDGES[1:] - by, EDGES[1:], LIMIT) for by in row] for row in moved])
    final /= final.sum(axis=-1, keepdims=True)
    random = np.array([is_random(axes) for axes in cells])[:, None, None]
    limit = np.where(random, np.nan, np.broadcast_to(LIMIT, (count, len(TIMES), BINS)))
    m = np.linspace(0.1, 0.4, INPUTS)
    return {
        "excess_risk": (("cell", "time"), decay, decay / 1.1, None),
        "m": (
            ("cell", "time", "input"),
            np.broadcast_to(m, (count, len(TIMES), INPUTS)),
            np.broadcast_to(m, (count, len(TIMES), INPUTS)),
            m + moved[..., None] * np.linspace(0.5, 1, INPUTS),
        ),
        "mean": (("cell", "time", "weight"), np.zeros((count, len(TIMES), 1)), None, moved[..., None]),
        "variance": (("cell", "time", "weight"), np.ones((count, len(TIMES), 1)), None, np.ones((*moved.shape, 1))),
        "histogram": (("cell", "time", "bin"), np.repeat(final.mean(axis=1)[:, None], len(TIMES), 1), limit, final),
    }


WORDS = {"excess_risk": ("excess risk, above the best", r"R - R_{\min}"), "m": ("prediction at each input", "m")}


def wide(cells, fits=None, figures=(), theory=True, problem=None):
    """A finished run with the grid coordinates of every cell and the given fits."""
    data = {}
    for name, (dims, mean, limit, final) in _values(cells).items():
        words, symbol = WORDS.get(name, (name, name))
        attrs = {"long_name": words, "symbol": symbol}
        for part, values in (("", mean), ("_sem", 0.02 * np.abs(mean)), ("_std", 0.1 * np.abs(mean))):
            data[f"{name}{part}"] = (dims, values, attrs)
        if theory and limit is not None:
            data[f"{name}_theory"] = (dims, limit, attrs)
        if final is not None:
            data[f"{name}_final"] = (("cell", "replica", *dims[2:]), final, attrs)
    data["t"] = (("cell", "time"), np.tile(TIMES, (len(cells), 1)))
    for name, value in (("n_replicas", REPLICAS), ("n_diverged", 0)):
        data[name] = ("cell", np.full(len(cells), value))
    rows = [
        CellSummary(
            cell=index,
            axes=axes,
            parameters={**parameters(axes), "dt": 0.02},
            n_replicas=REPLICAS,
            final={"excess_risk": End()},
        )
        for index, axes in enumerate(cells)
    ]
    summary = Summary(
        experiment="wide",
        title="Wide networks",
        system="meanfield",
        wall_seconds=12.0,
        steps_per_second=1e5,
        n_replicas=REPLICAS * len(cells),
        cells=rows,
        fits=fits or {},
    )
    keys = {"bins": BINS, "window": list(WINDOW)} | (problem or {})
    experiment = tomli_w.dumps({"problem": keys, "report": {"figures": list(figures)}})
    return Stored(xr.Dataset(data, {"time": TIMES}), summary, {"seed": 0}, experiment)


SIZES = (64, 256, 1024, 4096)
BETAS = (0.0, 0.5, 0.75, 1.0)


def power(quantity, slope, expected, constant=0.2, sizes=SIZES):
    """A fitted power law of N whose points lie on it."""
    points = [[N, constant * N**slope, 0.02 * constant * N**slope] for N in sizes]
    return FittedPower(
        quantity=quantity,
        against="N",
        slope=slope,
        slope_error=0.012,
        constant=constant,
        constant_error=0.01,
        expected_slope=expected,
        chi2=2.0,
        dof=len(sizes) - 2,
        points=points,
    )


def two_terms(quantity="distance", first=1.0, second=0.3, betas=BETAS[:3], sizes=SIZES, problem=None):
    """A fit of first * eps + second/N whose points lie on it."""
    cells = [parameters({"beta": beta, "N": N}) for beta in betas for N in sizes]
    heights = [first * cell["eps"] + second * cell["inverse_N"] for cell in cells]
    return FittedTwoTerm(
        quantity=quantity,
        against="eps",
        second="inverse_N",
        first_coefficient=None if problem else first,
        first_error=0.003,
        second_coefficient=None if problem else second,
        second_error=0.004,
        first_expected=1.01,
        second_expected=0.29,
        chi2=3.0,
        dof=len(cells) - 2,
        points=[[cell["eps"], cell["inverse_N"], y, 0.02 * y] for cell, y in zip(cells, heights, strict=True)],
        problem=problem,
    )


def rates_run():
    """A run with the laws of every beta, and the two terms of all of them."""
    fits = {f"coupling[beta={b:g}]": power("coupling", (b - 1 if b < 1 else -1) - 0.02, b - 1 or -1.0) for b in BETAS}
    fits |= {f"terms[beta={b:g}]": two_terms("coupling", 0.16 / GAMMA, 0.01, (b,)) for b in BETAS[1:]}
    fits["terms[beta=0]"] = two_terms("coupling", betas=(0.0,), problem="no fit: proportional")
    fits["noise"] = two_terms()
    return wide([{"beta": b, "N": N} for b in BETAS for N in SIZES], fits)


KINDS = (("sgd", "common"), ("sde", "common"), ("sgd", "independent"), ("sde", "independent"))


def noise_run(theory=True):
    """A run at beta = 1 with all four dynamics."""
    axes = [{"dynamics": kind, "noise": noise, "N": N, "beta": 1.0} for kind, noise in KINDS for N in SIZES]
    return wide(axes, theory=theory)


def lazy_run():
    """A run of the lazy scaling."""
    exponents = (0.6, 0.75, 1.0)
    fits = {
        f"{name}[a={a:g}]": power(name, 2 * (a - 1), 2 * (a - 1) if a < 1 and name == "displacement" else None)
        for name in ("displacement", "gap")
        for a in exponents
    }
    return wide([{"a": a, "N": N} for a in exponents for N in SIZES], fits)
