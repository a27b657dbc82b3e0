"""What a user should know of how a run goes, and need do nothing about; and whether anybody looks."""

import logging
import sys
from functools import lru_cache


@lru_cache(maxsize=64)
def notice(line: str) -> None:
    """Tells a line, unless this process has told it. `logging.getLogger("sgdsim")` can send it elsewhere."""
    logging.getLogger("sgdsim").warning("sgdsim: %s", line)


def watched() -> bool:
    """Whether a person looks at what is written to the standard error: on a terminal, or in a notebook."""
    return in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = sys.modules.get("IPython")
    shell = shell and shell.get_ipython()
    return shell is not None and "IPKernelApp" in shell.config
