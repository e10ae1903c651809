import numpy as np

from primase.evaluation.ridge import chosen_strengths


def test_missing_targets_do_not_speak_for_a_heavier_penalty() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(600, 10))
    complete = features @ generator.normal(size=(10, 20)) + generator.normal(size=(600, 20))
    targets = np.where(generator.random(complete.shape) < 0.6, np.nan, complete)
    assert np.median(chosen_strengths(features, complete)) < 0.1
    assert np.median(chosen_strengths(features, targets)) < 1
