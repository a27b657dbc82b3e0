"""Small real runs of the committee, for figures that are about its phase diagram and its width."""

from sgdsim.experiment.experiment import load_experiment
from sgdsim.run.provenance import begin_session
from sgdsim.store.directory import RunDirectory
from tests.helpers import finish

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
    finish(experiment, folder / "run")
    begin_session(RunDirectory(folder / "run"), experiment, "sgdsim run")
    return folder / "run"
