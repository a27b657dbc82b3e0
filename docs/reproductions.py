"""Writes docs/reproductions.md: what papers say beside what the runs of `make gallery` measured.

`python docs/reproductions.py` reads the runs below runs/gallery, and keeps the rows of those that are not there.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from gallery import ROOT, RUNS, TIMES, minutes

from sgdsim.analysis.numbers import rounded
from sgdsim.laws.catalogue import headline
from sgdsim.store.stored import Stored

PAGE = ROOT / "docs" / "reproductions.md"
HEAD = """# Reproductions

What papers state or draw, beside what sgdsim measures. Every row is read from the run of its command, at full size
unless the command ends in `--quick`; the time is that of one core. Digits in parentheses are the standard error of
the last ones shown. The figures are in the [gallery](gallery.md), under the same command; what is exact and what is
not, is told [apart](exact.md). The page is written by `python docs/reproductions.py`.

| published | value there | measured | command | time |
|---|---|---|---|---|
"""
Measure = Callable[[Stored], str]


@dataclass(frozen=True)
class Row:
    """A line of the table: the experiment, where its value is published, the value, and how it is read from the run."""

    name: str
    where: str
    value: str
    measured: Measure

    @property
    def begins(self) -> str:
        """What tells the row from the others of the page."""
        return f"| {self.where} | {self.value} |"


def fits(*names: str) -> Measure:
    """What was fitted, in the words of the laws: the fits of these names, and of a grid all that share one."""

    def measured(run: Stored) -> str:
        chosen = {name: fit for name, fit in run.summary.fits.items() if name.partition("[")[0] in names}
        told = [headline(fit).split("; chi2")[0] for fit in chosen.values()]
        labels = [f"{name.partition('[')[2].rstrip(']')}: " if "[" in name else "" for name in chosen]
        return "; ".join(label + line for label, line in zip(labels, told, strict=True))

    return measured


def ends(observable: str, **axes: object) -> Measure:
    """An observable at the last save time in the cells with these coordinates, beside its theory."""

    def measured(run: Stored) -> str:
        lines = []
        for cell in run.summary.cells:
            if all(cell.axes.get(name) == value for name, value in axes.items()):
                end = cell.final[observable]
                other = ", ".join(f"{key} = {value:g}" for key, value in cell.axes.items() if key not in axes)
                theory = "" if end.theory is None else f" (theory {rounded(end.theory)})"
                lines.append(f"{other}: {rounded(end.mean, end.sem)}{theory}")
        return "; ".join(lines)

    return measured


VEIGA, GOLDT = "Veiga et al. 2022", "Goldt et al. 2019"
BORTOLI, URBANI = "De Bortoli et al. 2020", "Kamali & Urbani 2023, and slides"
FLOOR = "the risk settles at a level that falls as"
ROWS = (
    Row("committee/scaling_law", f"{VEIGA}, theorem 1", "deviation ~ sqrt(dt)", fits("scaling")),
    Row("committee/theorem", f"{VEIGA}, theorem 1", "deviation <= C log(p) sqrt(dt)", fits("theorem")),
    Row("committee/log_p", f"{VEIGA}, theorem 1", "deviation/sqrt(dt) <= C log(p) at one dt", fits("growth")),
    Row("committee/growing_width", f"{VEIGA}, theorem 1", "the same along p = 2 d^kappa", fits("theorem")),
    Row(
        "committee/figure_2_regions",
        f"{VEIGA}, figure 2",
        "perfect learning at theta > 0, a plateau at 0, bad learning below (curves)",
        ends("excess_risk"),
    ),
    Row(
        "committee/figure_3_blue_noise",
        f"{VEIGA}, figure 3",
        "a floor in proportion to noise (curves)",
        ends("excess_risk"),
    ),
    Row("committee/figure_4_green_half", f"{VEIGA}, figure 4", f"{FLOOR} d^(-1/2)", fits("floor")),
    Row("committee/figure_5_green_quarter", f"{VEIGA}, figure 5", f"{FLOOR} d^(-1/4)", fits("floor")),
    Row("committee/figure_6_trade_off", f"{VEIGA}, figure 6", "samples to a level ~ 1/dt", fits("samples")),
    Row(
        "committee/figure_7_orange", f"{VEIGA}, figure 7", "deviation ~ d^-(1/2 + theta) = d^(-1/8)", fits("deviation")
    ),
    Row("committee/figure_8_wide", f"{VEIGA}, figure 8", "students wider than the input (curves)", ends("excess_risk")),
    Row(
        "committee/figure_9_blue_wide",
        f"{VEIGA}, figure 9",
        "a plateau all along the blue line (curves)",
        ends("excess_risk"),
    ),
    Row(
        "committee/plateau",
        "Saad & Solla 1995",
        "a plateau, which is left at the rate of the linearised ODE: a ln d, a = 1/(2 lambda)",
        fits("escape"),
    ),
    Row(
        "committee/goldt",
        GOLDT,
        "excess ~ gamma noise; a first layer alone pays for every surplus unit, both layers do not",
        fits("error"),
    ),
    Row(
        "committee/information_exponent",
        "Ben Arous et al. 2021",
        "steps ~ d, d ln d, d^2, d^3",
        fits("steps", "logarithm"),
    ),
    Row(
        "committee/information_exponent_batch",
        "Arnaboldi et al. 2024",
        "steps ~ d^(2 - mu), samples ~ d^2",
        fits("steps", "samples"),
    ),
    Row(
        "committee/batch_reuse",
        "Dandi et al. 2024",
        "samples used twice: O(d) steps to a direction of He_3",
        fits("steps"),
    ),
    Row("meanfield/rates", BORTOLI, "E sup abs(W^N - W*)^2 ~ N^-(1 - beta), N^-1 at beta = 1", fits("coupling")),
    Row("meanfield/rates_output_weight", BORTOLI, "the same with output weights", fits("coupling")),
    Row("meanfield/rates_sgd", BORTOLI, "the same of SGD itself, given the data at beta = 1", fits("coupling")),
    Row("meanfield/mei", "Mei et al. 2018", "the risk follows the law of infinite width (curves)", ends("excess_risk")),
    Row("meanfield/lazy", "lazy scaling N^-a", "displacement^2 ~ N^(2(a - 1))", fits("displacement")),
    Row(
        "classification/regularisation",
        f"{BORTOLI}, table 1",
        "beta = 1 fits the training images less and the others better",
        ends("test_accuracy"),
    ),
    Row(
        "classification/table_1",
        f"{BORTOLI}, table 1",
        "a higher test accuracy at beta = 1 than at 0.75, N = 5000 and 10000 (here at equal epochs, 28)",
        ends("test_accuracy"),
    ),
    Row("recovery/threshold", URBANI, "alpha* = 2.27 (GD; the start is not stated)", fits("threshold")),
    Row("recovery/sgd_is_faster", URBANI, "SGD recovers where GD does not (curves)", ends("distance")),
    Row("recovery/stability", "Hessian at the signal", "eta = 1/(alpha + 1) for GD", fits("eta_max")),
)
AFTER = """
## What is not reproduced

