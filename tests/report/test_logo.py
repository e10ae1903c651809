"""Logos: letters are as tall as what they stand for, and the drawing says the same in words."""

import re

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure as MatplotlibFigure

from primase.bio.motif_matrices import information
from primase.report.figures.glyphs import COLOURS, LETTER_WIDTH, LetterStacks
from primase.report.figures.logo import MOST_LETTERS, Stretch, contribution_logo, motif_logo
from primase.report.figures.palette import VARIABLES
from primase.report.wording import MINUS

MATRIX = np.array([[1.0, 0.5, 0.25], [0, 0.5, 0.25], [0, 0, 0.25], [0, 0, 0.25]])
PATH = re.compile(r'<path d="([^"]*)"[^>]*fill:([^;"]*)')


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.markup)


def glyphs(svg):
    """The colour, and the left, top, right and bottom edge in pixels, of every letter that is drawn as a shape."""
    found = []
    for path, colour in PATH.findall(svg.markup):
        numbers = np.array(re.findall(r"-?[\d.]+", path), dtype=float).reshape(-1, 2)
        if colour in {VARIABLES[letter] for letter in COLOURS.values()} and len(numbers) > 4:
            found.append((colour, *numbers.min(axis=0), *numbers.max(axis=0)))
    return found


def extents(stack, place=3.0):
    axes = MatplotlibFigure().add_axes((0, 0, 1, 1))
    LetterStacks(axes).draw(place, stack)
    return [(patch.get_path().get_extents().extents, patch.get_facecolor()) for patch in axes.patches]


def test_letters_are_as_tall_as_they_should_be():
    stack = [("A", 0.5), ("C", 1.25), ("G", -0.75), ("T", 0.0), ("N", 2.0), ("U", -1.0)]
    (first, green), (second, _), (hanging, _), (third, _), (fourth, _) = extents(stack)
    left, right = 3 - LETTER_WIDTH / 2, 3 + LETTER_WIDTH / 2
    np.testing.assert_allclose(first, [left, 0, right, 0.5], atol=1e-9)
    np.testing.assert_allclose(third, [left, 0.5, right, 1.75], atol=1e-9)
    np.testing.assert_allclose(second, [left, -0.75, right, 0], atol=1e-9)
    np.testing.assert_allclose(hanging, [left, -1.75, right, -0.75], atol=1e-9)
    np.testing.assert_allclose(fourth, [left, 1.75, right, 3.75], atol=1e-9)
    assert green == mpl.colors.to_rgba(COLOURS["A"])


def test_a_stack_is_as_high_as_its_information():
    figure = motif_logo(MATRIX, title="a motif", sites=0)
    shapes = glyphs(figure.svg)
    heights = [round(bottom - top) for _, _, top, _, bottom in shapes]
    # The plot is 110 pixels high for 2 bits: A has 2 bits, A and C share 1 bit, and the last place tells nothing.
    assert heights == [110, 28, 28]
    assert [colour for colour, *_ in shapes] == [VARIABLES[COLOURS[letter]] for letter in "AAC"]
    few = motif_logo(MATRIX, title="a motif", sites=10)
    tallest = max(bottom - top for _, _, top, _, bottom in glyphs(few.svg))
    assert tallest == pytest.approx(110 * information(MATRIX, sites=10)[0] / 2, abs=0.2)


def test_a_motif_is_told_in_words():
    figure = motif_logo(np.eye(4), title="motif-1, found at 12 sites", rna=True)
    assert figure.caption == "motif-1, found at 12 sites."
    assert figure.alternative_text == "motif-1, found at 12 sites. In IUPAC letters ACGU, 8.0 bits."
    assert figure.width == "half"
    assert "ACGT" in motif_logo(np.eye(4), title="x").alternative_text


def test_contributions_stand_above_and_hang_below_the_line():
    figure = contribution_logo("ACGU", np.array([1.0, -0.5, 0.0, 0.25]), title="x: why?", counted_from=0)
    shapes = glyphs(figure.svg)
    assert [colour for colour, *_ in shapes] == [VARIABLES[COLOURS[letter]] for letter in "ACU"]
    zero = shapes[0][4]
    assert shapes[1][2] == pytest.approx(zero, abs=0.02)
    assert shapes[2][4] == pytest.approx(zero, abs=0.02)
    up, down, small = (bottom - top for _, _, top, _, bottom in shapes)
    assert up == pytest.approx(2 * down, abs=0.1)
    assert up == pytest.approx(4 * small, abs=0.1)


