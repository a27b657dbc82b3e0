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