- The constant of the theorem of Veiga et al. is not published; C above belongs to the start and the time of its run.
  In p the growth that is measured lies between log p and sqrt(log p), below the bound: see [committee
  machines](committee.md#how-far-and-the-theorem).
- Published curves are held against by theory at the same parameters, since the papers print no numbers of them.
- alpha\\* = 2.27 of the slides is one of many values: the threshold drifts with the overlap of the start, which they
  do not state; see [signal recovery](recovery.md#what-comes-out).
- Table 1 of De Bortoli et al. (N = 10^4, MNIST and CIFAR-10) is reproduced in its sign on 5000 images of MNIST alone:
  neither data set is embedded, and both are read from folders. At equal times beta = 0.75 and 1 agree within errors,
  see [wide networks](meanfield.md#classification).
"""


def main() -> None:
    """Writes the page."""
    old = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.is_file() else []
    times = json.loads((RUNS / TIMES).read_text())
    lines = [_line(row, times) or next((line for line in old if line.startswith(row.begins)), "") for row in ROWS]
    PAGE.write_text(HEAD + "\n".join(filter(None, lines)) + "\n" + AFTER, encoding="utf-8")


def _line(row: Row, times: dict[str, float]) -> str:
    """The row of a run that is there, at full size before the quick one; empty of none."""
    stem = row.name.split("/")[1]
    for folder, option in ((stem, ""), (f"{stem}-quick", " --quick")):
        if (RUNS / folder / "summary.json").is_file():
            measured = row.measured(Stored.load(RUNS / folder))
            return f"{row.begins} {measured} | `sgdsim run {row.name}{option}` | {minutes(times[folder])} |"
    return ""


if __name__ == "__main__":
    main()
