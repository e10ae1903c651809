from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from primase.report.card import ModelCard, markdown_table, markdown_text, render_card
from primase.report.sections import Table
from primase.report.wording import printable

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
EVIL = "<script>alert(1)</script> | `code` **bold** [link](https://example.org) # 1. &lt; $x$"


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def read(markdown):
    reader = Reader()
    reader.feed(READER.render(markdown))
    reader.close()
    return reader


def card(text="text", **changes):
    metrics = Table(["Model", "AUROC"], [[text, 0.9], ["baseline", 0.8]], text, text, (0,))
    made = ModelCard(
        text, text, [text], [text], [text], text, text, metrics, text, [text], "primase train", text, "0.1.0"
    )
    return replace(made, **changes)


@given(st.one_of(st.text(), st.text(alphabet="-+=#>1.)*_`[]()!<&;|~\\$: \tab")))
def test_text_is_shown_letter_by_letter(text):
    shown = read(markdown_text(text))
    assert shown.tags in (["p"], [])
    assert shown.text.strip() == " ".join(printable(text).split())


@given(st.lists(st.text(alphabet="ab|`*\\<-", min_size=1), min_size=2, max_size=2))
def test_table_cells_stay_cells(cells):
    table = Table(["name", "other"], [cells, ["plain", "plain"]], "caption")
    assert read(markdown_table(table)).tags.count("td") == 4


def test_nothing_that_the_user_wrote_becomes_markup():
    tags = set(read(render_card(card(EVIL))).tags)
    assert tags <= {
        "h1",
        "h2",
        "h3",
        "p",
        "ul",
        "li",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "pre",
        "code",
        "strong",
    }
    assert read(render_card(card(EVIL))).tags.count("code") == 1
    assert EVIL in read(render_card(card(EVIL))).text


def test_the_headings_are_there_and_in_order():
    lines = render_card(card()).splitlines()
    assert [line for line in lines if line.startswith("## ")] == [
        f"## {name}"
        for name in (
            "Question and intended use",
            "Model",
            "Data",
            "Licence",
            "Split",
            "Metrics",
            "Calibration",
            "Limits",
            "How to reproduce",
        )
    ]


def test_what_is_empty_is_left_out():
    shown = render_card(card(model="", not_intended_for=[], version=""))
    assert "## Model" not in shown
    assert "not for" not in shown
    assert "Written by" not in shown


def test_the_metrics_table_marks_the_network_and_aligns_numbers():
    shown = render_card(card())
    assert "| **text** | **0.900** |" in shown
    assert "| baseline | 0.800 |" in shown
    assert "| :--- | ---: |" in shown


@pytest.mark.parametrize("command", ["primase train `x`", "a\n```\nb", "a  b\n  c -- '<x>' \\"])
def test_the_command_stays_as_it_is(command):
    tokens = READER.parse(render_card(card(reproduce=command)))
    assert [token.content for token in tokens if token.type == "fence"] == [command + "\n"]
