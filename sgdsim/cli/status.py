"""The command status: what the folder of a run says about it, once or again and again."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sgdsim.amounts import duration, size_text
from sgdsim.cli.app import WIDEST, Folder, Json, main, plain, plain_errors, shown, table, tell_json
from sgdsim.store.blocks import and_more

if TYPE_CHECKING:
    from sgdsim.run.status import CellStatus, RunStatus, WorkerStatus
    from sgdsim.store.presence import Sign

MOST_CELLS, MOST_ROWS = 100, 40
"""Of more cells than these, so many rows are shown."""
BELOW = 16
"""Lines of a terminal left for what stands below the cells."""
LIVE_SECONDS, LINES_SECONDS = 2.0, 10.0
"""Time between two looks: on a terminal, and in a log."""
Watch = Annotated[bool, typer.Option("--watch", help="Look again every few seconds until the run is over.")]


@main.command()
def status(folder: Folder, watch: Watch = False, as_json: Json = False) -> None:
    """Show how far a run is and who is at work on it, from what is on disk. With --watch and --json, a line a look."""
    with plain_errors():
        from sgdsim.run.status import StatusReader
        from sgdsim.store.directory import RunDirectory

        reader = StatusReader(RunDirectory(folder))
        console = Console(highlight=False)
        if watch and console.is_terminal and not as_json:
            rows = max(1, console.height - BELOW)
            _follow_live(reader.read, console, rows)
            return
        tell = _tell_json if as_json else lambda state: _print(console, state)
        state = reader.read()
        tell(state)
        while watch and not state.over:
            time.sleep(LINES_SECONDS)
            state = reader.read()
            if not as_json:
                typer.echo()
            tell(state)


def _tell_json(state: "RunStatus") -> None:
    """The state as a line for a program: all that the classes of `sgdsim.run.status` have, seconds and bytes."""
    cells = [{"index": cell.index, "done": cell.done} | vars(cell) for cell in state.cells]
    tell_json(vars(state) | {"cells": cells, "rate": state.rate, "over": state.over})


def _follow_live(read: Callable[[], "RunStatus"], console: Console, rows: int) -> None:
    """Shows the status in place until the run is over."""
    state = read()
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        live.update(Group(*_parts(state, rows)), refresh=True)
        while not state.over:
            time.sleep(LIVE_SECONDS)
            state = read()
            live.update(Group(*_parts(state, rows)), refresh=True)


def _print(console: Console, state: "RunStatus") -> None:
    parts = list(_parts(state, MOST_ROWS if len(state.cells) > MOST_CELLS else MOST_CELLS))
    wide = console.options.update(width=WIDEST)
    # In a pipe numbers are wrapped by whoever shows them, never cut.
    tables = [console.measure(part, options=wide).maximum for part in parts if isinstance(part, Table)]
    console.width = max([console.width, *tables])
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text))


def _parts(state: "RunStatus", rows: int) -> Iterator[Table | Text]:
    """What is shown, from top to bottom."""
    yield shown(state.title)
    chosen = _choose(state.cells, rows)
    if chosen:
        yield _cells(chosen)
    if len(chosen) < len(state.cells):
        named = {cell.index for cell in chosen}
        yield shown(_rest([cell for cell in state.cells if cell.index not in named], named))
    if state.workers:
        yield _workers(state.workers)
    for cell in state.cells:
        if cell.error is not None:
            yield shown(f"failed: {cell.error}")
    for note in state.notes:
        yield shown(note)
    yield shown(_totals(state))
    yield shown(f"{size_text(state.disk)} on disk; results {_results(state)}")


def _choose(cells: "Sequence[CellStatus]", most: int) -> "list[CellStatus]":
    """The cells that are shown: all, or if they are too many, those that failed, are worked on, or have just begun."""
    if len(cells) <= most:
        return list(cells)
    unfinished = [cell for cell in cells if not cell.done]
    unfinished.sort(key=lambda cell: (cell.error is None, not cell.running, not cell.blocks_done))
    return sorted(unfinished[:most], key=lambda cell: cell.index)


def _cells(cells: "Sequence[CellStatus]") -> Table:
    rows = table("cell", *(cells[0].axes if cells else ()), "blocks", "replicas", "diverged", "state")
    for cell in cells:
        blocks, replicas = f"{cell.blocks_done}/{cell.blocks}", f"{cell.replicas_done}/{cell.replicas}"
        lost = "theory diverged" if cell.theory_diverged else str(cell.diverged)
        rows.add(str(cell.index), *map(plain, cell.axes.values()), blocks, replicas, lost, _state(cell))
    return rows


def _state(cell: "CellStatus") -> str:
    if cell.done:
        return "done"
    words = ["failed"] if cell.error is not None else []
    words += [f"{cell.running} running"] if cell.running else []
    return ", ".join(words) or ("begun" if cell.blocks_done else "not begun")


def _rest(cells: "Sequence[CellStatus]", named: Collection[int]) -> str:
    """The cells that are not among those shown, counted."""
    head = f"... and {len(cells)} more cells" if named else f"{len(cells)} cells"
    states = Counter("running" if cell.running else _state(cell) for cell in cells)
    return f"{head}: " + ", ".join(f"{count} {state}" for state, count in states.items())


def _workers(workers: "Sequence[WorkerStatus]") -> Table:
    rows = table("at work", "process", "block", "done", "for", "rate")
    for worker in workers:
        sign = worker.sign
        share = f"{min(sign.done / sign.work, 1):.0%}" if sign.work else ""
        since = duration(sign.seconds) if sign.block else ""
        if worker.silence is not None:
            since = f"no sign for {duration(worker.silence)}"
        rate = f"{sign.rate:.3g} {sign.unit}/s" if sign.rate else ""
        rows.add(worker.worker.host, str(worker.worker.pid), _in_hand(sign), share, since, rate)
    return rows


def _in_hand(sign: "Sign") -> str:
    """The block in hand, and how many are made together with it."""
    return and_more(sign.block, len(sign.others)) if sign.block else "none"


def _totals(state: "RunStatus") -> str:
    """The counts of the whole run, in a line."""
    cells = state.cells
    done, total = sum(cell.blocks_done for cell in cells), sum(cell.blocks for cell in cells)
    failed = sum(cell.error is not None for cell in cells)
    words = [f"{done} of {total} blocks", f"{sum(cell.running for cell in cells)} running"]
    words += [f"{failed} {'cell' if failed == 1 else 'cells'} failed"] if failed else []
    words += [f"{sum(cell.diverged for cell in cells)} replicas diverged"]
    words += [f"{state.rate:.3g} {state.at_work[0].sign.unit}/s"] if state.rate else []
    if state.seconds_left is not None:
        guess = ", if cells not begun cost what was planned" if state.guessed else ""
        words += [f"about {duration(state.seconds_left)} left{guess}"]
    elif not state.at_work and not state.over:
        words += ["nobody is at work"]
    return ", ".join(words)


def _results(state: "RunStatus") -> str:
    if not state.written:
        return "not written yet"
    return "written" if all(cell.settled for cell in state.cells) else "written before, of fewer blocks"
