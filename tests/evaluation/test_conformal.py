import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.data.tasks import Task
from primase.errors import BundleError, ConfigurationError, InputError
from primase.evaluation import conformal as subject
from primase.evaluation.conformal import Conformal, NoIntervals
from primase.evaluation.coverage import coverage_figures
from primase.evaluation.intervals import Units, percentile_interval, resampled_weights
from primase.evaluation.per_label import fit_calibrator_of, read_calibrator, uncalibrated
from primase.evaluation.values import Draw

GENES = Task("regression", ("TP53", "MYC", "ESR1"))
PICTURE = Task("generative", ("TP53", "MYC", "ESR1"))


@given(
    examples=st.integers(0, 40),
    coverage=st.sampled_from([0.5, 0.8, 0.9, 0.95]),
    missing=st.sampled_from([0.0, 0.4]),
    seed=st.integers(0, 1000),
)
def test_half_width_is_the_corrected_quantile_of_the_known_errors(
    examples: int, coverage: float, missing: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    outputs, targets = generator.normal(size=(2, examples, 3))
    targets[generator.random(targets.shape) < missing] = np.nan
    found = Conformal.fit(outputs, targets, coverage)
    for place in range(3):
        errors = sorted(error for error in np.abs(outputs - targets)[:, place].tolist() if not math.isnan(error))
        wanted = (len(errors) + 1) * round(coverage * 100)
        rank = -(-wanted // 100)  # in whole numbers, rounded up
        assert found.half_widths[place] == (errors[rank - 1] if rank <= len(errors) else math.inf)
    assert found.count == (~np.isnan(targets)).sum(axis=0).min()


def test_targets_in_blocks_are_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs, targets = np.random.default_rng(0).normal(size=(2, 30, 3))
    once = Conformal.fit(outputs, targets).half_widths
    monkeypatch.setattr(subject, "_CELLS_AT_ONCE", 1)
    assert np.array_equal(Conformal.fit(outputs, targets).half_widths, once)


def test_intervals_hold_the_stated_share_of_new_values() -> None:
    """Marginal coverage is between c and c + 1 / (n + 1), whatever the distribution of the errors."""
    generator = np.random.default_rng(3)
    scales = generator.uniform(0.1, 9, size=2000)
    errors = generator.standard_t(2, size=(59, 2000)) * scales
    new = generator.standard_t(2, size=(50, 2000)) * scales
    found = Conformal.fit(errors, np.zeros_like(errors), 0.9)
    low, high = found.bounds(np.zeros_like(new))
    share = ((low <= new) & (new <= high)).mean()
    assert share == pytest.approx(0.9, abs=0.006)


def test_methods_by_task() -> None:
    outputs, targets = np.random.default_rng(1).normal(size=(2, 30, 3))
    assert isinstance(fit_calibrator_of(GENES, "conformal", outputs, targets, coverage=0.8), Conformal)
    assert isinstance(fit_calibrator_of(GENES, "none", outputs, targets), NoIntervals)
    assert isinstance(fit_calibrator_of(PICTURE, "none", outputs, targets), NoIntervals)
    assert isinstance(uncalibrated(PICTURE), NoIntervals)
    with pytest.raises(ConfigurationError, match="made again, or made as an image"):
        fit_calibrator_of(PICTURE, "conformal", outputs, targets)
    with pytest.raises(ConfigurationError, match="no such method") as caught:
        fit_calibrator_of(GENES, "temperature", outputs, targets)
    assert "conformal, none" in str(caught.value)
    with pytest.raises(InputError, match="not a finite number"):
        fit_calibrator_of(GENES, "conformal", np.full((30, 3), np.nan), targets)
    with pytest.raises(ValueError, match="coverage"):
        fit_calibrator_of(GENES, "conformal", outputs, targets, coverage=1.0)
    with pytest.raises(ValueError, match="shape"):
        Conformal.fit(outputs, targets[:5])


def test_a_saved_calibrator_is_the_same() -> None:
    outputs, targets = np.random.default_rng(2).normal(size=(2, 30, 3))
    targets[3:, 1] = np.nan
    found = Conformal.fit(outputs, targets, 0.8)
    assert math.isinf(found.half_widths[1])
    again = read_calibrator(json.loads(json.dumps(found.to_state(), allow_nan=False)))
    assert isinstance(again, Conformal)
    assert np.array_equal(again.half_widths, found.half_widths)
    assert (again.coverage, again.count, again.note) == (0.8, 3, found.note)
    assert np.array_equal(again.answers(outputs), outputs)
    assert isinstance(read_calibrator(NoIntervals().to_state()), NoIntervals)
    assert NoIntervals().answers(outputs) is outputs
    with pytest.raises(BundleError, match="conformal"):
        read_calibrator({"method": "conformal", "coverage": 2, "half_widths": [1.0], "count": 3})
    with pytest.raises(BundleError, match="conformal"):
        read_calibrator({"method": "conformal", "coverage": 0.9})


def test_the_note_says_what_cannot_be_said() -> None:
    outputs, targets = np.random.default_rng(2).normal(size=(2, 9, 3))
    targets[0, 1] = np.nan
    note = Conformal.fit(outputs, targets, 0.9).note
    assert "For 1 of 3 targets there is no interval: fewer than 9 validation values are known" in note
    assert "90 % of all cases" in note
    assert "Validation also chose the epoch" in note
    assert "no interval" not in Conformal.fit(outputs[:, :1], targets[:, :1], 0.9).note


def test_coverage_is_counted_over_known_values_and_drawn_over_units() -> None:
    generator = np.random.default_rng(5)
    truth, values = generator.normal(size=(2, 60, 3))
    truth[::7, 0] = np.nan
    intervals = Conformal(0.7, np.array([1.0, math.inf, 0.5]), 20)
    units = Units.of(np.arange(60) // 3, "patient")
    figures = coverage_figures(intervals, truth, values, Draw(units, 90, 6))
    held = np.abs(truth - values)[:, [0, 2]] <= [1.0, 0.5]
    known = ~np.isnan(truth[:, [0, 2]])
    assert figures.found.value == pytest.approx(held.sum() / known.sum())
    assert figures.of_targets[[0, 2]] == pytest.approx(held.sum(axis=0) / known.sum(axis=0))
    assert math.isnan(figures.of_targets[1])
    shares = [
        (weights @ held).sum() / (weights @ known).sum()
        for weights in np.concatenate(list(resampled_weights(units, resamples=90, seed=6)))
    ]
    wanted = percentile_interval(figures.found.value, np.array(shares))
    assert (figures.found.low, figures.found.high) == pytest.approx((wanted.low, wanted.high))
    ranges = [np.subtract(*np.nanpercentile(truth[:, place], [85, 15])) for place in (0, 2)]
    assert figures.relative_width == pytest.approx(np.median([2.0 / ranges[0], 1.0 / ranges[1]]))
    state = json.loads(json.dumps(figures.to_state(), allow_nan=False))
    assert (state["method"], state["coverage_stated"]) == ("conformal", 0.7)
    assert state["coverage_found"] == figures.found.value
    assert list(state["coverage_of_targets"]) == ["5%", "50%", "95%"]


def test_without_intervals_there_is_no_coverage() -> None:
    truth, values = np.random.default_rng(5).normal(size=(2, 10, 3))
    figures = coverage_figures(NoIntervals(), truth, values, Draw(Units.examples(10), 10, 0))
    state = json.loads(json.dumps(figures.to_state(), allow_nan=False))
    assert state["method"] == "none"
    assert state["coverage_stated"] is state["coverage_found"] is state["relative_width"] is None
    endless = Conformal(0.9, np.full(3, math.inf), 2)
    assert math.isnan(coverage_figures(endless, truth, values, Draw(Units.examples(10), 10, 0)).found.value)
