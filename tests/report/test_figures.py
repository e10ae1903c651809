import re
import subprocess
import sys
import threading
from functools import cache, partial

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from primase.evaluation.reliability import reliability
from primase.report import figures
from primase.report.figures.palette import VARIABLES, line_looks
from primase.report.figures.sheet import MOST_POINTS, thinned
from primase.report.wording import MINUS, MISSING

NAN = float("nan")
EVIL = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
LONG = "PF13561 enoyl-(acyl carrier protein) reductase of a family with an uncommonly long name"


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.markup)


def drawings(figure):
    return [svg for svg in (figure.svg, figure.narrow_svg) if svg is not None]


@pytest.fixture(scope="module")
def draw_all(curve, scored):
    return cache(partial(drawings_of, curve, scored))


def drawings_of(curve, scored, name):
    """Every drawing with this name in every place that a user can choose."""
    return {
        "learning_curves": figures.learning_curves([{"train_loss": 1.0, f"validation_{name}": 0.5}], best_epoch=1),
        "roc": figures.roc({name: scored}, highlight=name),
        "precision_recall": figures.precision_recall({name: scored}, highlight=name),
        "reliability": figures.reliability(curve, curve),
        "confusion": figures.confusion(np.eye(5, dtype=int), [name, *"abcd"]),
        "intervals": figures.intervals([(name, 0.9, 0.8, 0.95, "network")], metric=name, chance=0.5, caption=name),
        "contributions": figures.contributions([name], [1.0], title=name, quantity=name),
        "effects": figures.effects([name], [1.0], [3], title=name, quantity=name),
        "histogram": figures.histogram({name: np.arange(9.0)}, quantity=name, caption=name),
    }


def test_text_of_the_user_is_escaped(draw_all):
    for kind, figure in draw_all(EVIL).items():
        for svg in drawings(figure):
            assert "<script" not in svg.markup, kind
        if kind not in {"learning_curves", "reliability", "confusion"}:
            assert any(ESCAPED in text for text in texts(figure.svg)), kind
            assert EVIL in figure.alternative_text, kind


def test_any_name_can_be_drawn(scored):
    names = ["", " ", "$x_1$ $", "_hidden", "蛋白质", "a\nb\0c\x1b", "\ud800", "&amp;", "🧬", "{x}%s"]
    numbers = np.linspace(-1, 1, len(names))
    drawn = [
        figures.roc(dict.fromkeys(names, scored), highlight="_hidden"),
        figures.precision_recall(dict.fromkeys(names, scored), highlight=" "),
        figures.confusion(np.eye(len(names), dtype=int), names),
        figures.intervals([(name, 0.9, 0.8, 0.95, "probe") for name in names], metric="a\nb"),
        figures.contributions(names, numbers, title="\x1b", quantity="\x1b"),
        figures.effects(names, numbers, range(len(names)), title="", quantity=""),
        figures.histogram(dict.fromkeys(names, numbers), quantity="\0"),
    ]
    for figure in drawn:
        for svg in drawings(figure):
            assert {"$x_1$ $", "_hidden", "蛋白质", "a b c", "&amp;amp;", "🧬", "{x}%s"} <= set(texts(svg))
        figure.alternative_text.encode()


def test_names_are_drawn_letter_by_letter():
    figure = figures.contributions(["$a_1$ _b", "_c"], [1.0, 2.0], title="t")
    assert {"$a_1$ _b", "_c"} <= set(texts(figure.svg))


def test_long_names_are_cut_and_told_in_words(draw_all):
    for kind, figure in draw_all(LONG).items():
        if kind in {"learning_curves", "reliability"}:
            continue
        assert LONG in figure.alternative_text, kind
        for svg in drawings(figure):
            assert LONG not in texts(svg), kind
            assert any(text.endswith("…") and text.startswith("PF13") for text in texts(svg)), kind


def test_the_same_drawing_is_the_same_text(curve, scored, draw_all):
    assert draw_all("a") == drawings_of(curve, scored, "a")


def test_no_stand_in_colour_is_left_and_black_is_nowhere(draw_all):
    for kind, figure in draw_all("a").items():
        for svg in drawings(figure):
            outside = re.sub(r"var\([^)]*\)", "", svg.markup)
            assert not re.search(r"#[0-9a-f]{6}", outside), kind
            assert not any(stand_in in svg.markup for stand_in in VARIABLES), kind


def test_settings_of_matplotlib_are_put_back(scored):
    with mpl.rc_context({"font.size": 33, "text.usetex": True, "axes.grid": True}):
        before = dict(mpl.rcParams)
        figure = figures.roc({"a": scored})
        assert dict(mpl.rcParams) == before
    assert figure == figures.roc({"a": scored})


