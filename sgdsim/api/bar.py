"""How far a simulation is: a bar where a person looks, nothing elsewhere, or a function of one's own."""

import warnings
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

from sgdsim.ensemble.evolution import silent
from sgdsim.ensemble.propagate import Progress
from sgdsim.errors import ArgumentError
from sgdsim.notices import watched

COMPILING, SIMULATING = "theory, compiling", "simulating"


class SimulationBar:
    """A bar with rate and time left, in a terminal or a notebook. It counts replica-steps, of which there are `total`.

    It is there before the first step, and says until then that the theory is solved and programs are compiled.
    """

    def __init__(self, total: int) -> None:
        with warnings.catch_warnings():
            # That a notebook has no widgets is no reason to say more than that the bar is of text.
            warnings.simplefilter("ignore")
            # Here and not above: where nobody looks, nothing is imported for it.
            from tqdm.auto import tqdm
        self._bar = tqdm(total=total, desc=COMPILING, unit="steps", unit_scale=True, dynamic_ncols=True)
        self._begun = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def __call__(self, steps: int) -> None:
        """Counts steps that were just done."""
        if not self._begun:
            # The clock of the rate starts now: compilation is over.
            self._begun = True
            self._bar.set_description(SIMULATING, refresh=False)
            self._bar.reset()
        self._bar.update(steps)


def check_progress(progress: object) -> None:
    """**Raises:** ArgumentError unless `progress` is True, False, None or a function."""
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise ArgumentError("progress", "be True or False, or a function of the replica-steps just done", progress)


def shown(progress: Progress | bool | None, total: int) -> AbstractContextManager[Progress]:
    """What shows the progress of so many replica-steps: a bar for True, and for None where a person looks."""
    if progress is None or isinstance(progress, bool):
        return SimulationBar(total) if progress or (progress is None and watched()) else nullcontext(silent)
    return nullcontext(progress)
