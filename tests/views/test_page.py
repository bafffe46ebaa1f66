"""The report in a real browser: it sorts, filters, zooms, tells values, and runs nothing that it was given as data."""

import json
import re
import shutil

import numpy as np
import pytest

import scalefit as sf
from scalefit.cli import main

EVIL = '<script>document.title = "stolen"</script>'
LIMIT = 5_000_000
SCREENS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    sizes, corpora = 1e6 * 4.0 ** np.arange(5), [EVIL, *"abcdefg"]
    quality = [4.0 + 0.5 * i + 3.0 * np.log10(sizes / 1e6) for i in range(len(corpora))]
    table = {
        "pretrain_tokens": np.tile(sizes, len(corpora)),
        "corpus": np.repeat(corpora, 5),
        "bleu": np.concatenate(quality).round(3),
        "cross_entropy": np.concatenate([4 - q / 10 for q in quality]).round(4),
    }
    sf.as_table(table).write(folder / "results.csv")
    with pytest.raises(SystemExit) as end:
        main(
            ["report", str(folder / "results.csv"), "--target", "14", "-o", str(folder / "r.html")]
        )
    assert end.value.code == 0
    return folder / "r.html"


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here")
    with playwright.sync_playwright() as play:
        made = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def opened(browser, page_file):
    """Open the report on a screen; what a browser complains of is heard."""
    heard = []

    def at(width=1280, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("console", lambda m: heard.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith("file:") else heard.append(r.url))
        page.goto(page_file.as_uri())
        return page

    yield at
    assert heard == []


def test_it_is_one_small_file(page_file):
    assert page_file.stat().st_size < LIMIT


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_it_fits_every_screen_and_what_it_was_given_does_nothing(opened, width, scheme):
    page = opened(width, scheme)
    assert page.title().startswith("Transfer scaling")
    assert (
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        == 0
    )
    assert page.locator("figure svg").first.is_visible()
    assert page.locator("td", has_text="document.title").count() > 0
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


def column(page, table, i):
    return [
        t.strip() for t in table.locator(f"tbody tr:visible td:nth-child({i})").all_inner_texts()
    ]


def test_tables_sort_by_numbers_and_by_names(opened):
    page = opened()
    table = page.locator("table", has=page.locator("th", has_text="P best")).first
    if not table.count():
        table = page.locator("table", has=page.locator("th", has_text="p best")).first
    heads = [h.strip() for h in table.locator("th").all_inner_texts()]
    i = next(k for k, head in enumerate(heads, start=1) if head.lower() == "p best")
    button = table.locator(f"th:nth-child({i}) button")
    button.click()
    known = [float(v) for v in column(page, table, i) if v != "–"]
    assert known == sorted(known)
    button.click()
    assert [float(v) for v in column(page, table, i) if v != "–"] == sorted(known, reverse=True)
    names = table.locator("th", has_text="corpus").first
    names.locator("button").click()
    assert names.get_attribute("aria-sort") == "ascending"


def test_tables_filter_by_a_word(opened):
    page = opened()
    section = page.locator("section", has=page.locator("input[type=search]")).first
    before = section.locator("tbody tr:visible").count()
    section.locator("input[type=search]").fill("no such corpus")
    assert section.locator("tbody tr:visible").count() == 0
    section.locator("input[type=search]").fill("")
    assert section.locator("tbody tr:visible").count() == before > 6


def test_marks_tell_their_values_and_pictures_zoom(opened):
    page = opened()
    titles = page.locator("figure svg use title").all_text_contents()
    assert "a: 4.5 at 1M" in titles
    svg = page.locator("figure svg").first
    home = svg.get_attribute("viewBox")
    svg.dblclick()
    assert svg.get_attribute("viewBox") != home
    svg.dblclick()
    back = [float(v) for v in svg.get_attribute("viewBox").split()]
    assert back == pytest.approx([float(v) for v in home.split()], rel=1e-5)


def test_on_paper_no_page_is_blank_and_notes_are_open(opened, tmp_path):
    page = opened()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.evaluate(
        "[...document.querySelectorAll('.scroll')].every(t => t.scrollWidth <= t.clientWidth + 1)"
    )
    page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
    assert (tmp_path / "report.pdf").stat().st_size > 10_000


def test_the_explorer_says_what_python_says(opened, page_file):
    page = opened()
    box = page.locator(".explorer")
    told = json.loads(box.locator("script").text_content())
    box.locator("select").first.select_option(label="b")
    curve = next(each for each in told["curves"] if each["name"] == "b")
    table = sf.read(page_file.parent / "results.csv")
    mixture = sf.forecast(table, target=14.0)["b"].quality
    assert [law["name"] for law in curve["laws"]] == ["mixture", f"{mixture.best.law.name} law"]
    for number, fit in enumerate((mixture, mixture.best)):
        box.locator("select").nth(1).select_option(str(number))
        for at, level in enumerate(told["levels"]):
            turn(box, 0, at)
            turn(box, 1, told["targets"].index(14.0))
            turn(box, 2, 100)
            budget, tokens = box.locator(".answer p").all_inner_texts()
            size = curve["laws"][number]["x"][-1]
            band = sf.predict(fit, size, level=level, kind="run")[0]
            said = [float(word) for word in re.findall(r"-?[\d.]+", budget.split(":")[1])[:3]]
            assert said == pytest.approx([band.estimate, band.low, band.high], rel=2e-3, abs=2e-3)
            assert sf.tokens_for(fit, 14.0, level=level).needs in tokens


def turn(box, number, value):
    slider = box.locator("input[type=range]").nth(number)
    slider.evaluate("(it, v) => { it.value = v; it.dispatchEvent(new Event('input')); }", value)


def test_a_run_in_the_explorer_tells_its_file_and_line(opened):
    box = opened().locator(".explorer")
    box.locator("select").first.select_option(label="a")
    titles = box.locator("circle title").all_text_contents()
    assert re.fullmatch(r"4\.5 at 1M, .*results\.csv:\d+", titles[0])
    assert len(titles) == 5
