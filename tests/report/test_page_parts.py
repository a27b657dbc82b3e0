"""What stands on the page beside figures and laws: cautions, links, curves of the cells, and how to make it again."""

import json
import os

import numpy as np
import pytest
from typer.testing import CliRunner

from sgdsim import cli
from sgdsim.report.cautions import all_well, cautions
from sgdsim.report.explore import MOST, TIMES, curves_of
from sgdsim.report.files import MOST as MOST_FILES
from sgdsim.report.files import files_of
from sgdsim.report.laws import headlines
from sgdsim.report.page import write_report
from sgdsim.report.reproduce import COMMANDS, bibtex
from sgdsim.report.tables import ends
from sgdsim.store.origin import Share
from tests.experiment.bad_configs import GOOD
from tests.report.changes import changed, plain_text, with_cells, with_fit
from tests.report.recoveries import bias, recovery, threshold, write

SIMULATED = {"simulated": True, "fits": {"b": bias()}}


def told(run):
    return [(one.fit, one.words) for one in cautions(run)]


def test_where_all_is_well_the_page_says_what_was_looked_at():
    run = recovery(**SIMULATED)
    assert told(run) == []
    assert all_well(run) == (
        "Nothing to warn of: no replica diverged, every law holds by its chi2 (p > 0.001), all blocks have one origin."
    )
    assert all_well(recovery()) == "Nothing to warn of: theory stayed finite in every cell."


def test_everything_in_doubt_is_told_at_the_top():
    share = {"blocks": 1, "replicas": 50, "platform": "cpu"}
    run = recovery(**SIMULATED)
    run = with_cells(run, [{"error": "out of luck", "n_replicas": 0}, {"n_diverged": 2, "n_replicas": 19}])
    run = with_fit(run, "b", chi2=36.0, dof=4, widening=3.0)
    run = changed(
        run,
        n_diverged=2,
        divergence="beyond 1e6",
        origins=[Share(code="a", jax="1", **share), Share(code="b", jax="1", **share)],
        fits=run.summary.fits | {"t": threshold(2.3).model_copy(update={"threshold": None, "problem": "no fit"})},
    )
    run.provenance["git_commit"] = "abc+changes"
    found = told(run)
    assert found[:6] == [
        ("", "Cell 0 failed and has no numbers: out of luck"),
        ("", "2 of 100 replicas diverged (beyond 1e6), in cell 1: averages there are over the others."),
        ("t", "no fit."),
        ("b", "chi2/dof = 36/4, p = 3e-07: the law does not hold, errors widened by 3."),
        ("", "Fewer than 20 replicas in cell 1: the errors are uncertain themselves."),
        ("", found[5][1]),
    ]
    assert found[5][1].startswith("Blocks of 2 origins stand together: 50 replicas by jax 1 on cpu, code a;")
    assert found[6:] == [("", "The source tree had been edited since the commit that is named under Provenance.")]


def test_cells_are_named_while_they_are_few():
    cells = [{"b": 1.0 + index} for index in range(12)]
    run = recovery(cells, simulated=True)
    some = with_cells(run, [{"n_replicas": 5 if index in (1, 4, 7) else 50} for index in range(12)])
    assert "in cells 1, 4 and 7:" in told(some)[0][1]
    assert "in 12 cells:" in told(with_cells(run, [{"n_replicas": 5}] * 12))[0][1]
    blown = with_cells(recovery(cells), [{"theory_diverged": index == 3} for index in range(12)])
    assert told(blown) == [("", "Theory became infinite in cell 3.")]


def test_what_is_in_doubt_of_cells_is_told_once():
    run = recovery([{"b": 1.0 + index} for index in range(4)], simulated=True)
    doubtful = with_cells(run, [{"doubts": [f"C = 1.{index} is at the edge."] if index else []} for index in range(4)])
    assert told(doubtful) == [("", "C = 1.1 is at the edge. (cells 1, 2 and 3)")]


