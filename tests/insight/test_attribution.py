import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from primase.insight.attribution import SCHEMA, Attribution, SelfCheck, rank_correlation

numbers = st.lists(st.integers(-5, 5).map(float), min_size=2, max_size=50)


@given(numbers, st.integers(0, 2**31))
def test_rank_correlation_is_spearmans(values, seed):
    first = np.array(values)
    second = np.random.default_rng(seed).permutation(first) + np.arange(len(first)) // 3
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        assert math.isnan(rank_correlation(first, second))
    else:
        assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_values_have_no_correlation(count):
    assert math.isnan(rank_correlation(np.zeros(count), np.zeros(count)))


def test_what_is_not_defined_is_null_in_json():
    check = SelfCheck(0.1, 2.0, float("nan"), 1.0, np.float64("nan"))
    assert check.to_state() == {
        "completeness_error": 0.1,
        "score_range": 2.0,
        "agreement": None,
        "sign_agreement": 1.0,
        "randomised_agreement": None,
    }


def test_rows_of_a_method():
    rows = [("a", "yes", "x", None, 1.0, "ablation"), ("a", "yes", "x", None, 2.0, "gradients")]
    attribution = Attribution(pl.DataFrame(rows, schema=SCHEMA, orient="row"), None)
    assert attribution.of("gradients")["value"].to_list() == [2.0]
    assert attribution.of("other").is_empty()
