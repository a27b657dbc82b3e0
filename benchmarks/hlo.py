"""What the loops of a compiled program cost on a GPU, read from its optimised code (HLO text).

The host launches every instruction that is not mere bookkeeping as a kernel. A loop whose number of iterations was
compiled in (`known_trip_count`) is launched as often; before every iteration of another one, and before it leaves it,
the host launches the loop's condition and waits for the answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

_BOOKKEEPING = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "while"}
"""Instructions that launch nothing themselves, and the ends of asynchronous ones, whose beginnings are counted."""
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?[\w.\-]+ = (?:\(.*?\)|\S+) ([\w\-]+)\(")
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) .*\{$")


@dataclass(frozen=True)
class Cost:
    """Of one iteration, or of one step.

    - `kernels`: launches, of which `calls` are those of libraries; `waits`: of the host for an answer.
    - `bounded`: False where a loop inside has a length that nobody knows: it is counted as one iteration.
    """

    kernels: float = 0
    calls: float = 0
    waits: float = 0
    bounded: bool = True

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.kernels + other.kernels,
            self.calls + other.calls,
            self.waits + other.waits,
            self.bounded and other.bounded,
        )

    def __mul__(self, times: float) -> "Cost":
        return Cost(times * self.kernels, times * self.calls, times * self.waits, self.bounded)


WAIT = Cost(waits=1)


@dataclass(frozen=True)
class Loop:
    """One loop; `trips` is None where its length was not compiled in."""

    program: "Program"
    condition: str
    body: str
    trips: int | None

    @property
    def iteration(self) -> Cost:
        """One iteration, with the question before it."""
        return self.program.cost(self.body) + self._question

    @property
    def whole(self) -> Cost:
        """All iterations."""
        if self.trips is not None:
            return self.iteration * self.trips
        return self.iteration + self._question + Cost(bounded=False)

    @property
    def _question(self) -> Cost:
        return Cost() if self.trips is not None else self.program.cost(self.condition) + WAIT


@dataclass(frozen=True)
class Program:
    """The text of a compiled program."""

    text: str

    @property
    def loops(self) -> list[Loop]:
        """The outermost loops, in their order."""
        return list(self._loops(self._entry))

    def cost(self, computation: str) -> Cost:
        """What one run of a computation costs, with all loops inside."""
        total = sum((loop.whole for loop in self._loops(computation)), Cost())
        for line, name in self._instructions(computation):
            if name == "conditional":
                total += WAIT + max(map(self.cost, _branches(line)), key=lambda cost: cost.kernels)
            elif name not in _BOOKKEEPING and not name.endswith("-done"):
                total += Cost(kernels=1, calls=float(name == "custom-call"))
        return total

    def _loops(self, computation: str) -> Iterator[Loop]:
        for line, name in self._instructions(computation):
            if name == "while":
                known = re.search(r'"known_trip_count":\{"n":"(\d+)"', line)
                trips = int(known.group(1)) if known else None
                yield Loop(self, _named("condition", line), _named("body", line), trips)

    def _instructions(self, computation: str) -> Iterator[tuple[str, str]]:
        """Lines and names; those of a computation that is called stand in the place of the call."""
        for line, name in self._computations[computation]:
            if name == "call":
                yield from self._instructions(_named("to_apply", line))
            else:
                yield line, name

    @property
    def _entry(self) -> str:
        return next(match.group(2) for match in map(_COMPUTATION.match, self.text.splitlines()) if match and match[1])

    @cached_property
    def _computations(self) -> dict[str, list[tuple[str, str]]]:
        """The lines of each computation, with the names of their instructions."""
        found: dict[str, list[tuple[str, str]]] = {}
        lines: list[tuple[str, str]] = []
        for line in self.text.splitlines():
            if head := _COMPUTATION.match(line):
                lines = found.setdefault(head.group(2), [])
            elif instruction := _INSTRUCTION.match(line):
                lines.append((line, instruction.group(1)))
        return found


def _named(attribute: str, line: str) -> str:
    """The computation that is an attribute of an instruction."""
    match = re.search(rf"{attribute}=%?([\w.\-]+)", line)
    assert match, f"an instruction without {attribute}: {line}"
    return match.group(1)


def _branches(line: str) -> list[str]:
    """The computations that a conditional chooses from."""
    if listed := re.search(r"branch_computations=\{(.*?)\}", line):
        return [name.strip().lstrip("%") for name in listed.group(1).split(",")]
    return [_named("true_computation", line), _named("false_computation", line)]
