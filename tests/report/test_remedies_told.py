"""What the report says of remedies: the words follow the settings, and a cut that is no cut is no good news."""

import numpy as np
import pytest

from primase.data.tasks import Task
from primase.evaluation.operating import Aim, choose_operating_point
from primase.report.page import render_page
from primase.report.remedies import operating_section, used_remedies

BINARY = Task("binary", ("no", "yes"))
NOTHING = {"imbalance": "none", "focal_gamma": 2.0, "calibration": "temperature", "mixup": 0.0, "corruption": 0.0}


def told(training=None, **remedies):
    found = used_remedies({"training": training or {"label_smoothing": 0.0}, "remedies": {**NOTHING, **remedies}})
    return None if found is None else (found.state, page(found.sections))


def page(sections):
    return render_page("q", "", list(sections), facts=[], version="1")


def test_nothing_is_told_where_nothing_was_done():
    assert told() is None
    assert used_remedies({"training": {}, "remedies": {}}) is None


def test_each_is_told_with_its_strength():
    state, text = told({"label_smoothing": 0.1}, imbalance="focal", focal_gamma=1.5, mixup=0.3, corruption=0.25)
    assert state == {"imbalance": "focal", "focal_gamma": 1.5, "label_smoothing": 0.1, "mixup": 0.3, "corruption": 0.25}
    for words in ("gamma 1.5", "10% of each target", "Beta(0.3, 0.3)", "25% of every training input"):
        assert words in text


@pytest.mark.parametrize(
    ("calibration", "words"),
    [("temperature", "The temperature that this model has"), ("none", "This model has none"), ("isotonic", None)],
)
def test_what_is_advised_is_not_what_was_done(calibration, words):
    _, text = told(imbalance="weighted", calibration=calibration)
    assert ("--calibration platt" in text) == (words is not None)
    assert words is None or words in text


def test_a_cut_that_tells_nothing_apart_is_no_good_news():
    truth = np.tile([0, 1], 50)
    flat, good = (np.stack([1 - p, p], axis=1) for p in (np.full(100, 0.3), np.where(truth == 1, 0.8, 0.2)))
    for answers, title, absent in (
        (flat, "A cut tells nothing apart", "What was chosen on validation holds on test"),
        (good, "What was chosen on validation holds on test", "A cut tells nothing apart"),
    ):
        point = choose_operating_point(BINARY, truth, answers, Aim("sensitivity"))
        text = page([operating_section(point.aim, point.judged(BINARY, truth, answers))])
        assert title in text
        assert absent not in text
