"""The page in a browser: Chromium where there is one, which asks for nothing but the file and finds nothing to say."""

import importlib.resources
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from sgdsim.report import write_report
from sgdsim.store.stored import Stored

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
MINUS = "\N{MINUS SIGN}"
PHONE = {"width": 390, "height": 800}


@pytest.fixture(scope="module")
def directory(run_directory, tmp_path_factory):
    copy = shutil.copytree(run_directory, tmp_path_factory.mktemp("browser") / "a run #1")
    write_report(copy)
    return copy


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM) as browser:
        yield browser


@contextmanager
def opened(browser, directory, **settings):
    """The page; whatever it asks for or complains of is an error."""
    with browser.new_context(**settings) as context:
        page = context.new_page()
        told = []
        page.on("request", lambda request: told.append(request.url))
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.goto((directory / "report.html").as_uri())
        yield page
        assert told == [(directory / "report.html").as_uri()]


@pytest.fixture
def page(browser, directory):
    with opened(browser, directory) as page:
        yield page


def number(text):
    """A number as the page shows it: with a true minus sign, the digits of its error, a raised exponent."""
    marks = {MINUS: "-", "\N{THIN SPACE}": "", "\N{MULTIPLICATION SIGN}10": "e"}
    for mark, plain in marks.items():
        text = text.replace(mark, plain)
    return float(re.sub(r"\(\d+\)", "", text))


def column(page, heading):
    """What stands below a heading of the table of cells, from top to bottom."""
    headings = page.locator("#cells thead th").all_inner_texts()
    rows = page.locator("#cells tbody tr")
    return [number(row.locator("th, td").nth(headings.index(heading)).inner_text()) for row in rows.all()]


@pytest.mark.parametrize(
    "settings",
    [{}, {"color_scheme": "dark"}, {"viewport": PHONE, "color_scheme": "dark"}],
    ids=["desk", "dark", "phone"],
)
def test_axe_finds_no_fault(browser, directory, settings):
    axe = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    with opened(browser, directory, **settings) as page:
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.evaluate(axe)
        # A figure is one picture, told by its label: what it is drawn of would be most of the work.
        found = page.evaluate("axe.run({exclude: [['figure svg > *']]})")
    assert len(found["passes"]) > 20
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]] == []


def test_tables_are_sorted_by_size_and_not_by_letters(page):
    before = column(page, "dt")
    assert before == sorted(before, reverse=True)  # from 0.01 to 3.333e-5, which has an exponent
    button = page.get_by_role("button", name="dt", exact=True)
    button.click()
    assert column(page, "dt") == sorted(before)
    assert page.locator("#cells th[aria-sort]").get_attribute("aria-sort") == "ascending"
    button.click()
    assert column(page, "dt") == before
    page.get_by_role("button", name="d", exact=True).press("Enter")
    assert column(page, "d") == [100, 300, 1000, 3000, 10000, 30000]
    assert page.locator("#cells th[aria-sort]").count() == 1


def test_values_are_read_off_a_figure(page, directory):
    points = Stored.load(directory).fits["scaling"].points
    box, marks = page.locator(".reading"), page.locator("figure svg").first.locator("[data-curve] use")
    seen = []
    for mark in marks.all()[: len(points)]:
        mark.scroll_into_view_if_needed()
        place = mark.bounding_box()
        page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        seen.append([number(text.split(" = ")[1]) for text in box.inner_text().splitlines()[-1].split(", ")])
    np.testing.assert_allclose(seen, np.array(points)[:, :2], rtol=3e-3)
    page.mouse.move(1, 1)
    assert not box.is_visible()


def test_a_cell_is_picked_and_its_curve_read_with_the_keys(page, directory):
    data = Stored.load(directory).results.isel(cell=4)
    section = page.locator("#explore")
    assert section.is_visible()
    section.get_by_role("combobox", name="Cell").select_option(label="4: d = 10000")
    assert page.locator("#cells tr.picked th").inner_text() == "4"
    chart = section.get_by_role("img", name="excess risk against t, cell 4")
    chart.press("ArrowRight")
    chart.press("ArrowRight")
    told = section.locator("output").inner_text()
    t, mean, error = re.match(r"t = (\S+), mean (\S+) ± (\S+),", told).groups()
    at = data.isel(time=1)
    assert (number(t), number(mean)) == pytest.approx((float(at["t"]), float(at["risk"])), rel=1e-3)
    assert number(error) == pytest.approx(float(at["risk_sem"]), rel=0.05)
    theory = re.search(r"theory (\S+),", told)[1]
    assert number(theory) == pytest.approx(float(at["risk_theory"]), rel=1e-3)


def test_the_policy_of_the_page_lets_no_other_script_run(browser, directory):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((directory / "report.html").as_uri())
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
        assert page.evaluate("window.ran ?? 0") == 0


def test_without_scripts_all_is_there_and_nothing_pretends_to_be_pressed(browser, directory):
    with opened(browser, directory, java_script_enabled=False) as page:
        assert not page.locator("#explore").is_visible()
        assert page.get_by_role("button").count() == 0
        assert page.locator("#cells tbody tr").count() == 6
        assert page.locator("figure svg").count() == 2
        page.get_by_role("link", name="Provenance", exact=True).click()
        page.get_by_text("experiment.toml, as resolved").click()
        assert page.get_by_text("[report]").is_visible()


@pytest.mark.parametrize("width", [320, 390, 800, 1600])
def test_only_tables_and_figures_scroll_sideways(browser, directory, width):
    with opened(browser, directory, viewport={"width": width, "height": 800}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate("document.querySelector('.grid').closest('.scroll').scrollWidth") >= 300


def test_every_link_leads_somewhere(page, directory):
    links = [link.get_attribute("href") for link in page.locator("a").all()]
    inside = [link[1:] for link in links if link.startswith("#")]
    assert len(inside) > 8
    assert all(page.locator(f"[id={address}]").count() == 1 for address in inside)
    files = [link for link in links if not link.startswith(("#", "https://"))]
    assert {"results.nc", "summary.json", "figures/scaling.pdf"} <= set(files)
    assert all((directory / link).is_file() for link in files)
    assert len(page.locator("[id]").all()) == page.evaluate(
        "new Set([...document.querySelectorAll('[id]')].map((one) => one.id)).size"
    )


@pytest.mark.slow
def test_on_paper_there_is_no_machinery_and_nothing_is_folded(page, tmp_path):
    page.emulate_media(media="print")
    hidden = page.locator(".contents, #explore, #files, .copied > button, .reading")
    assert not any(one.is_visible() for one in hidden.all())
    assert page.get_by_text("[report]").is_visible()
    page.pdf(path=tmp_path / "page.pdf")
    assert Path(tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
