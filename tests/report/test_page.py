import re
from functools import cache
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from primase.evaluation.intervals import Interval
from primase.report import figures
from primase.report.page import render_page, write_page
from primase.report.sections import (
    BulletList,
    Callout,
    Command,
    Details,
    Figure,
    KeyFigure,
    KeyFigures,
    Paragraph,
    Section,
    Table,
)
from primase.report.wording import MISSING

EVIL = "<script>alert(1)</script>\" onload='x' & {{ 7*7 }}"
PLAIN = re.sub(r"[^\w\s]", "x", EVIL)
VOID = {"meta", "link", "br", "hr", "img", "input"}
STYLE = (files("primase.report") / "templates" / "report.css").read_text(encoding="utf-8")


class Page(HTMLParser):
    """Reads a page, and fails where elements are not closed in order."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.text, self.by_tag = [], [], "", {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute twice on {tag}"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data
            for tag in set(self.open):
                self.by_tag[tag] = self.by_tag.get(tag, "") + data

    def values(self, attribute, tag=None):
        return [found[attribute] for name, found in self.elements if attribute in found and tag in (None, name)]


def blocks(text, curve, scored):
    matrix = np.eye(5, dtype=int)
    return [
        Paragraph(text),
        BulletList([text, text]),
        Table([text, "AUROC"], [[text, Interval(0.9, 0.8, 0.95)], ["b", None]], text, text, (0,)),
        figures.roc({text: scored}, highlight=text),
        figures.confusion(matrix, [text, *"abcd"]),
        figures.confusion(matrix, [text, *"abcd"]),
        figures.reliability(curve, curve),
        figures.intervals([(text, 0.9, 0.8, 0.95, "network")], metric=text, chance=0.5),
        Callout("finding", text, text),
        Callout("warning", text, text),
        Callout("good", text, text),
        Command(text),
        KeyFigures([KeyFigure(text, 0.953, text), KeyFigure(text, text)]),
        Details(text, [Paragraph(text), Table(["a"], [], "none"), figures.contributions([text], [1.0], title=text)]),
    ]


@pytest.fixture(scope="module")
def page(curve, scored):
    @cache
    def render(text):
        sections = [Section(text, blocks(text, curve, scored))] * 2
        return render_page(text, text, sections, facts=[(text, text)], version="0.1.0")

    return render


def test_text_of_the_user_is_never_markup(page):
    evil, plain = Page(page(EVIL)), Page(page(PLAIN))
    assert [tag for tag, _ in evil.elements] == [tag for tag, _ in plain.elements]
    assert [sorted(found) for _, found in evil.elements] == [sorted(found) for _, found in plain.elements]
    # Wherever the plain text stands whole, the other does too, letter by letter.
    for tag in ("h1", "title", "p", "li", "th", "dt", "dd", "summary", "pre", "nav", "h2"):
        assert EVIL in evil.by_tag[tag], tag
        assert plain.by_tag[tag].count(PLAIN) == evil.by_tag[tag].count(EVIL), tag
    assert any(EVIL in value for value in evil.values("aria-label"))


def test_the_page_needs_nothing_from_elsewhere(page):
    html = page(PLAIN)
    found = Page(html)
    assert not {"script", "iframe", "object", "embed", "img", "base", "form"} & {tag for tag, _ in found.elements}
    for attribute in ("href", "src", "srcset", "action", "data", "poster"):
        assert all(value.startswith(("#", "data:,")) for value in found.values(attribute))
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    assert not re.search(r"https?:|@import|@font-face|url\((?!#)", html)
    policy = next(a["content"] for tag, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_ids_are_unique_and_every_reference_has_its_target(page):
    found = Page(page(PLAIN))
    ids = found.values("id")
    assert len(ids) == len(set(ids)) > 20
    wanted = [value[1:] for value in found.values("href") if value.startswith("#")]
    wanted += [name for value in found.values("aria-labelledby") for name in value.split()]
    wanted += [name for value in found.values("clip-path") for name in re.findall(r"#([^)]+)", value)]
    assert set(wanted) <= set(ids)


def test_the_page_can_be_read_aloud(page):
    found = Page(page(PLAIN))
    headings = [tag for tag, _ in found.elements if re.fullmatch("h[1-6]", tag)]
    assert headings == ["h1", "h2", "h2"]
    assert ("html", {"lang": "en"}) in found.elements
    assert all("scope" in attributes for tag, attributes in found.elements if tag == "th")
    drawings = [attributes for tag, attributes in found.elements if attributes.get("role") == "img"]
    assert len(drawings) == 12
    assert all(len(attributes["aria-label"]) > 20 for attributes in drawings)
    assert all(attributes.get("aria-hidden") == "true" for tag, attributes in found.elements if tag == "svg")
    regions = [a for tag, a in found.elements if a.get("class") == "scroll"]
    assert regions
    assert all(region.get("tabindex") == "0" and "aria-labelledby" in region for region in regions)


def test_tables_and_figures_are_numbered_in_order(page):
    html = page(PLAIN)
    assert [int(n) for n in re.findall(r"<b>Figure (\d+)\.</b>", html)] == list(range(1, 13))
    assert [int(n) for n in re.findall(r"<b>Table (\d+)\.</b>", html)] == list(range(1, 5))


def test_numbers_are_aligned_and_the_network_stands_out():
    table = Table(
        ["Model", "AUROC", "Note"], [["network", Interval(0.9, 0.8, 0.95), "1 of 2"], ["b", None, 3]], "c", "", (0,)
    )
    html = render_page("t", "", [Section("s", [table])], version="0")
    assert table.numeric == (False, True, False)
    assert '<tr class="highlighted">' in html
    assert '<td class="number">0.900 <span class="interval">[0.800, 0.950]</span></td>' in html
    assert '<td class="number">' + MISSING + "</td>" in html
    assert "<td>1 of 2</td>" in html
    assert Table(["Class"], [[1], [2]], "c").numeric == (False,)


def test_a_table_refuses_a_row_that_does_not_fit():
    with pytest.raises(ValueError, match="row 2 of the table has 1 cells under 2 columns"):
        Table(["a", "b"], [[1, 2], [1]], "caption")


def test_only_checked_drawings_stand_as_they_are():
    figure = Figure("<svg onload='x'></svg>", "c", "a")
    html = render_page("t", "", [Section("s", [figure])], version="0")
    assert "<svg" not in html
    assert "&lt;svg onload=" in html


def test_sections_get_anchors_of_their_own():
    titles = ["Data & audit", "Data audit", "data-audit", "Content", "蛋白质", "Größe", "!"]
    html = render_page("t", "", [Section(title) for title in titles], version="0")
    anchors = re.findall(r'<h2 id="([^"]+)"', html)
    assert anchors == ["data-audit", "data-audit-2", "data-audit-3", "content-2", "section", "grosse", "section-2"]
    assert re.findall(r'<li><a href="#([^"]+)"', html) == anchors


@pytest.mark.parametrize("command", ["primase train x --out 'a  b'\n  --seed 0", "", "  x ", "<a> & b"])
def test_a_command_is_kept_letter_by_letter(command):
    html = render_page("t", "", [Section("s", [Command(command)])], version="0")
    assert Page(html).by_tag.get("code", "") == command


def test_the_page_stays_small(curve, scored):
    sections = [Section("section", blocks("plain", curve, scored))] * 5
    html = render_page("t", "", sections, version="0")
    assert len(html.encode()) < 3_000_000


def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    write_page(target, "first \ud800")
    assert target.read_text(encoding="utf-8") == "first ?"

    def fail(self, target):
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError):  # noqa: PT011  # any failure of the system
            write_page(target, "second")
    assert target.read_text(encoding="utf-8") == "first ?"
    assert list(tmp_path.iterdir()) == [target]
    write_page(target, "third")
    assert target.read_text(encoding="utf-8") == "third"


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def mixed(top, below, share):
    pairs = [(int(top[i : i + 2], 16), int(below[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)


@pytest.mark.parametrize("dark", [False, True])
def test_contrast_is_enough_in_both_colour_schemes(dark):
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", STYLE.split("prefers-color-scheme")[1 if dark else 0]))
    assert len(colours) == 15
    for text in ("ink", "muted", "link"):
        for ground in ("surface", "raised"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    # Lines and bars (WCAG 2.2, 1.4.11); the last two colours appear from the sixth curve on, dashed.
    for number in range(1, 6):
        assert contrast(colours[f"series-{number}"], colours["surface"]) >= 3.0, number
    shade = mixed(colours["heat"], colours["surface"], 0.7)
    assert contrast(colours["ink"], shade) >= 4.5


def test_series_are_the_colours_of_okabe_and_ito():
    okabe_ito = {"#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7"}
    for scheme in STYLE.split("prefers-color-scheme")[:2]:
        series = re.findall(r"--series-\d: (#[0-9a-f]{6});", scheme)
        assert len(set(series)) == 7
        assert okabe_ito <= set(series)
