import numpy as np
import pytest

from primase.apps.expression.profiles import Profiles
from primase.apps.expression.splitting import choose_policy, split_units
from primase.data.examples import Examples
from primase.errors import ConfigurationError

INPUTS = Profiles.of_values("AB", np.zeros((4, 2)))


def examples(groups=None, parts=None):
    given = None if parts is None else np.array(parts, dtype=object)
    return Examples(
        ids=np.array(list("wxyz"), dtype=object),
        inputs=INPUTS,
        targets=np.empty((4, 0)),
        groups={name: np.array(group) for name, group in (groups or {}).items()},
        parts=given,
    )


def test_auto_is_given_then_group_then_random():
    patient = {"patient": [0, 0, 1, 2]}
    assert choose_policy(examples(patient, ["train", "train", "test", "test"])) == "given"
    assert choose_policy(examples(patient)) == "group"
    assert choose_policy(examples()) == "random"


def test_units_are_groups_unless_the_split_is_random():
    patient = {"patient": [0, 0, 1, 2]}
    assert split_units(examples(patient), "group").tolist() == [0, 0, 1, 2]
    assert split_units(examples(patient), "given").tolist() == [0, 0, 1, 2]
    assert split_units(examples(patient), "random").tolist() == [0, 1, 2, 3]
    assert split_units(examples(), "given").tolist() == [0, 1, 2, 3]
    with pytest.raises(ConfigurationError, match="--group-column"):
        split_units(examples(), "group")
