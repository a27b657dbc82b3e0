"""Wide networks written out in NumPy, atom by atom: what the tests hold the compiled code against."""

import numpy as np

from sgdsim.meanfield.models import tanh_model

X = np.arange(1, 9) / 4
G = 0.6 * np.tanh(3 * X) - 0.4 * np.tanh(0.5 * X)
LABELS = np.stack([G + 0.5, G - 0.5], axis=1).ravel()
"""Labels of the atoms 2j and 2j + 1 at x_j."""
MODEL = tanh_model()


def slopes(w: np.ndarray, m: np.ndarray) -> np.ndarray:
    """H of every particle at every atom, (particles, atoms)."""
    x = np.repeat(X, 2)
    return (np.repeat(m, 2) - LABELS) * x / np.cosh(np.outer(w, x)) ** 2


def drift_and_variance(w: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """h and Sigma of every particle."""
    H = slopes(w, m)
    return H.mean(axis=1), H.var(axis=1)


def sgd(w: np.ndarray, eps: float, atoms: np.ndarray) -> np.ndarray:
    """SGD of all particles on one atom after the other."""
    for atom in atoms:
        prediction = np.tanh(w * X[atom // 2]).mean()
        w = w - eps * (prediction - LABELS[atom]) * X[atom // 2] / np.cosh(w * X[atom // 2]) ** 2
    return w
