"""Running an experiment: here, on a cluster, in parts; and what is done with the folders that runs leave.

Called, it runs one, as `sgdsim run` does, and returns the finished `Run`:

    run = sgdsim.run("my.toml", "runs/my")
    run = sgdsim.run("committee/scaling_law", quick=True)
    run = sgdsim.run({"system": "committee", "problem": {...}, ...}, "runs/mine", overrides={"problem.noise": 0.01})

See `sgdsim.run.called.run` for the arguments.
"""

import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """`sgdsim.run` is this room and a function of the package: Python has one attribute for both."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from sgdsim.run.called import run

        return run(*arguments, **options)

    @property
    def __signature__(self) -> Any:
        """For help in a notebook."""
        import inspect

        from sgdsim.run.called import run

        return inspect.signature(run)


sys.modules[__name__].__class__ = _Room
