"""What sgdsim raises and warns of: two exceptions and a warning, whose messages name the cause and the remedy."""


class ArgumentError(ValueError):
    """A value that the physics or the numerics cannot take: "Argument `x` must ..., but got ...".

    `argument` names the offending argument, so that an experiment file can blame the key it came from.
    """

    def __init__(self, argument: str, must: str, got: object, remedy: str = "") -> None:
        self.argument = argument
        self.must = must
        self.got = got
        self.remedy = remedy
        hint = f" {remedy}" if remedy else ""
        super().__init__(f"Argument `{argument}` must {must}, but got {got!r}.{hint}")


class CautionWarning(UserWarning):
    """What a user should know of a problem that is simulated from Python; `sgdsim plan` and `run` print the same.

    `warnings.simplefilter("ignore", sgdsim.CautionWarning)` silences it, "error" makes an exception of it.
    """


class ExperimentError(Exception):
    """Everything that is wrong with an experiment file or a run directory, one finished line for each problem."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def unwritable(error: Exception) -> str:
    """What could not be read or written, and why, in a line."""
    if isinstance(error, OSError):
        # Of a file that is renamed the second name is the one that a reader knows.
        name = error.filename2 or error.filename or "a file of the run"
        return f"{name}: cannot be read or written ({error.strerror or error})"
    return str(error)
