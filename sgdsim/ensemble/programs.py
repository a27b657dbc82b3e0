"""Compiled programs take memory maps, of which a process has a limited number: old programs make room for new ones."""

from pathlib import Path

import jax

_MAPS = Path("/proc/self/maps")
_GRANTED = Path("/proc/sys/vm/max_map_count")


def make_room() -> bool:
    """Forgets the programs compiled so far where they take more than half of the memory maps that a process may have.

    Linux grants 65530. XLA gives every function of a program for the CPU maps of its own: those of one cell of the
    committee, with its theory, have 900. A process that compiles for 70 widths p, one after another, would die in the
    compiler, of a fault that Python cannot catch. A program that is needed again is read from the cache on disk. Where
    the system does not tell, nothing is done.

    **Returns:** whether they were forgotten.
    """
    try:
        with _MAPS.open("rb") as lines:
            taken = sum(1 for _ in lines)
        granted = int(_GRANTED.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return False
    if 2 * taken <= granted:
        return False
    jax.clear_caches()
    return True
