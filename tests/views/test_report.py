"""The report is one file, escapes what it is given, and shows what is there."""

import re
from html.parser import HTMLParser

import scalefit as sf
from scalefit.views.report import Report, Section, render


class Outline(HTMLParser):
    """Tags, attributes and words of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.links, self.words = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in {"src", "href"}]

    def handle_data(self, data):
        self.words.append(data.strip())


ROWS = ({"corpus": "fr<script>", "tokens": 3e6}, {"corpus": "en", "tokens": float("inf")})
REPORT = Report(
    "Lab & co",
    summary=("BLEU 20 needs 3M tokens.",),
    sections=(
        Section("BLEU", svg="<svg><path/></svg>", rows=ROWS, notes=("one note",)),
        Section("Nothing yet"),
    ),
    footer=("law:log|n:24",),
)


def test_a_report_asks_for_nothing_from_outside():
    page = Outline(render(REPORT))
    assert page.links == ["#part-1", "#part-2"]
    assert not {"link", "img", "iframe"} & set(page.tags)
    assert page.tags.count("script") == 1  # its own, inline: a src would stand among the links


def test_text_is_escaped_and_pictures_are_not():
    page = render(REPORT)
    assert "fr&lt;script&gt;" in page
    assert "Lab &amp; co" in page
    assert "<svg><path/></svg>" in page


def test_tables_show_tokens_as_people_write_them():
    words = Outline(render(REPORT)).words
    assert {"3M", "∞", "one note", "law:log|n:24", "BLEU 20 needs 3M tokens."} <= set(words)


def test_a_page_on_a_dark_ground_sets_every_colour_of_the_house():
    sizes, bleu = [1e6, 4e6, 16e6, 64e6, 256e6], [5.0, 9.1, 12.9, 17.0, 21.1]
    svg = sf.fit({"pretrain_tokens": sizes, "bleu": bleu}, "bleu", "log").plot().to_svg()
    page = render(Report("colours", sections=(Section("curve", svg=svg),)))
    used = set(re.findall(r"var\(--c([0-9a-f]{6}), #\1\)", page))
    assert {"0072b2", "222222", "fdfdfd", "ffffff"} <= used
    assert used <= set(re.findall(r"--c([0-9a-f]{6}): #", page))
    assert not re.findall(r"(?:fill|stroke): #(?:0072b2|222222|fdfdfd)", page)
