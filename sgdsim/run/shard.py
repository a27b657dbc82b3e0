"""A fixed part of the blocks of a run, for batch systems whose processes know nothing of each other."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sgdsim.printable import shorten
from sgdsim.store.blocks import Block


@dataclass(frozen=True)
class Shard:
    """Part `index` of `count`, 1 <= index <= count."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """From "i/n".

        **Raises:** ValueError where it is none.
        """
        found = re.fullmatch("([0-9]{1,18})/([0-9]{1,18})", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise ValueError(f"must be i/n with 1 <= i <= n, but got {shorten(repr(text))}")
        return cls(int(found[1]), int(found[2]))

    def of(self, blocks: Sequence[Block], work: Callable[[Block], int]) -> list[Block]:
        """Its blocks, largest first. All are dealt out in turn, by falling work, so that the parts take as long."""
        return largest_first(blocks, work)[self.index - 1 :: self.count]

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def largest_first(blocks: Sequence[Block], work: Callable[[Block], int]) -> list[Block]:
    """Blocks by falling work, so that no long one is left to the end; equal ones stay in order."""
    return sorted(blocks, key=work, reverse=True)
