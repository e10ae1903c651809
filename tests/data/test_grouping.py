"""What a split keeps together where examples come in groups."""

import numpy as np
import pytest

from primase.data.examples import Examples
from primase.data.grouping import grouped_units, usual_policy
from primase.errors import ConfigurationError

PATIENT = {"patient": [0, 0, 1, 2]}
ADVICE = "Name one with --group-column."


def examples(groups=None, parts=None):
    given = None if parts is None else np.array(parts, dtype=object)
    return Examples(
        ids=np.array(list("wxyz"), dtype=object),
        inputs=np.zeros(4),
        targets=np.empty((4, 0)),
        groups={name: np.array(group) for name, group in (groups or {}).items()},
        parts=given,
    )


def test_auto_is_given_then_group_then_random():
    assert usual_policy(examples(PATIENT, ["train", "train", "test", "test"])) == "given"
    assert usual_policy(examples(PATIENT)) == "group"
    assert usual_policy(examples()) == "random"


def test_units_are_groups_unless_the_split_is_random():
    for policy in ("group", "given"):
        assert grouped_units(examples(PATIENT), policy, advice=ADVICE).tolist() == [0, 0, 1, 2]
    assert grouped_units(examples(PATIENT), "random", advice=ADVICE).tolist() == [0, 1, 2, 3]
    assert grouped_units(examples(), "given", advice=ADVICE).tolist() == [0, 1, 2, 3]
    with pytest.raises(ConfigurationError, match="--group-column"):
        grouped_units(examples(), "group", advice=ADVICE)
