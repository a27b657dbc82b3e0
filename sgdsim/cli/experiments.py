"""Commands about experiments: plan, list."""

import os
import tomllib
from typing import TYPE_CHECKING, Any

from sgdsim.cli.app import (
    Config,
    Json,
    Overrides,
    Quick,
    caution,
    main,
    plain,
    plain_errors,
    show,
    table,
    tell,
    tell_json,
)
from sgdsim.experiment.shipped import find_config, shipped

if TYPE_CHECKING:
    from sgdsim.experiment.experiment import Experiment
    from sgdsim.run.plan import Plan


@main.command()
def plan(config: Config, overrides: Overrides = None, quick: Quick = False, as_json: Json = False) -> None:
    """Show what an experiment would take: cells, steps, memory, estimated time. Runs and writes nothing."""
    # Nothing is run: JAX need not take the memory of a GPU that others may be using.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with plain_errors():
        from sgdsim.experiment.experiment import load_experiment
        from sgdsim.run.plan import cautions, make_plan

        experiment = load_experiment(find_config(config), overrides or (), quick)
        planned = make_plan(experiment)
        if as_json:
            tell_json(_as_object(experiment, planned) | {"cautions": cautions(experiment)})
            return
        _show(experiment, planned)
        caution(experiment)


def _as_object(experiment: "Experiment", planned: "Plan") -> dict[str, Any]:
    """A plan for a program: times in seconds of this machine, memory in bytes."""
    seconds = {"first": planned.first, "again": planned.again} | planned.parts
    named = {"name": experiment.name, "title": experiment.title, "system": experiment.system.name}
    return named | {"seconds": seconds, "rule": experiment.resolved.get("rule", {}), "cells": planned.cells}


def _show(experiment: "Experiment", planned: "Plan") -> None:
    from sgdsim.amounts import duration, size_text

    cells, first = planned.cells, planned.cells[0]
    labels = [*first.axes, *first.parameters]
    rows = table("cell", *labels, "dt", "theory", "steps", "replicas", "blocks", "memory", "time (estimate)")
    for index, cell in enumerate(cells):
        values = [plain(value) for value in (cell.axes | cell.parameters).values()]
        work = (str(cell.steps), str(cell.replicas), str(cell.blocks), size_text(cell.memory))
        rows.add(str(index), *values, f"{cell.dt:.3g}", cell.theory, *work, duration(cell.seconds))
    show(experiment.title, rows)
    steps = float(sum(cell.steps * cell.replicas for cell in cells))
    work = f"{steps:.3g} steps of SGD in all" if steps else "theory alone"
    parts = ", ".join(f"{name} {duration(seconds)}" for name, seconds in planned.parts.items() if seconds)
    if chosen := experiment.resolved.get("rule"):
        tell("rule: " + ", ".join(f"{name} = {plain(value)}" for name, value in chosen.items()))
    tell(f"{len(cells)} cells, {work}")
    tell(f"about {duration(planned.first)} on this machine (an estimate): {parts}")
    tell(f"about {duration(planned.again)} once its programs are compiled and kept")


@main.command("list")
def list_experiments(as_json: Json = False) -> None:
    """Show the experiments that come with sgdsim."""
    found = {name: tomllib.loads(path.read_text(encoding="utf-8")) for name, path in sorted(shipped().items())}
    titles = {name: str(document.get("title", "")) for name, document in found.items()}
    if as_json:
        systems = {name: document["system"] for name, document in found.items()}
        tell_json([{"name": name, "system": systems[name], "title": title} for name, title in titles.items()])
        return
    rows = table()
    for name, title in titles.items():
        rows.add(name, title)
    show("sgdsim run NAME", rows)
