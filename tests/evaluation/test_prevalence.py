import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm

from primase.data.tasks import Task
from primase.errors import BundleError, ConfigurationError
from primase.evaluation.prevalence import Prevalence

BINARY = Task("binary", ("no", "yes"))
SHARES = st.floats(0.001, 0.999)


@given(SHARES, SHARES, st.floats(-5, 5))
def test_it_is_the_rule_of_bayes(learned, stated, value):
    """Two normal distributions, one unit apart on either side."""
    likelihoods = np.array([norm.pdf(value, -1), norm.pdf(value, 1)])
    posterior = [likelihoods * [1 - share, share] for share in (learned, stated)]
    before, after = (found / found.sum() for found in posterior)
    np.testing.assert_allclose(Prevalence(learned, stated).corrected(before[None])[0], after, atol=1e-9)


def test_corrected_probabilities_are_frequencies_at_the_stated_share():
    generator = np.random.default_rng(0)
    truth = generator.random(200_000) < 0.02
    scores = generator.normal(np.where(truth, 1, -1))
    at_half = expit(2 * scores)  # what is right where half are positive
    corrected = Prevalence(0.5, 0.02).corrected(np.stack([1 - at_half, at_half], axis=1))[:, 1]
    for low, high in ((0.05, 0.2), (0.2, 0.5), (0.5, 0.9)):
        chosen = (corrected > low) & (corrected < high)
        assert truth[chosen].mean() == pytest.approx(corrected[chosen].mean(), abs=0.03)


def test_the_same_share_changes_nothing():
    answers = np.random.default_rng(0).random((5, 2))
    assert Prevalence(0.3, 0.3).corrected(answers) is answers
    assert not Prevalence(0.3, 0.3).changes


def test_the_learned_share_is_counted():
    found = Prevalence.fit(BINARY, np.array([0, 1, 1, -1, 1]), 0.1)
    assert (found.learned, found.stated) == (0.75, 0.1)
    assert Prevalence.fit(BINARY, np.array([0, 1, 1, -1, 1]), None) == Prevalence(0.75, 0.75)
    assert "0.1" in found.note
    assert Prevalence.from_state(json.loads(json.dumps(found.to_state()))) == found


def test_what_has_no_prevalence_is_refused():
    several = Task("multiclass", ("a", "b", "c"))
    assert Prevalence.fit(several, np.array([0, 1, 2]), None) is None
    assert Prevalence.fit(BINARY, np.array([1, 1]), None) is None
    with pytest.raises(ConfigurationError, match="two labels"):
        Prevalence.fit(several, np.array([0, 1, 2]), 0.1)
    with pytest.raises(ConfigurationError, match="one label"):
        Prevalence.fit(BINARY, np.array([1, 1]), 0.1)
    with pytest.raises(ConfigurationError, match="share"):
        Prevalence(0.5, 0.5).at(1.0)
    with pytest.raises(BundleError, match="prevalence"):
        Prevalence.from_state({"learned": 0.0, "stated": 0.1})
