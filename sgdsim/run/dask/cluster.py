"""Running blocks on a Dask cluster."""

import asyncio
import importlib.util
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sgdsim.errors import ExperimentError
from sgdsim.run.dask.scheduler import STEP_SECONDS, ask, connect, hushed, part
from sgdsim.run.dask.worker import Receipt, Ticket, Unfit, Unwritten
from sgdsim.run.ensembles import named
from sgdsim.run.local import SAFETY, WAIT_SECONDS, begin
from sgdsim.run.opened import OpenRun
from sgdsim.run.outcomes import Elsewhere, Failed, RunOutcome
from sgdsim.run.progress import Meter
from sgdsim.run.shard import largest_first
from sgdsim.run.stop import Dropped, Stop
from sgdsim.store.blocks import Block
from sgdsim.store.directory import Unwritable

if TYPE_CHECKING:
    from distributed import Client

DEPTH = 4
"""Blocks given to the scheduler for each thread of a worker, so that none waits for this process."""
DEATHS = 2
"""How often a block is given again that Dask has given up, because worker after worker died of it."""
LOOK_SECONDS = 2.0
"""Time between two looks at the workers and their signs of life."""


class _Lost(Exception):
    """The scheduler is gone, or out of reach."""


@dataclass(frozen=True)
class _Order:
    """A block and its place in the order of largest first."""

    place: int
    block: Block


