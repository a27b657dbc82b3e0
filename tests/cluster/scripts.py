"""The scripts of configs/cluster as a user edits them."""

import re
import shlex
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "configs" / "cluster"


def edited(script, config, out, environment=None):
    """The text of a script with its three marked lines as a user would write them.

    - `environment`: the line that makes `sgdsim` and `dask` known; those of this Python by default.
    """
    lines = [
        f"config={shlex.quote(config)}",
        f"out={shlex.quote(str(out))}",
        environment or f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH",
    ]
    text = (SCRIPTS / script).read_text()
    for number, line in enumerate(lines, start=1):
        text, count = re.subn(rf"^.*# EDIT {number}/3: .*$", lambda _, line=line: line, text, flags=re.MULTILINE)
        assert count == 1
    assert "EDIT" not in text
    return text
