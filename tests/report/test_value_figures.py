import re

import numpy as np
import pytest

from primase.report import figures
from primase.report.figures.agreement import MOST_DOTS, Panel, agreement
from primase.report.figures.gains import gains
from primase.report.figures.palette import VARIABLES

NAN = float("nan")
EVIL = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
AXES = ("measured (log2)", "predicted (log2)")


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.markup)


def panel(count=30, title="GENE1", **changes):
    across = np.linspace(-1, 1, count)
    return Panel(title, "R² 0.9", across, across + 0.1, **changes)


def dots(svg):
    """The points of the dots: each is a line of no length, and a line of dots has round ends."""
    paths = re.findall(r'<path d="([^"]*)"[^>]*stroke-linecap:round[^>]*>', svg.markup)
    return max((path.count("M") for path in paths), default=0)


def drawn():
    share = np.linspace(-0.2, 0.4, 50)
    return {
        "agreement": agreement([panel(title=EVIL)] * 3, axes=(EVIL, EVIL), caption="c", dots=EVIL),
        "one": agreement([panel(title=EVIL, band=0.3)], axes=(EVIL, EVIL), caption="c", dots="d", band=EVIL),
        "gains": gains(share, share - 0.1, share + 0.1, over=EVIL, error="MAE", what=EVIL),
        "histogram": figures.histogram({"a": share}, marked={EVIL: 0.1}),
    }


def test_text_of_the_user_is_escaped_and_no_stand_in_colour_is_left():
    for kind, figure in drawn().items():
        for svg in filter(None, (figure.svg, figure.narrow_svg)):
            assert "<script" not in svg.markup, kind
            assert ESCAPED in svg.markup, kind
            assert not re.search(r"#[0-9a-f]{6}", re.sub(r"var\([^)]*\)", "", svg.markup)), kind
            assert not any(stand_in in svg.markup for stand_in in VARIABLES), kind
        assert figure == drawn()[kind]


def test_both_axes_have_the_same_scale_and_every_dot_is_there():
    figure = agreement([panel(40)], axes=AXES, caption="All.")
    assert set(AXES) <= set(texts(figure.svg))
    assert dots(figure.svg) == 40
    assert figure.caption == "All."
    assert (figure.width, figure.narrow_svg) == ("half", None)
    assert "40 points, 100 % above the line" in figure.alternative_text
    ticks = [text for text in texts(figure.svg) if re.fullmatch(r"[−\d.]+", text)]  # noqa: RUF001 - a minus sign
    assert len(ticks) == 2 * len(set(ticks))


def test_several_plots_stand_beside_each_other_and_below_each_other_on_a_telephone():
    figure = agreement([panel(title=name, band=0.2) for name in "abc"], axes=AXES, caption="c", band="90 % interval")
    assert figure.width == "full"
    for svg in (figure.svg, figure.narrow_svg):
        assert [text for text in texts(svg) if "R²" in text] == [f"{name} · R² 0.9" for name in "abc"]
        assert "90 % interval" in texts(svg)
    sizes = [[float(number) for number in svg.markup.split('viewBox="')[1].split('"')[0].split()[2:]]
             for svg in (figure.svg, figure.narrow_svg)]  # fmt: skip
    assert sizes[0][0] > 2 * sizes[1][0]
    assert sizes[0][1] < sizes[1][1] / 2


def test_what_is_not_known_is_left_out_and_many_things_are_sampled():
    unknown = Panel("", "", np.array([1.0, NAN, 3.0, 4.0]), np.array([1.0, 2.0, np.inf, 5.0]))
    figure = agreement([unknown], axes=AXES, caption="c")
    assert dots(figure.svg) == 2
    assert "2 points, 50 % above" in figure.alternative_text
    many = agreement([panel(5000)], axes=AXES, caption="c.")
    assert dots(many.svg) == MOST_DOTS
    assert many.caption == "c. A random 2,000 of 5,000 are drawn."


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_anything_can_be_drawn(count):
    numbers = np.full(count, 0.3)
    assert agreement([Panel("", "", numbers, numbers, NAN)], axes=AXES, caption="c").svg
    assert gains(numbers, numbers, numbers, over="ridge", error="MAE").svg
    nothing = agreement([Panel("", "", np.array([NAN]), np.array([1.0]))], axes=AXES, caption="c")
    assert "nothing to show" in texts(nothing.svg)


def test_gains_are_counted_and_told_in_words():
    value = np.array([0.1, -0.05, 0.3, NAN, 0.0])
    figure = gains(value, value - 0.1, value + 0.1, over="ridge", error="MAE", what="genes")
    said = texts(figure.svg)
    assert "2 (50 %)" in said
    assert "1 (25 %)" in said
    assert "Gain: MAE smaller than that of ridge by (%)" in said
    assert "Better for 2 of 4; median 5.000 %" in figure.alternative_text
    assert "each of 4 genes" in figure.caption
    without = gains(value, np.full(5, NAN), np.full(5, NAN), over="ridge", error="MAE")
    assert "Better for 2 of 4" in without.alternative_text


def test_ten_thousand_gains_are_a_light_drawing():
    value = np.random.default_rng(0).normal(0.05, 0.1, size=10_000)
    figure = gains(value, value - 0.1, value + 0.1, over="ridge", error="MAE")
    assert len(figure.svg.markup) < 40_000


def test_a_marked_value_is_in_the_legend_and_in_words():
    figure = figures.histogram({"targets": np.arange(80.0, 95.0)}, marked={"stated": 90.0})
    assert "stated" in texts(figure.svg)
    assert "stated at 90.0" in figure.alternative_text
