"""Standard normals from low-discrepancy points: Sobol's, scrambled.

Point i of a coordinate has the binary digits V g(i), modulo 2, where g(i) are the digits of i in Gray's order and the
matrix V of direction numbers follows from a primitive polynomial over the field of two elements and the first columns
(Joe & Kuo 2008, whose numbers these are). Scrambled, they are L V g(i) + s with a random lower triangular L and random
digits s (Matousek 1998). The points are those of SciPy, whose module of statistics takes 0.7 s to import: a tenth of a
short run.
"""

import numpy as np
import scipy
from jaxtyping import Float, UInt32
from scipy.special import ndtri

DIGITS = 30
"""Binary digits of a coordinate."""

_NUMBERS = """
3 1; 7 1 3; 11 1 3 1; 13 1 1 1; 19 1 1 3 3; 25 1 3 5 13; 37 1 1 5 5 17; 41 1 1 5 5 5; 47 1 1 7 11 19; 55 1 1 5 1 1;
59 1 1 1 3 11; 61 1 3 5 5 31; 67 1 3 3 9 7 49; 91 1 1 1 15 21 21; 97 1 3 1 13 27 49; 103 1 1 1 15 7 5;
109 1 3 1 15 13 25; 115 1 1 5 5 19 61; 131 1 3 7 11 23 15 103; 137 1 3 7 13 13 15 69; 143 1 1 3 13 7 35 63;
145 1 3 5 9 1 25 53; 157 1 3 1 13 9 35 107; 167 1 3 1 5 27 61 31; 171 1 1 5 11 19 41 61; 185 1 3 5 3 3 13 69;
191 1 1 7 13 1 19 1; 193 1 3 7 5 13 19 59; 203 1 1 3 9 25 29 41; 211 1 3 5 13 23 1 55; 213 1 3 7 3 13 59 17;
229 1 3 1 3 5 53 69; 239 1 1 5 5 23 33 13; 241 1 1 7 7 1 61 123; 247 1 1 7 9 13 61 49; 253 1 3 3 5 3 55 33;
285 1 3 1 15 31 13 49 245; 299 1 3 5 15 31 59 63 97; 301 1 3 1 11 11 11 77 249; 333 1 3 1 11 27 43 71 9;
351 1 1 7 15 21 11 81 45; 355 1 3 7 3 25 31 65 79; 357 1 3 1 1 19 11 3 205; 361 1 1 5 9 19 21 29 157;
369 1 3 7 11 1 33 89 185; 391 1 3 3 3 15 9 79 71; 397 1 3 7 11 15 39 119 27
"""
"""Of the coordinates after the first: a polynomial, its coefficients as binary digits, and the first odd numbers."""

_COORDINATES = [[int(number) for number in row.split()] for row in _NUMBERS.split(";")]


def sobol_normals(n: int, log2: int) -> Float[np.ndarray, "points n"]:
    """2^log2 standard normals from scrambled Sobol points of a fixed seed."""
    return ndtri(np.clip(sobol_points(n, log2), 1e-12, 1 - 1e-12))


def sobol_points(n: int, log2: int) -> Float[np.ndarray, "points n"]:
    """2^log2 scrambled Sobol points of [0, 1)^n."""
    if n > 1 + len(_COORDINATES):
        # By this name it is imported when it is used.
        return scipy.stats.qmc.Sobol(n, scramble=True, rng=0).random_base2(log2)
    # As SciPy draws them.
    rng = np.random.default_rng(0).spawn(1)[0]
    last_first = rng.integers(2, size=(n, DIGITS), dtype=np.uint32)
    L = np.tril(rng.integers(2, size=(n, DIGITS, DIGITS), dtype=np.uint32))
    L[:, np.arange(DIGITS), np.arange(DIGITS)] = 1
    columns = _numbers(L @ _directions(n) % 2)
    points = _numbers(last_first[:, ::-1, None])
    for column in columns.T[:log2, :, None]:
        # Gray's order: the same once more, backwards, with one digit more.
        points = np.concatenate([points, points[:, ::-1] ^ column], axis=1)
    return np.ascontiguousarray(points.T) / 2.0**DIGITS


def _numbers(digits: UInt32[np.ndarray, "n digits columns"]) -> UInt32[np.ndarray, "n columns"]:
    """Columns of binary digits as whole numbers."""
    return np.tensordot(digits, 2 ** np.arange(DIGITS - 1, -1, -1, dtype=np.uint32), axes=(1, 0))


def _directions(n: int) -> UInt32[np.ndarray, "n digits digits"]:
    """V of every coordinate."""
    odd = [[1] * DIGITS, *(_continued(polynomial, first) for polynomial, *first in _COORDINATES[: n - 1])]
    numbers = np.array(odd, np.uint32) << np.arange(DIGITS - 1, -1, -1, dtype=np.uint32)
    return numbers[:, None, :] >> np.arange(DIGITS - 1, -1, -1, dtype=np.uint32)[:, None] & 1


def _continued(polynomial: int, first: list[int]) -> list[int]:
    """All odd numbers m_j < 2^j of a coordinate, by the recurrence of its polynomial."""
    numbers, degree = list(first), len(first)
    for _ in range(degree, DIGITS):
        new = numbers[-degree]
        for back in range(1, degree + 1):
            if polynomial >> (degree - back) & 1:
                new ^= numbers[-back] << back
        numbers.append(new)
    return numbers