def test_a_law_is_held_against_theory_number_by_number():
    (law,) = headlines(recovery(**SIMULATED))
    assert (law.quality, law.holds) == ("0.75/1, p = 0.39", True)
    assert [(one.what, one.value, one.theory, one.off) for one in law.statement.numbers] == [
        ("bias", "0.0010(12)", "0", "+0.8 s.e."),
        ("coefficient of 1/N", "1.5(2)", "-", "-"),
    ]


def test_of_many_laws_the_page_has_a_line_each(tmp_path):
    fits = {f"left[b={b}]": bias(intercept=0.001 * b) for b in range(5)}
    run = recovery(simulated=True, fits=fits)
    page = write_report(write(run, tmp_path))[-1].read_text()
    assert '<th scope="col">law: bias of the distance from the signal</th>' in page
    assert '<th scope="row">left, <i>b</i> = 4</th><td class="number">0.0040(12)</td>' in page
    assert '<td class="number far">+3.3 s.e.</td>' in page
    assert "coefficient of 1/N" not in page
    mixed = changed(run, fits=fits | {"left[b=0]": bias("m")})
    page = write_report(write(mixed, tmp_path))[-1].read_text()
    assert 'left, <i>b</i> = 0<span class="soft">bias of the overlap with the signal</span>' in page


def test_without_laws_final_risks_are_at_the_top():
    run = recovery([{"b": 1.0 / (1 + index)} for index in range(20)], simulated=True)
    found = ends(run)
    assert (found.risk, found.cells, len(found.rows)) == ("distance from the signal", 20, 6)
    place, first = found.rows[0]
    assert plain_text(place) == "b = 1"
    assert first.off == "+0.5 s.e."  # simulation 1 % above theory, its error 2 % of 1.01
    assert plain_text(found.rows[-1][0]) == "b = 0.05"
    (place, alone), *_ = ends(recovery()).rows
    assert (alone.theory, alone.off) == ("-", "-")
    assert float(alone.value) == pytest.approx(2 * 20.0 ** (-300 / 20), rel=1e-5)
    assert ends(with_cells(recovery(), [{"final": {}}] * 2)) is None


def test_every_file_has_a_link(tmp_path):
    write(recovery(), tmp_path)
    for name in ("blocks/ab", "figures", "logs", "live"):
        (tmp_path / name).mkdir(parents=True)
    odd = (
        "figures/a b#%.pdf",
        "blocks/ab/<i>\n.npz",
        "blocks/index.json",
        "logs/one.jsonl",
        "aside",
        "live/w",
        ".x.tmp",
    )
    for name in (*odd, "figures/.half.tmp"):
        (tmp_path / name).write_text("")
    (tmp_path / os.fsdecode(b"logs/\xff")).write_text("")
    (tmp_path / "logs" / "loop").symlink_to("loop")
    links = {link.address: link.name for kind in files_of(tmp_path) for link in kind.links}
    assert set(links) == {
        *("results.nc", "summary.json", "experiment.toml", "provenance.json", "figures/a%20b%23%25.pdf"),
        *("blocks/index.json", "blocks/ab/%3Ci%3E%0A.npz", "logs/one.jsonl", "logs/%FF"),
    }
    (tmp_path / "blocks" / "index.json").unlink()  # which is no manifest
    page = write_report(tmp_path)[-1].read_text()
    assert r'<a href="blocks/ab/%3Ci%3E%0A.npz">blocks/ab/&lt;i&gt;\n.npz</a>' in page
    assert r'<a href="logs/%FF">logs/\udcff</a>' in page


def test_of_many_files_their_folder_has_a_link(tmp_path):
    (tmp_path / "blocks" / "ab").mkdir(parents=True)
    for index in range(MOST_FILES + 1):
        (tmp_path / "blocks" / "ab" / f"{index}.npz").write_text("")
    ((link,),) = (kind.links for kind in files_of(tmp_path))
    assert (link.address, link.name) == ("blocks/", f"blocks/ ({MOST_FILES + 1} files)")


