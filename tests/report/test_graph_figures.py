"""The figures of pairs of proteins: two ways of asking, embeddings and neighbourhoods."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primase.evaluation.intervals import Interval
from primase.report.figures import Neighbourhood, PairedScore, SharedNeighbour, neighbourhood, paired, scatter
from primase.report.figures.palette import VARIABLES
from primase.report.figures.scatter import MOST_POINTS
from primase.report.wording import MINUS

NAN = float("nan")
EVIL = "<script>alert(1)</script>"
ODD = ["", " ", "$x_1$ $", "_hidden", "蛋白质", "a\nb\0c\x1b", "\ud800", "&amp;", "🧬", "{x}%s"]
LONG = "an enoyl-(acyl carrier protein) reductase of a family with an uncommonly long name"
WAYS = ("uniform negatives", "degree-matched negatives")


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.markup)


def places(svg):
    """Where each text stands, by what it says."""
    found = re.findall(
        r'<text[^>]*?(?:x="([\d.-]+)" y="([\d.-]+)"|translate\(([\d.-]+) ([\d.-]+)\))[^>]*>([^<]*)<', svg.markup
    )
    return {text: (float(x or a), float(y or b)) for x, y, a, b, text in found}


def drawings(figure):
    return [figure.svg, figure.narrow_svg]


def score(name, first=0.9, second=0.6, kind="baseline"):
    return PairedScore(name, Interval(first, first - 0.02, first + 0.02), Interval.undefined(second), kind)


def everything(names):
    """Every drawing with these names in every place that a user can choose."""
    shared = [SharedNeighbour(name, 0.5, -0.25) for name in names]
    return [
        paired([score(name) for name in names], names=(names[0], names[-1]), metric=names[0], caption=names[0]),
        scatter(np.eye(len(names), 2), names, title=names[0], axes=(names[0], names[-1]), named=dict(enumerate(names))),
        neighbourhood(
            Neighbourhood((names[0], names[-1]), shared, (3, 1)), title=names[0], question=names[0], quantity=names[0]
        ),
    ]


def test_text_of_the_user_is_escaped():
    for figure in everything([EVIL, EVIL]):
        assert EVIL in figure.alternative_text
        for svg in drawings(figure):
            assert "<script" not in svg.markup
            assert any(text.startswith("&lt;script&gt;") for text in texts(svg))


def test_any_name_can_be_drawn():
    for figure in everything(ODD):
        figure.alternative_text.encode()
        for svg in drawings(figure):
            assert {"$x_1$ $", "_hidden", "蛋白质", "a b c", "&amp;amp;", "🧬", "{x}%s"} <= set(texts(svg))


def test_long_names_are_cut_and_told_in_words():
    for figure in everything([f"{LONG} of {LONG} 1", f"{LONG} of {LONG} 2"]):
        assert f"{LONG} of {LONG} 1" in figure.alternative_text
        for svg in drawings(figure):
            assert not any(f"{LONG} of {LONG}" in text for text in texts(svg))
            assert max(map(len, texts(svg))) < 124


def test_drawings_follow_the_page_and_are_the_same_each_time():
    assert everything(["a", "b"]) == everything(["a", "b"])
    for figure in everything(["a", "b"]):
        for svg in drawings(figure):
            assert not re.search(r"#[0-9a-f]{6}", re.sub(r"var\([^)]*\)", "", svg.markup))
            assert not any(stand_in in svg.markup for stand_in in VARIABLES)


def marks(svg, series):
    """Where the marks of one of the two ways stand: from left to right."""
    symbols = re.findall(r'<path id="(s\d+)"[^>]*style="[^"]*--series-(\d)', svg.markup)
    wanted = [name for name, number in symbols if number == str(series)]
    return [float(x) for name in wanted for x in re.findall(rf'href="#{name}" x="([\d.]+)"', svg.markup)]


def test_paired_marks_stand_where_the_numbers_say():
    figure = paired([score("network", 0.9, 0.6, "network"), score("other", 0.8, 0.5)], names=WAYS, metric="AUROC")
    for svg in drawings(figure):
        first, second = (sorted(marks(svg, number), reverse=True) for number in (1, 2))
        # The keys of the legend have the same marks, to the left of all others on the wide drawing.
        scale = (first[0] - first[1]) / 0.1
        assert second[0] == pytest.approx(first[0] - 0.3 * scale, abs=0.1)
        assert second[1] == pytest.approx(first[0] - 0.4 * scale, abs=0.1)
        assert {*WAYS, "chance (0.500)", "AUROC"} <= set(texts(svg))
    assert {"uniform", "degree-matched", "0.900", "0.600", "0.800", "0.500"} <= set(texts(figure.svg))
    assert {"uniform · degree-matched", "0.900 · 0.600", "0.800 · 0.500"} <= set(texts(figure.narrow_svg))
    assert "network 0.900 [0.880, 0.920] with uniform negatives, 0.600 [no interval] with" in figure.alternative_text


@pytest.mark.parametrize(("least", "first_tick"), [(0.45, "0.4"), (0.25, "0.2"), (NAN, "0.4")])
def test_paired_axis_begins_where_it_must(least, first_tick):
    figure = paired([score("a", 0.9, least)], names=WAYS, metric="AUROC", chance=None)
    ticks = [text for text in texts(figure.svg) if re.fullmatch(r"\d\.\d", text)]
    assert (ticks[0], ticks[-1]) == (first_tick, "1.0")
    assert not any("chance" in text for text in texts(figure.svg))


def test_paired_copes_with_what_is_missing():
    figure = paired([score("a", NAN, NAN, "probe"), score("b", NAN, 0.5)], names=("x", "x"), metric="AUROC")
    assert "a (probe) not defined" in figure.alternative_text
    assert "a (probe)" in texts(figure.svg)
    for svg in drawings(paired([], names=WAYS, metric="AUROC")):
        assert "nothing to show" in texts(svg)


def dots(svg):
    """Count the dots by colour: each is a line of no length."""
    lines = re.findall(r'<path[^>]*?d="([^"]*)"[^>]*?style="([^"]*)"', svg.markup)
    found = {}
    for path, style in lines:
        again = re.findall(r"M (\S+ \S+) L \1(?= |$)", path)
        if again:
            colour = re.search(r"stroke:var\(--([a-z0-9-]+)", style)[1]
            cap = re.search(r"stroke-linecap:(\w+)", style)[1]
            found[colour, cap] = found.get((colour, cap), 0) + len(again)
    return found


def test_scatter_draws_every_point_in_the_look_of_its_group():
    groups = [f"group {number}" for number in range(12) for _ in range(20 - number)]
    points = np.random.default_rng(0).normal(size=(len(groups), 2))
    figure = scatter(points, groups, title="Embedding", axes=("left to right", "up"))
    for svg in drawings(figure):
        found = dots(svg)
        assert len(found) == 11
        assert sum(found.values()) == len(groups)
        assert found["muted", "round"] == 10 + 9
        assert found["series-1", "round"] == 20
        assert found["series-1", "square"] == 20 - 7
        assert {"other (2 groups)", "group 0", "group 9", "left to right", "up", "20"} <= set(texts(svg))
        assert "group 10" not in texts(svg)
    assert "group 0 20; group 1 19" in figure.alternative_text


def test_scatter_of_many_points_stays_small_and_says_what_it_leaves_out():
    generator = np.random.default_rng(0)
    points = generator.normal(size=(MOST_POINTS + 2000, 2))
    points[:3, 0] = NAN
    groups = generator.integers(0, 30, len(points)).astype(str).tolist()
    figure = scatter(points, groups, title="Many", named={6999: "last", 0: "nowhere"})
    assert f"A random 5,000 of {len(points) - 3:,} points are drawn." in figure.caption
    assert "known place: 3." in figure.caption
    for svg in drawings(figure):
        assert sum(dots(svg).values()) == MOST_POINTS
        assert len(svg.markup) < 250_000
        assert "last" in texts(svg)
        assert "nowhere" not in texts(svg)


def test_scatter_names_hide_no_other_name():
    generator = np.random.default_rng(1)
    points = generator.normal(size=(400, 2))
    named = {number: f"YGR{number:03d}W" for number in range(12)}
    for svg, width in zip(drawings(scatter(points, None, title="t", named=named)), (840, 360), strict=True):
        found = {text: place for text, place in places(svg).items() if text.startswith("YGR")}
        assert len(found) >= 10
        assert all(46 <= x <= width for x, _ in found.values())
        names = sorted(found.values())
        for index, (x, y) in enumerate(names):
            assert all(abs(x - other) >= 44 or abs(y - below) >= 12 for other, below in names[:index])


def test_scatter_copes_with_little():
    assert "no points" in texts(scatter(np.zeros((0, 2)), [], title="none").svg)
    assert sum(dots(scatter(np.zeros((1, 2)), None, title="one").svg).values()) == 1
    assert "other (1 group)" in texts(scatter(np.eye(2), ["a", "b"], title="t", most_groups=1).svg)


def test_scatter_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="1 groups for 2 points"):
        scatter(np.eye(2), ["a"], title="t")
    with pytest.raises(ValueError, match="not one of the 2"):
        scatter(np.eye(2), None, title="t", named={2: "c"})


def known_links(svg):
    """The colour and the width of each line."""
    found = re.findall(r'<path d="M [\d.]+ [\d.]+ L [\d.]+ [\d.]+"[^>]*style="([^"]*)"', svg.markup)
    return [
        (re.search(r"stroke:var\(--([a-z0-9-]+)", style)[1], float(re.search(r"stroke-width:([\d.]+)", style)[1]))
        for style in found
        if "dasharray" not in style and "stroke-width" in style
    ]


def test_links_are_coloured_and_thick_by_what_they_contribute():
    shared = [SharedNeighbour("C", 0.8, -0.4), SharedNeighbour("D", 0.0, NAN)]
    figure = neighbourhood(Neighbourhood(("A", "B"), shared), title="Why?")
    for svg in drawings(figure):
        widths = {}
        for colour, width in known_links(svg):
            widths.setdefault(colour, set()).add(width)
        assert {5.0} <= widths["series-1"]
        assert {3.0} <= widths["series-2"]
        assert {1.2} <= widths["muted"]
        assert {"A", "B", "C", "D", "do they interact?", "known, and speaks for it"} <= set(texts(svg))
    assert {"+0.80", f"{MINUS}0.40"} <= set(texts(figure.svg))
    assert f"C +0.80 and {MINUS}0.40; D +0.00" in figure.alternative_text


@pytest.mark.parametrize("count", [0, 1, 12, 13, 46])
def test_neighbours_that_are_too_many_are_counted(count):
    shared = [SharedNeighbour(f"YBR{number:03d}W") for number in range(count)]
    figure = neighbourhood(Neighbourhood(("A", "B"), shared, (3, 1203)), title="Why?")
    for svg in drawings(figure):
        shown = [text for text in texts(svg) if text.startswith("YBR")]
        assert shown == [f"YBR{number:03d}W" for number in range(min(count, 12))]
        assert (f"and {count - 12} more" in texts(svg)) == (count > 12)
        assert {"3 other neighbours", "1,203 other neighbours"} <= set(texts(svg))
        assert ("no shared neighbours" in texts(svg)) == (count == 0)
        assert not any("speaks" in text for text in texts(svg))
    assert ("The first 12 of" in figure.caption) == (count > 12)
    assert f"They share {count} neighbours" in figure.alternative_text


@pytest.mark.parametrize(("count", "known"), [(0, True), (1, False), (5, True), (40, True)])
def test_labels_of_a_neighbourhood_never_overlap(count, known):
    values = (0.25, -0.125) if known else (NAN, NAN)
    shared = [SharedNeighbour(f"{LONG} {number}", *values) for number in range(count)]
    figure = neighbourhood(Neighbourhood((LONG, LONG[::-1]), shared, (12345, 7), values), title="t", question=LONG)
    for svg, width in zip(drawings(figure), (840, 360), strict=True):
        font = r'style="[^"]*?font-size:([\d.]+)px;text-anchor:(\w+)[^"]*"'
        found = re.findall(rf'<text {font}[^>]*x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)<', svg.markup)
        boxes = []
        for size, anchor, x, y, text in found:
            long = 0.57 * float(size) * len(text)
            left = float(x) - {"start": 0, "middle": long / 2, "end": long}[anchor]
            boxes.append((left, float(y) - float(size) * 0.8, left + long, float(y) + float(size) * 0.25, text))
        assert len(boxes) > min(count, 12)
        for index, one in enumerate(boxes):
            assert one[0] >= -1, one
            assert one[2] <= width + 1, one
            for other in boxes[:index]:
                apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
                assert apart, (one, other)


def test_a_neighbourhood_is_found_in_a_graph():
    names = ["A", "B", "C", "D", "E", "F"]
    edges = np.array([[0, 2], [2, 1], [3, 0], [1, 3], [0, 1], [4, 0], [3, 5]])
    found = Neighbourhood.of(names, edges, (0, 1))
    assert [neighbour.name for neighbour in found.shared] == ["C", "D"]
    assert (found.pair, found.others) == (("A", "B"), (1, 0))
    assert np.isnan([found.shared[0].first, *found.others_contribute]).all()
    values = np.array([0.1, -0.2, 0.5, 0.3, 9.0, 0.4, 7.0])
    valued = Neighbourhood.of(names, edges, (1, 0), values)
    assert valued.shared == [SharedNeighbour("D", 0.3, 0.5), SharedNeighbour("C", -0.2, 0.1)]
    assert valued.others == (0, 1)
    assert valued.others_contribute == (0.0, 0.4)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_a_neighbourhood_is_that_of_the_matrix(data):
    count = data.draw(st.integers(2, 8))
    drawn = data.draw(st.lists(st.booleans(), min_size=count**2, max_size=count**2))
    matrix = np.triu(np.reshape(drawn, (count, count)), 1)
    links = matrix | matrix.T
    found = Neighbourhood.of([str(node) for node in range(count)], np.argwhere(matrix), (0, 1))
    others = np.arange(count) >= 2
    assert {int(neighbour.name) for neighbour in found.shared} == set(np.flatnonzero(links[0] & links[1]))
    assert found.others == ((links[0] & ~links[1] & others).sum(), (links[1] & ~links[0] & others).sum())
