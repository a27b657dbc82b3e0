"""Tiles: the fixed groups of replicas that are simulated, averaged and stored together."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

PARTS = ("mean", "m2", "theory", "kept", "paths")


@dataclass(frozen=True)
class Tiles:
    """Statistics of consecutive tiles of one ensemble: everything a block file holds.

    - `count`: replicas averaged in each tile, which are within bounds at every save time, shape (tiles,).
    - `diverged`: replicas left out because they are not; see `statistics.divergence_bound`; shape (tiles,).
    - `mean`, `m2`: per observable, and with a theory of the `deviation` |Omega - Omega_bar|_inf from it, mean over the
      tile's replicas and sum of squared distances from that mean, shape (tiles, times, *dims).
    - `theory`: per observable, the theory's curve averaged over the same replicas (for a shared start: the curve),
      shape (tiles, times, *dims); empty without a theory.
    - `sup_deviation`, `final_deviation`: |Omega - Omega_bar|_inf of every replica, its maximum over the save times and
      its value at the last, shape (replicas,); NaN for a diverged replica and without a theory.
    - `kept`: for the observables that a simulator keeps, the value of every replica at the last save time, shape
      (replicas, *dims); NaN for a diverged replica.
    - `paths`: the order parameters of the replicas that are followed, shape (followed, times, *dims), also where one
      diverged; empty where none is. No block has them.
    """

    count: Int[np.ndarray, " tiles"]
    diverged: Int[np.ndarray, " tiles"]
    mean: dict[str, Float[np.ndarray, "tiles times ..."]]
    m2: dict[str, Float[np.ndarray, "tiles times ..."]]
    theory: dict[str, Float[np.ndarray, "tiles times ..."]]
    sup_deviation: Float[np.ndarray, " replicas"]
    final_deviation: Float[np.ndarray, " replicas"]
    kept: dict[str, Float[np.ndarray, "replicas ..."]] = field(default_factory=dict)
    paths: dict[str, Float[np.ndarray, "followed times ..."]] = field(default_factory=dict)

    @property
    def finite_theory(self) -> bool:
        """Whether the theory is finite everywhere."""
        return all(bool(np.isfinite(curve).all()) for curve in self.theory.values())

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All arrays under flat names ("count", "mean.Q", ...), as a block file stores them."""
        flat = {name: value for name, value in vars(self).items() if name not in PARTS}
        for part in PARTS:
            flat |= {f"{part}.{name}": value for name, value in getattr(self, part).items()}
        return flat

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Tiles":
        """The inverse of `to_arrays`."""
        fields: dict[str, Any] = {part: {} for part in PARTS}
        for name, value in arrays.items():
            part, _, variable = name.partition(".")
            if variable:
                fields[part][variable] = value
            else:
                fields[name] = value
        return cls(**fields)

    @classmethod
    def concatenate(cls, parts: list["Tiles"]) -> "Tiles":
        """Consecutive pieces of one ensemble, in order, as one."""
        flats = [part.to_arrays() for part in parts]
        return cls.from_arrays({name: np.concatenate([flat[name] for flat in flats]) for name in flats[0]})
