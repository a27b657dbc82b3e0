"""What a user should know of how a run goes, and need do nothing about: one line on the standard error, once."""

import logging
from functools import lru_cache


@lru_cache(maxsize=64)
def notice(line: str) -> None:
    """Tells a line, unless this process has told it. `logging.getLogger("sgdsim")` can send it elsewhere."""
    logging.getLogger("sgdsim").warning("sgdsim: %s", line)
