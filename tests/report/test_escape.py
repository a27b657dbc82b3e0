"""The figure of escapes: shares against time with theory, and medians against d with the law and its slope."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from sgdsim.errors import ArgumentError
from sgdsim.figures.catalogue import FIGURES
from sgdsim.figures.committee.escape import draw_escape_times, draw_escaped
from sgdsim.figures.style import styled
from sgdsim.laws.log_power import FittedLogPower
from tests.report.wide import TIMES, wide

D = (64, 512, 4096)


def fitted(exponent=0.0):
    """A law of slope 16 whose points lie on it; theory is 2 larger, and expects a slope of 15."""
    median = [20 + 16 * np.log(d) for d in D]
    return FittedLogPower(
        quantity="escape_time",
        against="d",
        second="d",
        a=20.0,
        b=16.0,
        b_error=1.3,
        exponent=exponent,
        expected_b=15.0,
        theory_points=[value + 2 for value in median],
        points=[[d, d, value, 3.0] for d, value in zip(D, median, strict=True)],
    )


@pytest.fixture(scope="module")
def run():
    bare = wide([{"N": 64, "d": d} for d in D], {"escape": fitted()})
    share = np.stack([np.clip((TIMES - 1 - late) / 2, 0, 1) for late in (0.0, 1.0, 2.0)])
    attrs = {"long_name": "share", "symbol": "F"}
    parts = {"": share, "_sem": 0.03 + 0 * share, "_std": share, "_theory": share**2}
    more = {f"escaped{part}": (("cell", "time"), values, attrs) for part, values in parts.items()}
    return dataclasses.replace(bare, results=bare.results.assign({k: xr.Variable(*v) for k, v in more.items()}))


def test_shares_with_their_errors_and_theory(run):
    left = styled(lambda: FIGURES["escape"].draw(run)).axes[0]
    solid = [line for line in left.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == len(TIMES)]
    dashed = [line for line in left.lines if line.get_linestyle() == "--"]
    assert len(solid) == len(dashed) == len(left.collections) == 3
    for line, theory, band in zip(solid, dashed, left.collections, strict=True):
        np.testing.assert_allclose(theory.get_ydata(), np.square(line.get_ydata()))
        heights = band.get_paths()[0].vertices[:, 1]
        assert heights.max() == pytest.approx(line.get_ydata().max() + 0.03)
        assert heights.min() == pytest.approx(line.get_ydata().min() - 0.03)


def test_medians_with_the_law_and_the_slope_of_the_linearised_ode(run):
    right = styled(lambda: FIGURES["escape"].draw(run)).axes[1]
    np.testing.assert_allclose(right.containers[0][0].get_ydata(), 20 + 16 * np.log(D))
    slopes = [
        np.ptp(line.get_ydata()) / np.ptp(np.log(line.get_xdata())) for line in right.lines if len(line.get_xdata()) > 3
    ]
    np.testing.assert_allclose(slopes, [16, 15])
    (theory,) = (line for line in right.lines if line.get_marker() == "x")
    np.testing.assert_allclose(theory.get_ydata(), 22 + 16 * np.log(D))
    labels = [text.get_text() for text in right.get_legend().get_texts()]
    assert "b = 16.0(13)" in labels
    assert r"$1/(2\lambda)$ = 15" in labels


def test_it_says_what_it_needs(run):
    without = wide([{"N": 64, "d": d} for d in D], {"escape": fitted()})
    other = dataclasses.replace(run, summary=wide([{"N": 64, "d": 64}], {"escape": fitted(0.5)}).summary)
    assert "escape_level" in FIGURES["escape"].lacks(without)
    assert "escape_time" in FIGURES["escape"].lacks(other)
    with pytest.raises(ArgumentError, match="escape_level"):
        draw_escaped(without)
    with pytest.raises(ArgumentError, match="log_power"):
        draw_escape_times(other)
    assert "Dotted" in FIGURES["escape"].caption(run)
