"""Means of the measures of images: against plain averages, with intervals over what the split keeps together."""

from __future__ import annotations

import numpy as np
import pytest

from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.evaluation.assessment import Assessment, assess
from primase.evaluation.conformal import NoIntervals
from primase.evaluation.images import mean_measures
from primase.evaluation.intervals import Units
from primase.evaluation.values import Draw

TASK = Task("image", ("psnr", "ssim", "perceptual_distance"))


def measures(images: int = 40, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return np.stack([generator.normal(30, 3, images), generator.uniform(size=images), np.full(images, np.nan)], axis=1)


class Way:
    name, description = "bicubic", "Smoothly enlarged."

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def answers(self, examples: Examples) -> np.ndarray:
        del examples
        return self.values


def assessed(values: np.ndarray, other: np.ndarray, units: np.ndarray) -> Assessment:
    ids = np.array([f"image-{place}" for place in range(len(values))], dtype=object)

    class Nothing:
        def __len__(self) -> int:
            return len(values)

    test = Examples(ids, Nothing(), np.empty((len(values), 0), dtype=np.float32))
    half = np.arange(len(values)) < len(values) // 2
    subsets = {"first half": half}
    return assess(
        values,
        NoIntervals(),
        test,
        TASK,
        units=Units.of(units, "field"),
        subsets=subsets,
        rivals=[Way(other)],
    )


def test_figures_are_means_over_images() -> None:
    values, other = measures(), measures(seed=1)
    evaluation = assessed(values, other, np.arange(40)).evaluation
    assert list(evaluation.test) == list(TASK.labels)
    assert evaluation.main.value == pytest.approx(values[:, 0].mean())
    assert evaluation.test["ssim"].value == pytest.approx(values[:, 1].mean())
    assert evaluation.baselines["bicubic"]["psnr"].value == pytest.approx(other[:, 0].mean())
    assert evaluation.differences["bicubic"]["psnr"].value == pytest.approx((values - other)[:, 0].mean())
    assert evaluation.subsets["first half"]["psnr"].value == pytest.approx(values[:20, 0].mean())
    assert np.isnan(evaluation.test["perceptual_distance"].value)
    assert evaluation.to_state()["calibration"]["method"] == "none"


def test_the_interval_is_that_of_a_mean_over_units() -> None:
    values = measures(400)
    alone = mean_measures(TASK, values, Draw(Units.examples(400), 1000, seed=0))["psnr"]
    error = values[:, 0].std() / np.sqrt(400)
    assert (alone.high - alone.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.1)
    # Eight copies of each image are no eight times the evidence.
    repeated = np.repeat(values[:50], 8, axis=0)
    units = Units.of(np.repeat(np.arange(50), 8), "field")
    grouped = mean_measures(TASK, repeated, Draw(units, 1000, seed=0))["psnr"]
    assert (grouped.high - grouped.low) > 2 * (alone.high - alone.low)


def test_an_image_that_could_not_be_measured_is_left_out() -> None:
    values = measures(6)
    values[0, 0] = np.nan
    found = mean_measures(TASK, values, Draw(Units.examples(6), 100, seed=0))
    assert found["psnr"].value == pytest.approx(values[1:, 0].mean())


def test_measures_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="measures of shape"):
        mean_measures(TASK, measures(6)[:, :2], Draw(Units.examples(6), 100, seed=0))
