"""Which C++ compilers had a hand in the numbers of this process; without a need of JAX."""

_USED: set[str] = set()


def note(compiler: str) -> None:
    """Takes note of a compiler whose functions are called, by its name and version."""
    _USED.add(compiler)


def compilers_used() -> str:
    """All of them, e.g. "g++ 12.2.0"; empty where XLA has compiled everything."""
    return " and ".join(sorted(_USED))
