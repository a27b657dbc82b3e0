"""Small real runs of the committee, for figures that are about its phase diagram and its width."""

from sgdsim.report.stored import Stored
from sgdsim.sweep.engine import open_sweep
from sgdsim.sweep.experiment import load_experiment
from sgdsim.sweep.progress import Meter
from sgdsim.sweep.provenance import begin_session
from sgdsim.sweep.results import write_results

COMMON = """\
system = "committee"

[start]
kind = "overlap"
overlap = 0.5

[times]
final = 2.0
count = 4

[ensemble]
replicas = 16
"""


def run_committee(folder, tables):
    """The folder of a finished run of an experiment with the tables above and the given ones."""
    path = folder / "experiment.toml"
    path.write_text(COMMON + tables)
    experiment = load_experiment(path)
    sweep = open_sweep(experiment, folder / "run")
    begin_session(sweep.directory, experiment.name, experiment.seed, "sgdsim run")
    assert sweep.run(Meter())
    write_results(sweep)
    return folder / "run"


def stored(directory):
    """A fresh copy of what a run directory holds, which a test may change."""
    return Stored.load(directory)
