import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as scikit

from primase.data.tasks import Task
from primase.errors import InputError
from primase.evaluation import values as subject
from primase.evaluation.evaluation import best_first, best_of
from primase.evaluation.gains import error_of, gain, gains_of_targets
from primase.evaluation.intervals import Interval, Units, percentile_interval, resampled_weights
from primase.evaluation.metrics import compare, evaluate, evaluate_subsets, lower_is_better, metric_title
from primase.evaluation.scorer import metric_names, overall_metrics
from primase.evaluation.values import Draw, affordable_resamples, resamples_statement, value_figures

GENES = Task("regression", ("TP53", "MYC", "ESR1", "GATA3"))
METRICS = ("mae", "r2", "mse", "pearson")


def measured(seed: int, examples: int = 60, targets: int = 4, missing: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Values around eight, as on a logarithmic scale, and predictions that are partly right."""
    generator = np.random.default_rng(seed)
    truth = 8 + generator.normal(size=(examples, targets)) * generator.uniform(0.2, 3, size=targets)
    found = truth + generator.normal(size=truth.shape)
    truth[generator.random(truth.shape) < missing] = np.nan
    return truth, found


def oracle(truth: np.ndarray, found: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    known = ~np.isnan(truth)
    truth, found, weights = truth[known], found[known], weights[known]
    nothing = dict.fromkeys(METRICS, math.nan)
    if weights.sum() == 0:
        return nothing
    drawn = weights > 0
    figures = {
        "mae": scikit.mean_absolute_error(truth, found, sample_weight=weights),
        "mse": scikit.mean_squared_error(truth, found, sample_weight=weights),
    }
    if np.ptp(truth[drawn]) > 0:
        figures["r2"] = scikit.r2_score(truth[drawn], found[drawn], sample_weight=weights[drawn])
        if np.ptp(found[drawn]) > 0:
            covariance = np.cov(truth, found, aweights=weights)
            figures["pearson"] = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    return nothing | figures


def mean_of(figures: list[dict[str, float]], metric: str) -> float:
    known = [one[metric] for one in figures if not math.isnan(one[metric])]
    return sum(known) / len(known) if known else math.nan


@settings(max_examples=60, deadline=None)
@given(
    examples=st.integers(1, 40),
    missing=st.sampled_from([0.0, 0.3, 0.8]),
    levels=st.sampled_from([0, 2, 30]),
    offset=st.sampled_from([0.0, 1e4]),
    seed=st.integers(0, 10**6),
)
def test_every_metric_is_that_of_scikit_learn(
    examples: int, missing: float, levels: int, offset: float, seed: int
) -> None:
    truth, found = measured(seed, examples, missing=missing)
    if levels:  # ties, and targets that are constant in some resamples
        truth, found = np.round(truth * levels / 10) + offset, np.round(found * levels / 10) + offset
    known = np.any(~np.isnan(truth), axis=1)
    truth, found = truth[known], found[known]
    if not len(truth):
        return
    draw = Draw(Units.examples(len(truth)), 5, seed)
    figures = value_figures(GENES, truth, found, draw, of_targets=True)
    whole = np.ones(len(truth))
    expected = [oracle(truth[:, place], found[:, place], whole) for place in range(4)]
    for metric in METRICS:
        assert figures.of_targets[metric] == pytest.approx([one[metric] for one in expected], abs=1e-6, nan_ok=True)
        assert figures.mean(metric) == pytest.approx(mean_of(expected, metric), abs=1e-6, nan_ok=True)
    if len(truth) < 2:
        assert not len(figures.resampled["mae"])
        return
    for row, weights in enumerate(np.concatenate(list(resampled_weights(draw.units, resamples=5, seed=seed)))):
        drawn = [oracle(truth[:, place], found[:, place], weights) for place in range(4)]
        for metric in METRICS:
            assert figures.resampled[metric][row] == pytest.approx(mean_of(drawn, metric), abs=1e-6, nan_ok=True)


def test_intervals_of_targets_are_percentiles_of_explicit_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, found = measured(1, missing=0.1)
    groups = np.arange(60) // 3
    expected = {name: [] for name in METRICS}
    for weights in np.concatenate(list(resampled_weights(Units.of(groups, "patient"), resamples=80, seed=4))):
        figures = oracle(truth[:, 1], found[:, 1], weights)
        for metric in METRICS:
            expected[metric].append(figures[metric])
    once = evaluate(GENES, truth, found, units=groups, resamples=80, seed=4)
    for metric, numbers in expected.items():
        wanted = percentile_interval(once[f"MYC_{metric}"].value, np.array(numbers))
        assert (once[f"MYC_{metric}"].low, once[f"MYC_{metric}"].high) == pytest.approx((wanted.low, wanted.high))
    # In blocks of one target, with the weights drawn anew for each, everything is as before.
    monkeypatch.setattr(subject, "_SUMMED_AT_ONCE", 1)
    monkeypatch.setattr(subject, "_KEPT_WEIGHTS", 0)
    again = evaluate(GENES, truth, found, units=groups, resamples=80, seed=4)
    for name, interval in once.items():
        assert again[name].to_state() == pytest.approx(interval.to_state())


def test_names_and_their_order() -> None:
    truth, found = measured(2)
    figures = evaluate(GENES, truth, found, resamples=20)
    assert tuple(figures) == metric_names(GENES)
    assert metric_names(GENES)[:6] == ("macro_mae", "macro_r2", "macro_mse", "macro_pearson", "TP53_mae", "TP53_r2")
    again = Task("generative", GENES.labels)
    assert overall_metrics(again) == ("macro_r2", "macro_mae", "macro_mse", "macro_pearson")
    assert GENES.main_metric == overall_metrics(GENES)[0]
    assert [metric_title(name) for name in overall_metrics(GENES)] == [
        "mean MAE",
        "mean R²",
        "mean MSE",
        "mean Pearson r",
    ]
    assert [lower_is_better(name) for name in overall_metrics(GENES)] == [True, False, True, False]
    assert metric_title("TP53_r2") == "TP53 R²"
    with pytest.raises(InputError, match="macro"):
        metric_names(Task("regression", ("macro",)))


def test_a_constant_target_has_errors_and_no_r2() -> None:
    truth, found = measured(3)
    truth[:, 2] = 4.2
    figures = evaluate(GENES, truth, found, resamples=50)
    assert math.isnan(figures["ESR1_r2"].value)
    assert math.isnan(figures["ESR1_pearson"].value)
    assert figures["ESR1_mae"].has_bounds
    others = [figures[f"{name}_r2"].value for name in ("TP53", "MYC", "GATA3")]
    assert figures["macro_r2"].value == pytest.approx(np.mean(others))
    constant = evaluate(GENES, truth, np.full_like(found, 8.1), resamples=50)
    assert math.isnan(constant["TP53_pearson"].value)
    assert constant["TP53_r2"].value < 0.05


def test_a_target_that_is_constant_in_many_resamples_has_no_interval() -> None:
    truth, found = measured(4)
    truth[:, 0] = 0.0
    truth[7, 0] = 5.0  # a third of all resamples lack this one
    figures = evaluate(GENES, truth, found, resamples=200)
    assert math.isfinite(figures["TP53_r2"].value)
    assert not figures["TP53_r2"].has_bounds
    assert figures["TP53_mae"].has_bounds
    assert figures["macro_r2"].has_bounds
    assert figures["macro_r2"].low > -1000  # rounding would make it minus billions


def test_a_single_unit_has_no_interval() -> None:
    truth, found = measured(5)
    figures = evaluate(GENES, truth, found, units=np.zeros(60, dtype=int))
    assert not any(interval.has_bounds for interval in figures.values())
    assert math.isfinite(figures["macro_r2"].value)
    difference = compare(GENES, truth, found, found + 1, units=np.zeros(60, dtype=int))
    assert difference["macro_mae"].value < 0
    assert not difference["macro_mae"].has_bounds


def test_examples_without_any_known_target_are_left_out() -> None:
    truth, found = measured(6)
    truth[::4] = np.nan
    kept = ~np.isnan(truth[:, 0])
    assert evaluate(GENES, truth, found, resamples=30) == evaluate(GENES, truth[kept], found[kept], resamples=30)
    with pytest.raises(InputError, match="no example has a known target"):
        evaluate(GENES, np.full((3, 4), np.nan), np.zeros((3, 4)))


@pytest.mark.parametrize("found", [np.zeros((3, 3)), np.full((3, 4), np.nan), np.full((3, 4), np.inf)])
def test_values_that_do_not_fit_are_refused(found: np.ndarray) -> None:
    with pytest.raises(ValueError, match="value"):
        evaluate(GENES, np.ones((3, 4)), found)


def test_difference_is_that_of_the_same_resamples() -> None:
    truth, found = measured(7, missing=0.2)
    other = found + np.random.default_rng(0).normal(size=found.shape)
    groups = np.arange(60) // 4
    difference = compare(GENES, truth, found, other, units=groups, resamples=40, seed=2)
    assert tuple(difference) == overall_metrics(GENES)
    gaps = []
    for weights in np.concatenate(list(resampled_weights(Units.of(groups, "patient"), resamples=40, seed=2))):
        ours, theirs = (
            np.mean([oracle(truth[:, place], values[:, place], weights)["mae"] for place in range(4)])
            for values in (found, other)
        )
        gaps.append(ours - theirs)
    assert (difference["macro_mae"].low, difference["macro_mae"].high) == pytest.approx(
        tuple(np.percentile(gaps, [2.5, 97.5]))
    )


def test_subsets_have_the_figures_of_the_whole_only() -> None:
    truth, found = measured(8)
    groups = np.arange(60) // 2
    masks = {"first": groups < 15, "none": groups < 0}
    figures = evaluate_subsets(GENES, truth, found, masks, units=Units.of(groups, "patient"), resamples=20)
    assert list(figures) == ["first"]
    first = masks["first"]
    alone = evaluate(GENES, truth[first], found[first], units=groups[first], resamples=20)
    assert figures["first"] == {name: alone[name] for name in overall_metrics(GENES)}


def test_gain_over_a_baseline_is_drawn_together() -> None:
    truth, found = measured(9, missing=0.1)
    other = found + np.random.default_rng(1).normal(size=found.shape)
    other[:, 3] = truth[:, 3]  # the baseline knows this one exactly
    other[np.isnan(other)] = 0.0
    units = Units.examples(60)
    draw = Draw(units, 40, 3)
    ours, theirs = (value_figures(GENES, truth, values, draw) for values in (found, other))
    of_targets = gains_of_targets(GENES, truth, found, other, draw)
    told = gain(ours, theirs, of_targets)
    assert told.metric == "macro_mae"
    assert told.relative.value == pytest.approx(1 - ours.mean("mae") / theirs.mean("mae"))
    assert told.share_better == 0.75
    totals, single = [], []
    for weights in np.concatenate(list(resampled_weights(units, resamples=40, seed=3))):
        errors = [
            [oracle(truth[:, place], values[:, place], weights)["mae"] for place in range(4)]
            for values in (found, other)
        ]
        totals.append(1 - np.mean(errors[0]) / np.mean(errors[1]))
        single.append(1 - errors[0][0] / errors[1][0])
    assert (told.relative.low, told.relative.high) == pytest.approx(tuple(np.percentile(totals, [2.5, 97.5])))
    assert (of_targets.low[0], of_targets.high[0]) == pytest.approx(tuple(np.percentile(single, [2.5, 97.5])))
    assert np.isnan(of_targets.value[3])
    assert told.to_state()["macro_mae"]["value"] == told.relative.value


def test_gains_of_what_is_made_again_are_of_the_mean_square_error() -> None:
    task = Task("generative", GENES.labels)
    truth, found = measured(10)
    other = found * 1.1
    draw = Draw(Units.examples(60), 10, 0)
    ours, theirs = (value_figures(task, truth, values, draw) for values in (found, other))
    assert error_of(task) == "mse"
    told = gain(ours, theirs)
    assert list(told.to_state()) == ["macro_mse", "share_better"]
    assert told.relative.value == pytest.approx(1 - np.mean((found - truth) ** 2) / np.mean((other - truth) ** 2))
    one = gains_of_targets(task, truth, found, other, draw).value[2]
    assert one == pytest.approx(1 - np.mean((found - truth)[:, 2] ** 2) / np.mean((other - truth)[:, 2] ** 2))


def test_fewer_resamples_are_drawn_of_very_many_values_and_it_is_said() -> None:
    units = Units.examples(1000)
    assert affordable_resamples(units, 459) == 1000
    assert affordable_resamples(units, 10_000) == 300
    assert affordable_resamples(units, 10_000, 50) == 50
    assert affordable_resamples(Units.examples(100_000), 10_000) == 200
    assert resamples_statement(units, 459) == units.statement
    assert "from 300 resamples" in resamples_statement(units, 10_000)


def test_the_best_has_the_least_error_or_the_largest_share() -> None:
    def models(metric: str) -> dict[str, dict[str, Interval]]:
        figures = {"undefined": math.nan, "large": 0.9, "small": 0.2}
        return {name: {metric: Interval.undefined(value)} for name, value in figures.items()}

    assert best_first(GENES, models("macro_mae")) == ["small", "large", "undefined"]
    assert best_first(Task("generative", ("a",)), models("macro_r2")) == ["large", "small", "undefined"]
    assert best_of(GENES, {}) is None


def test_the_interval_of_a_mean_over_many_targets_holds_its_figure() -> None:
    """Drawing anew takes squares off each target alike, which shows where the mean over many hardly spreads."""
    generator = np.random.default_rng(0)
    task = Task("regression", tuple(f"g{place}" for place in range(2000)))
    truth = generator.normal(size=(30, 2000))
    found = truth + generator.normal(size=truth.shape)
    other = truth + 0.5 * generator.normal(size=truth.shape)
    figures = evaluate(task, truth, found, resamples=100)
    for name in overall_metrics(task):
        assert figures[name].low < figures[name].value < figures[name].high, name
        difference = compare(task, truth, found, other, resamples=100)[name]
        assert difference.low < difference.value < difference.high, name
