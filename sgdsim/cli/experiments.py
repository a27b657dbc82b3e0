"""Commands about experiments: plan, list."""

import os
import tomllib

from sgdsim.cli.app import (
    Config,
    Overrides,
    Quick,
    caution,
    find_config,
    main,
    plain,
    plain_errors,
    shipped,
    show,
    table,
    tell,
)


@main.command()
def plan(config: Config, overrides: Overrides = None, quick: Quick = False) -> None:
    """Show what an experiment would take: cells, steps, memory, estimated time. Runs and writes nothing."""
    # Nothing is run: JAX need not take the memory of a GPU that others may be using.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with plain_errors():
        from sgdsim.amounts import duration, size_text
        from sgdsim.experiment.experiment import load_experiment
        from sgdsim.run.plan import make_plan

        experiment = load_experiment(find_config(config), overrides or (), quick)
        planned = make_plan(experiment)
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
        caution(experiment)


@main.command("list")
def list_experiments() -> None:
    """Show the experiments that come with sgdsim."""
    rows = table()
    for name, path in sorted(shipped().items()):
        rows.add(name, tomllib.loads(path.read_text(encoding="utf-8")).get("title", ""))
    show("sgdsim run NAME", rows)