def test_curves_of_the_cells_are_those_of_the_results():
    run = recovery(({"b": 1.0, "kappa": 0.5}, {"b": 0.2, "kappa": -0.5}), simulated=True)
    run.results["distance"][1, 3] = np.nan
    found = json.loads(curves_of(run))
    assert found["names"] == {
        "distance": "distance from the signal",
        "m": "overlap with the signal",
        "C": "squared length",
    }
    assert found["logarithmic"] is True
    assert [cell["label"] for cell in found["cells"]] == ["b = 1, \u03ba = 0.5", "b = 0.2, \u03ba = \N{MINUS SIGN}0.5"]
    second = found["cells"][1]["curves"]["distance"]
    assert second["mean"][3] is None
    expected = run.results["distance_theory"][1].to_numpy()
    np.testing.assert_allclose(second["theory"], expected, rtol=6e-4)  # four digits
    np.testing.assert_allclose(second["sem"], run.results["distance_sem"][1], rtol=0.06)
    np.testing.assert_allclose(found["cells"][0]["t"], run.times(0), rtol=1e-4)
    assert set(json.loads(curves_of(recovery()))["cells"][0]["curves"]["m"]) == {"theory"}


@pytest.mark.parametrize(
    ("count", "names", "shown"), [(20, 3, 20), (25, 2, 25), (60, 1, 60), (1000, 1, MOST // TIMES // 5)]
)
def test_the_page_has_room_for_so_many_numbers(count, names, shown):
    found = json.loads(curves_of(recovery([{"b": 1.0 + index} for index in range(count)], simulated=True)))
    assert len(found["names"]) == names
    assert len(found["cells"]) == shown
    assert (found["cells"][0]["cell"], found["cells"][-1]["cell"]) == (0, count - 1)
    times = found["cells"][0]["t"]
    assert TIMES <= len(times) <= 80
    assert times[0] == pytest.approx(0.1)
    assert times[-1] == pytest.approx(300)
    assert shown * (1 + 4 * names) * len(times) <= MOST


def test_words_of_others_do_not_end_the_numbers():
    run = recovery(({"kind": "</script>\x1b"}, {"kind": "\u202e"}))
    text = str(curves_of(run))
    assert "<" not in text
    assert json.loads(text)["cells"][0]["label"] == r"kind = </script>\x1b"
    assert json.loads(text)["cells"][1]["label"] == r"kind = \u202e"


def test_the_sources_are_those_of_the_system(tmp_path):
    run = recovery()
    assert bibtex(run).startswith("@software{sgdsim,")
    mentioned = bibtex(changed(run))
    assert "kamali" not in mentioned  # this made-up experiment names no system
    path = write(recovery(), tmp_path)
    (path / "experiment.toml").write_text('system = "recovery"\n')
    page = write_report(path)[-1].read_text()
    assert "@article{kamali2023sgd," in page
    assert 'href="https://doi.org/10.1145/2063384.2063405"' in page


@pytest.mark.slow
def test_the_commands_on_the_page_make_the_run_again(tmp_path, monkeypatch):
    """As written, in the folder of the page."""
    (tmp_path / "given.toml").write_text(GOOD)
    run = CliRunner().invoke(cli.main, ["run", str(tmp_path / "given.toml"), "-o", str(tmp_path / "first")])
    assert run.exit_code == 0
    monkeypatch.chdir(tmp_path / "first")
    page = (tmp_path / "first" / "report.html").read_text()
    lines = COMMANDS.splitlines()
    assert all(line in page for line in lines)
    for line in lines:
        name, *arguments = line.split("#")[0].split()
        assert name == "sgdsim"
        done = CliRunner().invoke(cli.main, arguments)
        assert done.exit_code == 0, (line, done.output)
    assert (tmp_path / "again" / "summary.json").is_file()
    first, again = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("first", "again"))
    assert [cell["final"] for cell in first["cells"]] == [cell["final"] for cell in again["cells"]]
