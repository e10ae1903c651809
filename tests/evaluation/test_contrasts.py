import json
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.evaluation.assessment import assess, fit_rivals
from primase.evaluation.baselines import majority_baseline
from primase.evaluation.calibration import TemperatureScaling
from primase.evaluation.contrasts import Contrast, assess_contrast
from primase.evaluation.intervals import Interval, Units
from primase.evaluation.metrics import compare, evaluate
from primase.evaluation.probes import Probe

TASK = Task("binary", ("no interaction", "interaction"))
CALIBRATOR = TemperatureScaling(1.7)


@dataclass(frozen=True)
class Columns:
    values: np.ndarray

    def __len__(self):
        return len(self.values)

    def take(self, indices):
        return Columns(self.values[indices])

    @classmethod
    def concatenate(cls, blocks):
        return cls(np.concatenate([block.values for block in blocks]))


def drawn(seed, *, matched, count=300):
    """Positives of high degree; negatives of low degree, or of the same."""
    generator = np.random.default_rng(seed)
    targets = np.arange(count) % 2
    degree = generator.normal(size=count) + 2 * (targets | matched)
    ids = np.array([f"{seed}-{number}" for number in range(count)], dtype=object)
    return Examples(ids, Columns(np.stack([degree, generator.normal(size=count)], axis=1)), targets)


def degree(examples):
    return examples.inputs.values[:, :1]


def logits(examples):
    """A network that looks at the degree, and a little at something that means nothing."""
    seen = examples.inputs.values @ np.array([1.5, 0.2])
    return np.stack([-seen / 2, seen / 2], axis=1)


@pytest.fixture(scope="module")
def contrast():
    examples = drawn(3, matched=True)
    units = Units.of(np.arange(len(examples)) // 3, "protein")
    return Contrast("degree-matched negatives", "uniform negatives", "Swapped.", "Go by these.", examples, units)


@pytest.fixture(scope="module")
def rivals():
    train, validation = drawn(0, matched=False), drawn(1, matched=False)
    return fit_rivals([majority_baseline()], [Probe("degree product", degree)], TASK, train, validation)


@pytest.fixture(scope="module")
def assessed(contrast, rivals):
    return assess_contrast(
        contrast, logits(contrast.examples), CALIBRATOR, TASK, rivals=rivals, probes=["degree product"]
    )


@pytest.fixture(scope="module")
def assessment(rivals):
    test = drawn(2, matched=False)
    return assess(
        logits(test),
        CALIBRATOR,
        test,
        TASK,
        units=Units.examples(len(test)),
        subsets={"first half": np.arange(len(test)) < 150},
        rivals=rivals,
        probes=["degree product"],
    )


def test_figures_are_those_of_the_calibrated_network_on_these_examples(contrast, assessed):
    examples, figures = contrast.examples, assessed.figures
    probabilities = CALIBRATOR.answers(logits(examples))
    assert assessed.answers == pytest.approx(probabilities)
    assert figures.test == evaluate(TASK, examples.targets, probabilities, units=contrast.units)
    assert figures.test["auroc"].value == pytest.approx(roc_auc_score(examples.targets, logits(examples)[:, 1]))
    assert figures.test["auprc"].value == pytest.approx(
        average_precision_score(examples.targets, logits(examples)[:, 1])
    )
    assert (figures.count, figures.intervals) == (300, "Intervals are over 100 proteins.")
    assert (figures.name, figures.main_name) == ("degree-matched negatives", "uniform negatives")


def test_rivals_are_asked_the_same(contrast, rivals, assessed):
    examples, figures = contrast.examples, assessed.figures
    assert list(figures.baselines) == ["majority class"]
    assert list(figures.probes) == ["degree product"]
    for rival in rivals:
        values = rival.answers(examples)
        measured = {**figures.baselines, **figures.probes}[rival.name]
        assert measured["auroc"].value == pytest.approx(roc_auc_score(examples.targets, values[:, 1]))
        assert figures.differences[rival.name] == compare(
            TASK, examples.targets, assessed.answers, values, units=contrast.units
        )
        assert np.array_equal(assessed.others[rival.name], values)


def test_the_degree_tells_only_what_it_can(assessment, assessed):
    assert assessment.evaluation.probes["degree product"]["auroc"].low > 0.85
    assert assessed.figures.probes["degree product"]["auroc"].value == pytest.approx(0.5, abs=0.1)
    assert not assessed.figures.test["auroc"].excludes(0.5)


def test_state_names_contrasts_and_puts_the_network_among_the_subsets(assessment, assessed):
    alone = assessment.evaluation.to_state()
    state = json.loads(json.dumps(assessment.with_contrasts([assessed]).evaluation.to_state(), allow_nan=False))
    assert "contrasts" not in alone
    assert list(alone["subsets"]) == ["first half"]
    found = state["contrasts"]["degree-matched negatives"]
    assert list(found) == ["test", "baselines", "probes"]
    assert Interval.from_state(found["test"]["auroc"]) == assessed.figures.test["auroc"]
    assert set(found["baselines"]["majority class"]) == set(found["probes"]["degree product"]) == set(state["test"])
    assert state["subsets"]["degree-matched negatives"] == found["test"]
    for key, value in alone.items():
        assert state[key] == (value if key != "subsets" else {**value, "degree-matched negatives": found["test"]})


def test_contrasts_stand_beside_what_there_was(assessment, assessed):
    both = assessment.with_contrasts([assessed])
    assert both.contrasts == (assessed,)
    assert both.evaluation.contrasts == {"degree-matched negatives": assessed.figures}
    assert list(both.evaluation.subsets) == ["first half"]
    assert both.after is assessment.after
    assert assessment.contrasts == ()


def test_a_name_is_given_once(assessment, assessed, contrast):
    with pytest.raises(ValueError, match="different names"):
        assessment.with_contrasts([assessed, assessed])
    named = Contrast("first half", "uniform negatives", "", "", contrast.examples, contrast.units)
    with pytest.raises(ValueError, match="first half"):
        assessment.with_contrasts([assess_contrast(named, logits(contrast.examples), CALIBRATOR, TASK)])
