"""Ticks of logarithmic axes: few labels that never touch, minor ticks without any, and each number in one notation."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.ticker import Formatter, Locator, LogLocator, MaxNLocator, NullFormatter

from sgdsim.analysis.numbers import plain
from sgdsim.figures.typeset import typeset

DIVISIONS = ((1, 2, 5), (1, 2, 3, 5), tuple(range(1, 10)))
"""Of a decade, where an axis has not two powers of ten: the first that gives FEWEST labels."""
FEWEST, MOST = 3, 7
PLAIN = (1e-3, 1e5)
"""Between these a label that is no power of ten is a decimal number, beyond them a multiple of one."""
LONG = 1.7
"""Places of an axis that a multiple of a power of ten takes."""


class LogTicks(Locator):
    """Powers of ten where two are in view; within fewer a decade is divided, and a short piece of one evenly."""

    def __call__(self) -> Sequence[float]:
        """The ticks in view."""
        assert isinstance(self.axis, Axis)
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """The ticks between two ends, in ascending order."""
        assert isinstance(self.axis, Axis)
        low, high = sorted((float(vmin), float(vmax)))
        if not (low > 0 and np.isfinite(high) and high > low):
            return []
        space = max(2, self.axis.get_tick_space())
        powers = 10.0 ** np.arange(np.ceil(np.log10(low) - 1e-9), np.floor(np.log10(high) + 1e-9) + 1)
        if len(powers) > 1:
            # From the largest down, so that the same powers stay when the axis gets shorter at its lower end.
            stride = -(-len(powers) // min(MOST, space))
            return powers[::-stride][::-1].tolist()
        for division in DIVISIONS:
            ticks = _divided(division, low, high)
            if len(ticks) >= FEWEST and self._apart(ticks, low, high, space):
                return ticks.tolist()
        return self._evenly(low, high, space)

    def _apart(self, ticks: np.ndarray, low: float, high: float, space: int) -> bool:
        """Whether no two labels would touch, by how many of them matplotlib takes the axis to have room for."""
        across = LONG if isinstance(self.axis, XAxis) and not _decimal(ticks) else 1.0
        return bool(np.diff(np.log(ticks)).min() / np.log(high / low) * space >= across)

    def _evenly(self, low: float, high: float, space: int) -> list[float]:
        """Round numbers at equal steps, as many of them as stand apart."""
        ticks = np.asarray(MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high))
        kept: list[float] = []
        for tick in ticks[(ticks >= low) & (ticks <= high)].tolist():
            if not kept or self._apart(np.array([kept[-1], tick]), low, high, space):
                kept.append(tick)
        return kept


class LogLabels(Formatter):
    """Powers of ten as such; among other numbers decimals, or multiples of a power where those would be long."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The label of a single tick."""
        return self.format_ticks([x])[0]

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """The labels of all ticks, in one notation."""
        ticks = np.asarray(values, np.float64)
        if len(ticks) > 1 and np.allclose(np.log10(ticks), np.rint(np.log10(ticks)), atol=1e-9):
            return [rf"$10^{{{round(float(power))}}}$" for power in np.log10(ticks)]
        # Six digits: a multiple of a power of ten is not exact, and would be written to the last of sixteen.
        rounded = [float(f"{tick:.6g}") for tick in ticks]
        return [plain(tick) if _decimal(ticks) else _multiple(tick) for tick in rounded]


def tidy(axes: Axes) -> Axes:
    """Gives the logarithmic axes these ticks; those whose ticks were set one by one keep them. Returns the axes."""
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_minor_formatter(NullFormatter())
            if isinstance(axis.get_major_locator(), LogLocator):
                axis.set_major_locator(LogTicks())
                axis.set_major_formatter(LogLabels())
    return axes


def _divided(division: Sequence[int], low: float, high: float) -> np.ndarray:
    """Multiples of powers of ten between two ends."""
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    every = np.outer(decades, division).ravel()
    return every[(every >= low * (1 - 1e-9)) & (every <= high * (1 + 1e-9))]


def _decimal(ticks: np.ndarray) -> bool:
    return bool(ticks.min() >= PLAIN[0] * (1 - 1e-9) and ticks.max() < PLAIN[1])


def _multiple(tick: float) -> str:
    mantissa, exponent = f"{tick:.5e}".split("e")
    return typeset(f"{float(mantissa):g}e{int(exponent)}")
