"""A run from Python: what `sgdsim run` does from the command line, with the finished run as the result."""

import shlex
import sys
import warnings
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from sgdsim.checks import choice
from sgdsim.errors import ArgumentError, CautionWarning, ExperimentError
from sgdsim.experiment.experiment import Experiment, load_experiment
from sgdsim.experiment.shipped import find_config, is_run
from sgdsim.notices import watched
from sgdsim.printable import printable
from sgdsim.run.conductor import Conductor
from sgdsim.run.memory import wait_for_devices
from sgdsim.run.opened import load_run, open_run
from sgdsim.run.options import Options
from sgdsim.run.plan import cautions, doubts
from sgdsim.run.stop import Exit
from sgdsim.store.directory import RunDirectory
from sgdsim.store.finished import Run
from sgdsim.store.finished import open_run as open_finished
from sgdsim.store.foreign import check_free

Place = str | PathLike[str]


def run(
    experiment: Place | Mapping[str, Any],
    folder: Place | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    quick: bool = False,
    progress: bool | None = None,
    accept_code: bool = False,
) -> Run:
    """Runs an experiment, or what is missing of it, then fits and draws the results, as `sgdsim run` does.

    **Arguments:**

    - `experiment`: the path of an experiment file, the name of one that comes with sgdsim, the folder of a run, or the
      tables of such a file as a dict, in which NumPy's numbers and arrays may stand, e.g. `run.experiment` of another.
    - `folder`: of the run; it must be given for a dict, and is runs/NAME by default.
    - `overrides`: values of keys, e.g. {"problem.noise": 0.01, "grid.d": [100, 300]}.
    - `quick`: at the reduced size that the table [quick] tells.
    - `progress`: whether to say how far it is; None where a person looks, in a terminal or a notebook.
    - `accept_code`: whether blocks of this code may stand beside those of the code that began the run.

    The same call takes a run up again that was stopped, and returns one that is finished. The first Ctrl-C stops after
    the blocks in hand, the second at once.

    **Returns:** the finished run: `data`, `summary`, `fits`, `experiment`.

    **Raises:** ExperimentError with one line for each thing that is wrong; KeyboardInterrupt after Ctrl-C, and
    SystemExit with code 75 after SIGTERM or SIGUSR1.

    **Warns:** CautionWarning for what should be known of the problem, or of what came out, and for every cell that
    failed.
    """
    for name, value, known in (("quick", quick, (True, False)), ("progress", progress, (True, False, None))):
        choice(name, value, known)
    found = _found(experiment, overrides or {}, quick)
    target = _target(experiment, found, folder)
    if isinstance(experiment, Mapping):
        found = replace(found, name=printable(target.name))
    check_free(RunDirectory(target))
    for text in cautions(found):
        warnings.warn(text, CautionWarning, stacklevel=3)
    quiet = not (watched() if progress is None else progress)
    said = _Said()
    wait_for_devices(said)
    options = Options(shlex.join(["sgdsim", "run", str(target)]), quiet=quiet)
    conductor = Conductor(open_run(found, target, accept_code), options, said, end=lambda code: None)
    _check(conductor.run(), conductor, said, target)
    return open_finished(target)


def _found(experiment: Place | Mapping[str, Any], overrides: Mapping[str, Any], quick: bool) -> Experiment:
    """The experiment, read and checked."""
    if isinstance(experiment, Mapping):
        return load_experiment(experiment, overrides, quick)
    path = fspath(experiment)
    if is_run(Path(path)) and not (overrides or quick):
        return load_run(RunDirectory(Path(path)))
    return load_experiment(find_config(path), overrides, quick)


def _target(experiment: Place | Mapping[str, Any], found: Experiment, folder: Place | None) -> Path:
    """The folder of the run."""
    if folder is not None:
        return Path(folder)
    if isinstance(experiment, Mapping):
        raise ArgumentError("folder", "be given for an experiment that is in no file", None, 'Write e.g. "runs/mine".')
    begun = Path(experiment)
    return begun if is_run(begun) else Path("runs") / found.name


class _Said(list[str]):
    """Writes lines for the user to stderr, and keeps them for an exception."""

    def __call__(self, text: str) -> None:
        for line in text.splitlines():
            self.append(printable(line))
            sys.stderr.write(f"{self[-1]}\n")


def _check(code: Exit, conductor: Conductor, said: list[str], folder: Path) -> None:
    """Raises or warns where a run did not come to its end; see `run`."""
    if code == Exit.INTERRUPTED:
        raise KeyboardInterrupt
    if code == Exit.RESUMABLE:
        raise SystemExit(int(code))
    summary = conductor.summary
    if summary is None:
        raise ExperimentError(said or [f"{folder}: another process is writing the results; open them later"])
    failed = [cell for cell in summary.cells if cell.error]
    if code == Exit.FAILED and not failed:  # the report could not be written
        raise ExperimentError(said)
    for cell in failed:
        warnings.warn(f"cell {cell.cell} failed: {cell.error}", CautionWarning, stacklevel=4)
    for text in doubts(summary):
        warnings.warn(text, CautionWarning, stacklevel=4)
