"""Makes docs/figures/moving.gif, the moving picture of the README: `python docs/moving.py`, a minute on two cores.

One-pass SGD of three hidden units on three, at d = 100. Left, all overlaps of one replica as time passes; right, three
of them in twelve replicas, each run alone from its own seed, within two predicted standard deviations of the ODE.
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

import sgdsim
from sgdsim.figures.style import CATEGORIES, INK, styled
from sgdsim.figures.typeset import MINUS

PICTURE = Path(__file__).parent / "figures" / "moving.gif"
SIZE, DPI = (7.2, 3.4), 100
WIDTH, REPLICAS, FRAMES = 3, 12, 64
ELEMENTS = ((0, 0), (1, 2), (1, 1))
"""Of M: two that go to 1, and one that goes to 0."""
WITHIN = 2.0
"""Predicted standard deviations on either side of the ODE."""
MILLISECONDS, LAST = 90, 3000
COLOURS = 96
"""Of the palette that all frames share: what stands still is then stored once."""


def main() -> None:
    """Simulates, draws every frame and writes the picture."""
    theory, runs = trajectories()
    frames = [frame(theory, runs, now) for now in range(FRAMES)]
    palette = common_palette(frames[:: FRAMES // 8])
    first, *others = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in frames]
    shown = [MILLISECONDS] * (FRAMES - 1) + [LAST]
    first.save(PICTURE, save_all=True, append_images=others, duration=shown, loop=0, optimize=True)
    sys.stdout.write(
        f"{PICTURE.name}: {FRAMES} frames, {PICTURE.stat().st_size / 1e6:.2f} MB; {inside(theory, runs):.1%} inside\n"
    )


def common_palette(frames: list[Image.Image]) -> Image.Image:
    """The colours of some of the frames."""
    columns = np.concatenate([np.asarray(one) for one in frames], axis=1)
    return Image.fromarray(columns).quantize(COLOURS, dither=Image.Dither.NONE)


def trajectories() -> tuple[xr.Dataset, list[xr.Dataset]]:
    """The ODE with its predicted fluctuations, and every replica as a simulation of its own."""
    committee = sgdsim.committee
    problem = committee.Committee.from_scaling(d=100, kappa=0.0, delta=0.0, p0=WIDTH, k=WIDTH, noise=1e-3)
    start = committee.overlap_start(problem, 0.5, seed=2)
    times = sgdsim.log_times(500.0, FRAMES, first=0.5)
    theory = sgdsim.solve(problem, start, times, theory=committee.ExactODE(fluctuations=True))
    run = [sgdsim.simulate(problem, start, times, replicas=1, seed=seed, compare=False) for seed in range(REPLICAS)]
    return theory, run


def inside(theory: xr.Dataset, runs: list[xr.Dataset]) -> float:
    """The share of all points of the replicas that lie within the band."""
    away = [abs(run["M"].to_numpy() - theory["M"].to_numpy()) for run in runs]
    return float(np.mean(np.array(away) < WITHIN * theory["M_predicted_std"].to_numpy()))


def frame(theory: xr.Dataset, runs: list[xr.Dataset], now: int) -> Image.Image:
    """The picture at one of the save times."""
    figure = styled(lambda: drawn(theory, runs, now))
    figure.dpi = DPI
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def drawn(theory: xr.Dataset, runs: list[xr.Dataset], now: int) -> Figure:
    """Overlaps on the left, trajectories on the right."""
    figure = Figure(figsize=SIZE)
    # Fixed places: a layout that is made anew for every frame trembles.
    matrix, curves = figure.add_axes((0.03, 0.12, 0.36, 0.72)), figure.add_axes((0.5, 0.17, 0.46, 0.67))
    draw_overlaps(matrix, runs[0].isel(time=now))
    draw_curves(curves, theory, runs, now)
    figure.text(0.03, 0.92, f"one-pass SGD, p = k = {WIDTH}, d = 100", fontsize=10)
    told = f"overlaps of one replica: red 1, white 0, blue {MINUS}1"
    figure.text(0.03, 0.02, told, fontsize=8)
    figure.text(0.96, 0.92, f"$t$ = {float(theory['time'][now]):.1f}", fontsize=10, ha="right", family="monospace")
    return figure


def draw_overlaps(axes: Axes, run: xr.Dataset) -> None:
    """Q, M and P as one matrix, with frames about the elements that are drawn against time."""
    M, Q = run["M"].to_numpy(), run["Q"].to_numpy()
    omega = np.block([[Q, M], [M.T, np.eye(WIDTH)]])
    axes.imshow(omega, cmap="RdBu_r", vmin=-1.2, vmax=1.2)
    for line in (axes.axhline, axes.axvline):
        line(WIDTH - 0.5, color="white", linewidth=3)
    for (row, column), colour in zip(ELEMENTS, CATEGORIES, strict=False):
        place = (WIDTH + column - 0.44, row - 0.44)
        axes.add_patch(Rectangle(place, 0.88, 0.88, fill=False, edgecolor=colour, linewidth=2.2))
    for column, row, text in ((0, -0.7, "$Q$"), (WIDTH, -0.7, "$M$"), (WIDTH, 2 * WIDTH - 0.25, "$P$")):
        axes.text(column + (WIDTH - 1) / 2, row, text, ha="center", va="center", fontsize=10)
    axes.set_axis_off()


def draw_curves(axes: Axes, theory: xr.Dataset, runs: list[xr.Dataset], now: int) -> None:
    """Bands and ODE over all times, replicas up to now."""
    times = theory["time"].to_numpy()
    for (row, column), colour in zip(ELEMENTS, CATEGORIES, strict=False):
        mean, width = (theory[name].to_numpy()[:, row, column] for name in ("M", "M_predicted_std"))
        axes.fill_between(times, mean - WITHIN * width, mean + WITHIN * width, color=colour, alpha=0.25, linewidth=0)
        axes.plot(times, mean, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=3)
        for run in runs:
            axes.plot(times[: now + 1], run["M"].to_numpy()[: now + 1, row, column], color=colour, linewidth=0.7)
        text, aside = f"$M_{{{row + 1}{column + 1}}}$", (4, 5 if row == column == 0 else -5)
        axes.annotate(text, (times[-1], mean[-1]), aside, textcoords="offset points", va="center", color=colour)
    axes.axvline(times[now], color=INK, linewidth=0.6)
    axes.set(xscale="log", xlim=(times[0], times[-1]), ylim=(-0.2, 1.15), xlabel="$t$")
    axes.set_title(f"{len(runs)} replicas in the predicted band; dashed: ODE", fontsize=8)


if __name__ == "__main__":
    main()