class ClusterRun:
    """Makes those of some blocks that are not on disk, on the workers of a Dask cluster, largest first.

    The workers write the files and return receipts, so that of a worker that dies nothing is lost but the block in its
    hand. A block that a process outside the cluster has in hand is asked for again until it is there. Of a cell that
    fails the other blocks are left out, and the other cells are finished. When time is up the workers go on with what
    they have in hand, and are waited for as long as the stop allows.

    - `scheduler`: its address, "tcp://host:port", or the path of its scheduler file.
    """

    def __init__(self, opened: OpenRun, meter: Meter, stop: Stop, scheduler: str) -> None:
        self._opened = opened
        self._meter = meter
        self._stop = stop
        self._scheduler = scheduler
        self._ticket = Ticket.of(opened.directory)
        self._outcome = RunOutcome()
        self._left: list[_Order] = []
        self._held: list[tuple[float, _Order]] = []
        self._given: dict[asyncio.Task[Receipt], _Order] = {}
        self._asked = 0
        self._session = f"sgdsim-{uuid.uuid4().hex}"
        self._deaths: Counter[str] = Counter()
        self._crowd = _Crowd(opened, meter, scheduler)

    def run(self, blocks: Sequence[Block]) -> RunOutcome:
        """Makes the blocks.

        **Raises:** ExperimentError where no scheduler answers, or a worker cannot take part; Unwritable where a block
        cannot be stored; KeyboardInterrupt after a second signal.
        """
        if importlib.util.find_spec("distributed") is None:
            raise ExperimentError(["a cluster needs the package distributed: pip install 'sgdsim[cluster]'"])
        with hushed():
            return asyncio.run(self._run(blocks))

    async def _run(self, blocks: Sequence[Block]) -> RunOutcome:
        client = await connect(self._scheduler, self._stop)
        if client is None:
            self._outcome.stopped = True
            return self._outcome
        missing = largest_first(begin(self._opened, blocks, self._meter), self._opened.work)
        self._left = [_Order(place, block) for place, block in enumerate(missing)][::-1]
        try:
            await self._work(client)
        except _Lost:
            self._outcome.stopped = True
            self._meter.message(f"Lost the scheduler {self._scheduler}. What the workers have stored is kept.")
        except Dropped:
            self._withdraw()
            self._outcome.stopped, self._outcome.dropped = True, bool(self._given)
        finally:
            for task in self._given:
                task.cancel()
            await asyncio.gather(*self._given, return_exceptions=True)
            await part(client, self._ticket.folder)
        return self._outcome

    async def _work(self, client: "Client") -> None:
        """Gives out blocks and takes receipts, until all are settled or there is no time for more."""
        while self._left or self._held or self._given:
            await self._crowd.look(client, {order.block.name for order in self._given.values()})
            self._ask_again()
            if not self._stop.allows(self._expected()):
                self._withdraw()
                if not self._given:
                    self._outcome.stopped = True
                    return
            elif client.status == "running":
                self._give(client)
            elif client.status != "connecting":
                raise _Lost
            await self._receive()
            self._stop.check()

    def _expected(self) -> float | None:
        """Seconds that the next block will take, as far as those before it tell."""
        rate = self._crowd.rate
        return SAFETY * self._opened.work(self._left[-1].block) / rate if rate and self._left else None

    def _give(self, client: "Client") -> None:
        """Gives the scheduler as many blocks as keep the workers busy, not all: they may be 10^5."""
        room = max(1, DEPTH * self._crowd.threads)
        while self._left and len(self._given) < room:
            order = self._left.pop()
            if order.block.cell in self._outcome.failed:
                self._crowd.settle(order.block)
                continue
            self._asked += 1
            asking = ask(client, (self._session, self._asked), -order.place, self._ticket, order.block)
            self._given[asyncio.create_task(asking)] = order

    def _withdraw(self) -> None:
        """Takes back the blocks that no worker has in hand."""
        in_hand = self._opened.directory.claims.held()
        for task, order in list(self._given.items()):
            if order.block.name not in in_hand and not task.done():
                task.cancel()
                del self._given[task]
                self._left.append(order)

    def _ask_again(self) -> None:
        """Lays the blocks that were in other hands a while ago back on top of those left."""
        now = time.monotonic()
        self._left += [order for due, order in self._held if due <= now]
        self._held = [(due, order) for due, order in self._held if due > now]

    async def _receive(self) -> None:
        """Waits for receipts, not for long."""
        if not self._given:
            await asyncio.sleep(STEP_SECONDS)
            return
        done, _ = await asyncio.wait(self._given, timeout=STEP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            order, error = self._given.pop(task), task.exception()
            if error is None:
                self._take(order, task.result())
            else:
                self._take_back(order, error)

    def _take(self, order: _Order, receipt: Receipt) -> None:
        for text in receipt.said:
            self._meter.message(text)
        match receipt.outcome:
            case Unwritten(error):
                raise Unwritable(error)
            case Elsewhere(holder):
                self._crowd.wait_for(holder)
                self._held.append((time.monotonic() + WAIT_SECONDS, order))
                return
            case Failed(error):
                self._fail(order.block.cell, error)
            case made:
                self._outcome.made += made.seconds > 0
        self._crowd.settle(order.block)

    def _take_back(self, order: _Order, error: BaseException) -> None:
        """What to do with a block that came back without a receipt."""
        from distributed import CancelledError, KilledWorker
        from distributed.comm.core import CommClosedError

        block = order.block
        if isinstance(error, CancelledError | CommClosedError):
            self._left.append(order)  # the scheduler was lost, or has forgotten it
        elif isinstance(error, KilledWorker):
            self._deaths[block.name] += error.allowed_failures + 1
            if self._deaths[block.name] <= DEATHS * (error.allowed_failures + 1):
                self._left.append(order)
                return
            experiment, deaths = self._opened.experiment, self._deaths[block.name]
            why = f"{block.name} killed its worker {deaths} times; it may need more memory than a worker has"
            text = named(experiment, experiment.cells[block.cell], why)
            self._opened.directory.failures.record(block.cell, text)
            self._fail(block.cell, text)
            self._crowd.settle(block)
        else:
            words = str(error) if isinstance(error, Unfit) else f"{type(error).__name__}: {error}"
            raise ExperimentError([f"{self._scheduler}: {' '.join(words.split())}"])

    def _fail(self, cell: int, error: str) -> None:
        if cell not in self._outcome.failed:
            self._outcome.failed[cell] = error
            self._meter.message(error)


class _Crowd:
    """The workers, as their signs of life tell, and the work done so far by all together."""

    def __init__(self, opened: OpenRun, meter: Meter, scheduler: str) -> None:
        self._opened = opened
        self._meter = meter
        self._scheduler = scheduler
        self._waiting_for: set[str] = set()
        self._settled = self._shown = 0
        self._cost = self._shown_cost = 0.0
        self._in_hand: dict[str, int] = {}
        self._shares: dict[str, float] = {}
        self._costs = {block.name: opened.cost(block) for block in opened.blocks}
        self._next_look = 0.0
        self._size: int | None = None
        self.threads = 0
        self.rate: float | None = None

    async def look(self, client: "Client", given: set[str]) -> None:
        """Counts the workers and reads their signs of life, now and then."""
        if time.monotonic() >= self._next_look:
            if client.status == "running":
                with suppress(OSError, TimeoutError):
                    self._note(await asyncio.wait_for(client.nthreads(), LOOK_SECONDS))
            signs = [sign for sign in self._opened.directory.watch.signs() if sign.block in given]
            self._in_hand = {sign.block: min(sign.done, sign.work) for sign in signs}
            self._shares = {sign.block: min(sign.done / sign.work, 1.0) for sign in signs if sign.work}
            rates = [sign.rate for sign in signs if sign.rate]
            self.rate = sum(rates) / len(rates) if rates else self.rate
            self._next_look = time.monotonic() + LOOK_SECONDS
        self._show()

    def settle(self, block: Block) -> None:
        """Counts a block that is on disk, or will never be."""
        self._settled += self._opened.work(block)
        self._cost += self._opened.cost(block)
        self._in_hand.pop(block.name, None)
        self._shares.pop(block.name, None)
        self._show()

    def wait_for(self, holder: str) -> None:
        """Says, once, that another process has blocks in hand."""
        if holder not in self._waiting_for:
            self._waiting_for.add(holder)
            self._meter.message(f"Waiting for what {holder} has in hand in the same folder.")

    def _note(self, threads: dict[str, int]) -> None:
        """Says what has changed about the workers, if a user should know it."""
        if len(threads) != self._size:
            self._meter.cell(f"{len(threads)} worker{'s' if len(threads) != 1 else ''}")
            if not threads:
                self._meter.message(f"Waiting for a worker of {self._scheduler}.")
            elif not self._size:
                self._meter.resume()
        if max(threads.values(), default=1) > 1 and self.threads <= (self._size or 0):
            self._meter.message("A worker makes one block at a time: start it with --nthreads 1.")
        self._size, self.threads = len(threads), sum(threads.values())

    def _show(self) -> None:
        """Moves the meter forward; what a dead worker had done of a block is waited for, not counted twice."""
        done = self._settled + sum(self._in_hand.values())
        cost = self._cost + sum(self._costs[name] * share for name, share in self._shares.items())
        if done > self._shown:
            self._meter.weigh((cost - self._shown_cost) / (done - self._shown))
            self._meter.advance(done - self._shown)
            self._shown, self._shown_cost = done, cost
        elif not any(self._in_hand.values()):
            self._meter.resume()  # all are at theories and compilation: the clock stands