def test_pyplot_and_the_backend_are_left_alone():
    program = """
import sys, matplotlib
matplotlib.use("pdf")
from primase.evaluation.reliability import reliability
from primase.report import figures
figures.contributions(["a"], [1.0], title="t")
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.get_backend() == "pdf"
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_areas_are_those_of_scikit_learn(scored):
    targets, scores = scored
    assert f"{roc_auc_score(targets, scores):.3f}" in texts(figures.roc({"a": scored}).svg)
    figure = figures.precision_recall({"a": scored})
    assert f"{average_precision_score(targets, scores):.3f}" in texts(figure.svg)
    assert f"{targets.mean():.3f}" in texts(figure.svg)
    others = figures.precision_recall({"others": (targets[:500], scores[:500]), "a": scored}, highlight="a")
    assert f"{targets.mean():.3f}" in texts(others.svg)
    assert f"{targets[:500].mean():.3f}" not in texts(others.svg)


def test_thinned_curves_keep_their_area_and_ends(scored):
    x, y, _ = roc_curve(*scored, drop_intermediate=False)
    kept = thinned(x, y)
    assert len(kept) <= MOST_POINTS < len(x)
    assert auc(x[kept], y[kept]) == pytest.approx(auc(x, y), abs=2e-3)
    assert (kept[0], kept[-1]) == (0, len(x) - 1)
    assert (np.diff(kept) > 0).all()
    precision, recall, _ = precision_recall_curve(*scored)
    kept = thinned(recall[::-1], precision[::-1])
    assert auc(recall[::-1][kept], precision[::-1][kept]) == pytest.approx(auc(recall, precision), abs=5e-3)


def test_thinning_leaves_short_and_flat_curves():
    assert thinned(np.arange(3.0), np.zeros(3)).tolist() == [0, 1, 2]
    assert {0, 999} <= set(thinned(np.zeros(1000), np.zeros(1000)).tolist())


def test_drawings_stay_small():
    generator = np.random.default_rng(1)
    targets = generator.integers(0, 2, 100_000)
    curves = {f"model {number}": (targets, generator.normal(size=100_000)) for number in range(6)}
    assert len(figures.roc(curves).svg.markup) < 100_000
    assert len(figures.precision_recall(curves).svg.markup) < 100_000
    assert len(figures.histogram({"a": generator.normal(size=100_000)}).svg.markup) < 30_000


def test_one_class_alone_is_said(scored):
    curves = {
        "network": scored,
        "rare": (np.zeros(4, dtype=int), np.arange(4.0)),
        "none": (np.zeros(0, int), np.zeros(0)),
    }
    for draw in (figures.roc, figures.precision_recall):
        figure = draw(curves, highlight="network")
        assert texts(figure.svg).count("one class only") == 2
        assert "rare one class only" in figure.alternative_text
        alone = draw({"rare": curves["rare"]})
        assert "both classes are needed for a curve" in texts(alone.svg)


def test_the_highlighted_curve_has_the_first_look_in_any_place(scored):
    def legend_colour(figure, name):
        strokes = re.findall(r"stroke:var\(--(series-\d)[^)]*\)[^>]*stroke-width:2.4", figure.svg.markup)
        return set(strokes), name in texts(figure.svg)

    last = figures.roc({"a": scored, "b": scored, "network": scored}, highlight="network")
    assert legend_colour(last, "network") == ({"series-1"}, True)


def test_lines_look_different():
    assert len(set(line_looks(28))) == 28


@pytest.mark.parametrize(
    ("rows", "panels"),
    [
        ([], 1),
        ([{"epoch": 1}], 1),
        ([{"train_loss": 0.5}], 1),
        ([{"train_loss": NAN}, {"train_loss": float("inf")}], 1),
        ([{"epoch": 3, "train_loss": 0.5, "learning_rate": 9.0}, {"epoch": 4, "validation_auroc": 0.9}], 2),
        ([{"epoch": e, "train_loss": 1 / e, "validation_f1": 0.5} for e in range(1, 2000)], 2),
    ],
)
def test_learning_curves(rows, panels):
    figure = figures.learning_curves(rows, best_epoch=1)
    assert texts(figure.svg).count("Epoch") == panels
    assert (figure.narrow_svg is not None) == (figure.width == "full") == (panels == 2)
    assert "learning rate" not in texts(figure.svg)
    assert len(figure.svg.markup) < 60_000


def test_learning_curves_tell_the_best_epoch_and_the_ends():
    rows = [{"epoch": e, "validation_loss": 1 / e} for e in (1, 2, 4)]
    figure = figures.learning_curves(rows, best_epoch=2)
    assert "best: epoch 2" in texts(figure.svg)
    assert "validation loss from 1.000 to 0.250" in figure.alternative_text
    assert "over 3 epochs" in figure.alternative_text


def test_reliability_shows_each_point_and_the_intervals_there_are(curve):
    figure = figures.reliability(curve)
    assert "examples (most: 500)" in texts(figure.svg)
    assert "0.50 sure, 0.40 right (5)" in figure.alternative_text
    marker = re.search(r'<path id="(s\d+)"[^>]*d="[^"]*C', figure.svg.markup)
    assert marker is not None
    assert len(re.findall(f'href="#{marker[1]}"', figure.svg.markup)) == 3
    whiskers = re.findall(
        r'<path d="M ([\d.]+) [\d.]+ L \1 [\d.]+"[^>]*--series-1[^>]*stroke-width:1.4', figure.svg.markup
    )
    assert len(whiskers) == 2


def test_reliability_of_nothing():
    figure = figures.reliability(reliability(np.zeros(0, dtype=int), np.zeros((0, 2))))
    assert "no examples" in texts(figure.svg)


@pytest.mark.parametrize("count", [2, 4, 5, 8, 12])
def test_confusion_shows_counts_and_percentages(count):
    matrix = np.arange(count * count).reshape(count, count)
    matrix[1] = 0
    figure = figures.confusion(matrix, [f"class {index}" for index in range(count)])
    shown = texts(figure.svg)
    assert shown.count("0") >= count
    assert shown.count(MISSING) == count
    share = 100 * matrix[0, 1] / matrix[0].sum()
    assert f"{share:.1f} %" in shown
    assert str(matrix[-1, -1]) in shown
    assert "class 1: no examples" in figure.alternative_text
    assert (figure.narrow_svg is not None) == (count > 4)
    if figure.narrow_svg is not None:
        assert f"{share:.0f}" in texts(figure.narrow_svg)


def test_confusion_says_what_is_mistaken_for_what():
    figure = figures.confusion(np.array([[8, 2, 0], [0, 5, 0], [1, 3, 6]]), ["lyase", "ligase", "kinase"])
    assert "lyase: 80.0% of 10 right, 2 taken for ligase" in figure.alternative_text
    assert "ligase: 100.0% of 5 right;" in figure.alternative_text


def test_confusion_refuses_a_matrix_that_does_not_fit():
    with pytest.raises(ValueError, match="does not fit 2 labels"):
        figures.confusion(np.eye(3, dtype=int), ["a", "b"])


@pytest.mark.parametrize("chance", [None, 0.5, 0.0])
def test_intervals_cope_with_what_is_missing(chance):
    scores = [
        ("network", 0.9, 0.85, 0.95, "network"),
        ("logistic regression", 0.8, NAN, NAN, "baseline"),
        ("length", NAN, NAN, NAN, "probe"),
    ]
    figure = figures.intervals(scores, metric="AUROC", chance=chance)
    for svg in drawings(figure):
        assert {"0.900 [0.850, 0.950]", "0.800 [no interval]", "not defined"} <= set(texts(svg))
        assert (
            (f"chance ({chance:.3f})" in texts(svg))
            if chance is not None
            else not any("chance" in t for t in texts(svg))
        )
    assert "length (probe) not defined" in figure.alternative_text
    assert figures.intervals([("a", NAN, NAN, NAN, "probe")], metric="AUROC").svg.markup
    assert "nothing to show" in texts(figures.intervals([], metric="AUROC").svg)


def test_bars_go_from_the_strongest_to_the_weakest():
    names = [f"PF{index:05d}" for index in range(50)]
    values = [(-1) ** index * index / 10 for index in range(50)]
    figure = figures.effects(names, values, [1000] * 50)
    shown = [text for text in texts(figure.svg) if text.startswith("PF")]
    assert shown == names[:19:-1]
    assert {f"{MINUS}4.90", "+4.80", "1,000"} <= set(texts(figure.svg))
    assert "The 30 strongest of 50 are shown." in figure.caption


@pytest.mark.parametrize(("names", "values"), [([], []), (["a"], [0.0]), (["a", "b"], [NAN, -1.0]), (["a"], [1e9])])
def test_contributions_cope_with_what_is_missing(names, values):
    figure = figures.contributions(names, values, title="Why?")
    assert figure.caption.startswith("Why?")
    assert [name for name in names if name in texts(figure.svg)] == [
        name for name, value in zip(names, values, strict=True) if np.isfinite(value)
    ]
    assert ("nothing to show" in texts(figure.svg)) == (not names)


@pytest.mark.parametrize(
    "values", [[], [1.0], [2.0] * 5, [NAN, float("inf")], [1.0, NAN], list(range(7)), [1e-9, 2e-9], [0.0, 1e6]]
)
def test_histograms(values):
    figure = figures.histogram({"some": np.array(values), "others": np.arange(5.0)}, quantity="length")
    known = int(np.isfinite(values).sum())
    counted = f"n = {known}" if known == len(values) else f"n = {known} of {len(values)}"
    assert counted in texts(figure.svg)
    assert figures.histogram({"some": np.array(values)}).svg.markup


def test_drawing_works_beside_the_main_thread():
    found = []
    worker = threading.Thread(target=lambda: found.append(figures.contributions(["a"], [1.0], title="t")))
    worker.start()
    worker.join()
    assert found == [figures.contributions(["a"], [1.0], title="t")]
