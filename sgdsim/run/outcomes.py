"""What comes of blocks, one by one, and of a run of them."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Made:
    """The block is on disk; `seconds` of simulation, 0 where it was there already."""

    seconds: float


@dataclass(frozen=True)
class Elsewhere:
    """Another process has the block in hand."""

    holder: str


@dataclass(frozen=True)
class Failed:
    """The block's cell failed for good."""

    error: str


BlockOutcome = Made | Elsewhere | Failed


@dataclass
class RunOutcome:
    """How a run ended.

    - `stopped`: whether a signal or the time limit ended it before its blocks were done.
    - `made`: blocks that it made; `dropped`: whether it gave one up.
    - `failed`: errors of the cells that failed for good.
    """

    stopped: bool = False
    made: int = 0
    dropped: bool = False
    failed: dict[int, str] = field(default_factory=dict)
