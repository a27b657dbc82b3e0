"""Who may import whom: downward only, no system another, and JAX only where numbers are made."""

from collections.abc import Iterator, Mapping

from tests.house.source import Import, Module, imports

SYSTEMS = ("committee", "meanfield", "recovery", "classification")
FLOORS = (
    ("cgroups", "printable"),
    ("bounds", "errors", "amounts", "notices", "_version", "_startup"),
    ("parameters", "plugins", "sources", "tracing"),
    ("checks", "cost"),
    ("contracts",),
    ("systems",),
    ("ensemble",),
    ("native", "analysis", "images", "students"),
    ("rules", "training"),
    SYSTEMS,
    ("laws",),
    ("store",),
    ("experiment",),
    ("figures",),
    ("report", "plot"),
    ("run",),
    ("api", "testing"),
    ("sgdsim",),
    ("cli",),
)
"""From the bottom up. A room may import those below it, none beside it. `systems` is the list of systems by name, which
are loaded when asked for; `sgdsim` is the package's own `__init__`."""
_RESULTS = {"printable", "errors", "amounts", "plugins", "contracts", "analysis", "laws", "store"}
READ_ONLY = {
    "figures": _RESULTS,
    "report": _RESULTS | {"figures", "sources"},
    "plot": _RESULTS | {"figures", "systems"},
}
"""All that the rooms may import that show stored results: nothing that simulates, nothing that reads experiments.
`plot` draws datasets too, and asks their system for the symbols."""
FRAMEWORKS = ("jax", "equinox", "diffrax")
WITHOUT_FRAMEWORKS = (
    "amounts",
    "cgroups",
    "errors",
    "printable",
    "analysis",
    "images",
    "laws",
    "store",
    "experiment",
    "figures",
    "report",
    "plot",
    "cli",
)
"""Rooms of which no file imports JAX itself. It may still come with `contracts`, whose classes are its pytrees."""
LIGHT = (
    "sgdsim.amounts",
    "sgdsim.cli",
    "sgdsim.errors",
    "sgdsim.printable",
    "sgdsim.sources",
    "sgdsim.store",
    "sgdsim.figures.common",
    "sgdsim.figures.committee",
    "sgdsim.figures.recovery",
    "sgdsim.run.options",
    "sgdsim.run.shard",
    "sgdsim.run.status",
    "sgdsim.run.stop",
)
"""What is imported without JAX's two seconds, not even by way of others: the command line until a command needs more,
looking at a run, and drawing what is stored. `laws`, `report` and the figures of `meanfield` are not light: they take
`analysis.dataset`, which needs the contracts and the statistics of ensembles."""


def violations(modules: Mapping[str, Module]) -> list[str]:
    """One line for every import that breaks a rule."""
    return [line for rule in (_upward, _heavy, _slow) for line in rule(modules)]


def _upward(modules: Mapping[str, Module]) -> Iterator[str]:
    floors = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    for module in modules.values():
        if module.room not in floors:
            yield f"{module.name}: stands on no floor"
            continue
        for found in imports(module):
            target = _own(found.target, modules)
            if target is None or target.room == module.room:
                continue
            if floors.get(target.room, len(FLOORS)) >= floors[module.room]:
                yield _told(module, found, "does not stand below it")
            elif target.room not in READ_ONLY.get(module.room, floors):
                yield _told(module, found, "is nothing for a room that shows results")


def _heavy(modules: Mapping[str, Module]) -> Iterator[str]:
    for module in modules.values():
        if module.room in WITHOUT_FRAMEWORKS:
            for found in imports(module):
                if found.target.split(".")[0] in FRAMEWORKS:
                    yield _told(module, found, "belongs where numbers are made")


def light_modules(modules: Mapping[str, Module]) -> list[str]:
    """The modules of `LIGHT`, and the package itself."""
    return [name for name in modules if name == "sgdsim" or any(f"{name}.".startswith(f"{room}.") for room in LIGHT)]


def _slow(modules: Mapping[str, Module]) -> Iterator[str]:
    for name in light_modules(modules):
        if way := _way_to_frameworks(name, modules):
            yield f"{name}: must load fast, but imports {' -> '.join(way)}"


def _way_to_frameworks(name: str, modules: Mapping[str, Module]) -> list[str]:
    """How the import of a module comes to that of a framework; empty where it does not."""
    ways = {name: [name]}
    todo = [name]
    for here in todo:  # it grows
        for found in imports(modules[here]):
            if not found.at_start:
                continue
            if found.target.split(".")[0] in FRAMEWORKS:
                return [*ways[here][1:], found.target]
            for there in _loaded(found.target, modules):
                if there not in ways:
                    ways[there] = [*ways[here], there]
                    todo.append(there)
    return []


def _loaded(target: str, modules: Mapping[str, Module]) -> list[str]:
    """The modules that an import loads: the one it names, and every package around it."""
    parts = target.split(".")
    heads = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return [head for head in heads if head in modules]


def _own(target: str, modules: Mapping[str, Module]) -> Module | None:
    """The module of the package that an import is of; None for others, and for the bare package, which loads none."""
    loaded = _loaded(target, modules)
    return modules[loaded[-1]] if loaded and target not in ("sgdsim", "sgdsim.__version__") else None


def _told(module: Module, found: Import, what: str) -> str:
    return f"{module.name}:{found.line}: {found.target} {what}"
