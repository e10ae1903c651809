import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from primase.data.tasks import Task
from primase.errors import BundleError, ConfigurationError, InputError
from primase.evaluation.calibration import Calibrator, NoCalibration, TemperatureScaling, fit_calibrator
from primase.evaluation.metrics import evaluate
from primase.evaluation.models import log_loss
from primase.evaluation.reliability import reliability


def simulate(temperature: float, labels: int, examples: int = 60_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are the true ones times a temperature."""
    generator = np.random.default_rng(seed)
    true = generator.normal(size=(examples, labels)) * 1.5
    targets = (softmax(true, axis=1).cumsum(axis=1) < generator.random((examples, 1))).sum(axis=1)
    return true * temperature, targets


@pytest.mark.parametrize("labels", [2, 5])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_planted_temperature_is_found(temperature: float, labels: int) -> None:
    fitted = TemperatureScaling.fit(*simulate(temperature, labels))
    assert fitted.temperature == pytest.approx(temperature, rel=0.02)
    assert fitted.reason is None


def test_temperature_is_the_best_there_is() -> None:
    logits, targets = simulate(1.7, 3, examples=500)
    best = TemperatureScaling.fit(logits, targets).temperature
    losses = [log_loss(targets, TemperatureScaling(best * f).answers(logits)) for f in (0.98, 0.999, 1.001, 1.02)]
    assert min(losses) > log_loss(targets, TemperatureScaling(best).answers(logits))


@given(st.floats(0.05, 20), st.integers(0, 1000))
def test_predictions_stay_and_rows_sum_to_one(temperature: float, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(size=(20, 4)) * 30
    probabilities = TemperatureScaling(temperature).answers(logits)
    assert np.array_equal(probabilities.argmax(axis=1), logits.argmax(axis=1))
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert probabilities[3:4] == pytest.approx(TemperatureScaling(temperature).answers(logits[3:4]), abs=1e-15)


def test_calibration_error_falls() -> None:
    logits, targets = simulate(3.0, 2, examples=4000)
    fitted = fit_calibrator("temperature", logits[:2000], targets[:2000])
    task = Task("binary", ("no", "yes"))
    before = evaluate(task, targets[2000:], NoCalibration().answers(logits[2000:]), resamples=0)
    after = evaluate(task, targets[2000:], fitted.answers(logits[2000:]), resamples=0)
    assert after["ece"].value < before["ece"].value / 2
    assert after["accuracy"] == before["accuracy"]
    assert "too sure" in fitted.note


@pytest.mark.parametrize(("sign", "bound"), [(1.0, 1.0), (-1.0, 20.0)])
def test_separable_validation_stays_within_bounds(sign: float, bound: float) -> None:
    targets = np.arange(40) % 2
    logits = sign * np.stack([1.0 - targets, targets], axis=1) * 3.0
    fitted = TemperatureScaling.fit(logits, targets)
    assert (fitted.temperature, fitted.reason) == (bound, "no error" if sign > 0 else "bound")
    assert ("No validation example was wrong" if sign > 0 else "highest") in fitted.note


@pytest.mark.parametrize("targets", [[1, 1, 1], [-1, -1, -1], [1, -1, 1]])
def test_one_label_or_none_leaves_the_network_as_it_is(targets: list[int]) -> None:
    fitted = fit_calibrator("temperature", np.ones((3, 2)), np.array(targets))
    assert fitted.to_state() == {"method": "temperature", "temperature": 1.0, "reason": "one label"}
    assert "fewer than two labels" in fitted.note


def test_logits_that_say_nothing_leave_the_temperature_at_one() -> None:
    assert TemperatureScaling.fit(np.zeros((10, 3)), np.arange(10) % 3).temperature == 1.0


def test_unknown_targets_do_not_count() -> None:
    logits, targets = simulate(2.0, 3, examples=300)
    targets[:100] = -1
    assert fit_calibrator("temperature", logits, targets) == TemperatureScaling.fit(logits[100:], targets[100:])


def test_huge_and_single_precision_logits() -> None:
    logits = np.array([[1e4, -1e4], [-1e4, 1e4], [1e4, -1e4]], dtype=np.float32)
    fitted = fit_calibrator("temperature", logits, np.array([0, 1, 1]))
    assert np.all(np.isfinite(fitted.answers(logits)))
    assert fitted.answers(logits).dtype == np.float64


def test_diverged_network_is_one_clear_message() -> None:
    with pytest.raises(InputError, match="learning rate"):
        fit_calibrator("temperature", np.array([[math.nan, 0.0]]), np.array([0]))


@pytest.mark.parametrize("calibrator", [NoCalibration(), TemperatureScaling(1.37), TemperatureScaling(0.05, "bound")])
def test_round_trip(calibrator: Calibrator) -> None:
    assert Calibrator.from_state(json.loads(json.dumps(calibrator.to_state()))) == calibrator


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"method": "magic"},
        {"method": "temperature"},
        {"method": "temperature", "temperature": 0.0},
        {"method": "temperature", "temperature": math.nan},
        {"method": "temperature", "temperature": "2.0"},
        {"method": "none", "temperature": 2.0},
    ],
)
def test_altered_state_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(BundleError, match="calibration"):
        Calibrator.from_state(state)


def test_unknown_method_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"none.*temperature"):
        fit_calibrator("magic", np.zeros((1, 2)), np.array([0]))


def test_reliability_agrees_with_the_metric_and_with_wilson() -> None:
    logits, targets = simulate(2.0, 3, examples=900)
    probabilities = softmax(logits, axis=1)
    curve = reliability(targets, probabilities)
    task = Task("multiclass", ("a", "b", "c"))
    error = evaluate(task, targets, probabilities, resamples=0)["ece"].value
    assert curve.expected_calibration_error == pytest.approx(error)
    assert curve.count.sum() == 900
    assert np.all((curve.lower < curve.confidence) & (curve.confidence <= curve.upper))
    z = 1.959963984540054
    n, p = curve.count, curve.accuracy
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert curve.low == pytest.approx(centre - half, abs=1e-9)
    assert curve.high == pytest.approx(centre + half, abs=1e-9)
    assert json.loads(json.dumps(curve.to_state()))["count"] == curve.count.tolist()


def test_reliability_leaves_out_unknown_targets() -> None:
    probabilities = np.array([[1.0, 0.0], [0.5, 0.5], [0.1, 0.9]])
    curve = reliability(np.array([0, -1, 0]), probabilities)
    assert curve.count.tolist() == [1, 1]
    assert curve.accuracy.tolist() == [0.0, 1.0]
    assert len(reliability(np.array([-1]), probabilities[:1]).count) == 0