def test_contributions_are_told_in_words():
    figure = contribution_logo(
        "ACGTA", np.array([1.0, -0.5, 0.0, 0.25, 0.0]), title="x: why?", marked=[Stretch(1, 3, "planted")]
    )
    assert f"A at 1 +1.00; C at 2 {MINUS}0.50; T at 4 +0.25" in figure.alternative_text
    assert "Positions are counted from 1." in figure.alternative_text
    assert "Marked: planted from 2 to 3." in figure.alternative_text
    assert "Positions are counted from 1." in figure.caption
    assert "planted" in texts(figure.svg)


@pytest.mark.parametrize(("first", "said"), [(0, "counted from 0"), (1, "counted from 1"), (5000, "number 5,000")])
def test_the_counting_is_said(first, said):
    for length in (30, MOST_LETTERS + 1):
        figure = contribution_logo("A" * length, np.ones(length), title="x", counted_from=first)
        for svg in (figure.svg, figure.narrow_svg):
            assert any(said in text for text in texts(svg))
        assert said in figure.caption


def test_lines_are_broken_where_the_page_ends():
    values = np.zeros(101)
    values[[0, 99]] = 1.0
    figure = contribution_logo("A" * 101, values, title="x")
    for svg, lines in ((figure.svg, 2), (figure.narrow_svg, 5)):
        (_, *first), (_, *last) = glyphs(svg)
        assert first[2] - first[0] == pytest.approx(last[2] - last[0], abs=0.05)
        assert last[1] - first[1] == pytest.approx(118 * (lines - 1), abs=0.1)
        assert all(edge <= 840 for edge in (first[2], last[2]))


def test_long_sequences_become_bars_that_keep_the_strongest():
    values = np.zeros(1000)
    values[500], values[501], values[900] = 3.0, -1.0, 0.5
    figure = contribution_logo("A" * 1000, values, title="x", marked=[Stretch(495, 505, "site")])
    assert "A bar stands for 3 positions." in figure.caption
    raising, lowering = glyphs(figure.svg)
    # The plot is 130 pixels high for a range of 4 and its margins of 6 % each.
    assert raising[4] - raising[2] == pytest.approx(130 * 3 / 4.48, abs=0.1)
    assert lowering[2] == pytest.approx(raising[4], abs=0.1)
    assert lowering[4] - lowering[2] == pytest.approx(130 / 4.48, abs=0.1)
    assert "A at 501 +3.00" in figure.alternative_text
    assert "bar" not in contribution_logo("A" * 300, np.ones(300), title="x").caption.replace("Bars", "")


@pytest.mark.parametrize("length", [0, 1, 7, MOST_LETTERS, MOST_LETTERS + 1])
@pytest.mark.parametrize("value", [0.0, 1.0, -1e-9, 1e9, np.nan])
def test_anything_can_be_drawn(length, value):
    figure = contribution_logo("N" * length, np.full(length, value), title="")
    assert figure.svg.markup.startswith("<svg")
    assert "nan" not in figure.svg.markup


def test_names_of_the_user_are_escaped():
    evil = "<script>alert(1)</script>"
    figures = [
        motif_logo(MATRIX, title=evil),
        contribution_logo("ACGT", np.ones(4), title=evil, marked=[Stretch(0, 4, evil)], quantity=evil),
    ]
    for figure in figures:
        assert "<script" not in figure.svg.markup
        assert evil in figure.alternative_text


def test_colours_follow_the_page():
    figure = contribution_logo("ACGTN", np.ones(5), title="x", marked=[Stretch(0, 2, "y")])
    for svg in (figure.svg, motif_logo(MATRIX, title="x").svg):
        assert set(re.findall(r"fill:([^;\"]*)", svg.markup)) <= {*VARIABLES.values(), "none"}
    assert len({COLOURS[letter] for letter in "ACGT"}) == 4


def test_as_many_contributions_as_letters():
    with pytest.raises(ValueError, match="3 contributions for 4 letters"):
        contribution_logo("ACGT", np.ones(3), title="x")


def test_the_state_of_matplotlib_is_left_alone():
    before = dict(mpl.rcParams)
    motif_logo(MATRIX, title="x")
    contribution_logo("ACGT", np.ones(4), title="x")
    assert dict(mpl.rcParams) == before
