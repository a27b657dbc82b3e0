"""Until when a run may take: for so long from now, or until shortly before the batch system ends the job."""

import os
import re
import time

from sgdsim.amounts import duration, parse_duration

END = "SLURM_JOB_END_TIME"
"""Where Slurm, from 23.02 on, says when the time limit of a job is over, in seconds since 1970."""
MARGIN = "120s"
"""What `auto` keeps of a job's time: Slurm sends its signals up to a minute early."""


def deadline(text: str) -> float:
    """When the time of a run is over, by the clock time.monotonic.

    - `text`: a length of time as `parse_duration` reads it, counted from now; "auto": until two minutes before the end
      of the Slurm job; "auto-10m": until ten minutes before it.

    **Raises:** ValueError where it is none of them, where the job's end is not known, or the job leaves no time.
    """
    found = re.fullmatch(r"auto(?:-(.*))?", text)
    if found is None:
        return time.monotonic() + parse_duration(text)
    return time.monotonic() + _left(parse_duration(found[1] if found[1] is not None else MARGIN))


def _left(margin: float) -> float:
    """Seconds until so much time before the end of the job."""
    said = os.environ.get(END)
    if said is None or not re.fullmatch(r"[0-9]{1,12}", said):
        but = "is not set" if said is None else f"is {said[:40]!r}"
        where = f"where {END} says when a job ends, which {but} here"
        raise ValueError(f"can be auto only {where}: give a length of time such as 3h30m, below the limit of the job")
    left = int(said) - time.time()
    if left <= margin:
        ends = f"ends in {duration(left)}" if left > 0 else "should have ended already"
        remedy = "give the job a longer limit, or keep less: auto-10s"
        raise ValueError(f"leaves no time: the job {ends}, and auto keeps {duration(margin)} of it; {remedy}")
    return left - margin
