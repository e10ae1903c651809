"""Which parts of the test are looked at apart, and that what is left out is said."""

import numpy as np
import pytest

from primase.apps.image_diagnosis.subgroups import FEWEST, left_out, subgroups
from primase.apps.images.pictures import Pictures
from primase.data.examples import Examples

COUNT = 60


def given(**columns):
    ids = np.array([f"{number}.png" for number in range(COUNT)], dtype=object)
    covariates = {name: np.array(words, dtype=object) for name, words in columns.items()}
    pictures = Pictures.of_arrays([np.zeros((8, 8), dtype=np.uint8)] * COUNT)
    return Examples(ids, pictures, np.zeros(COUNT, dtype=np.int64), covariates=covariates)


def test_every_word_of_a_column_with_few_is_a_subgroup():
    test = given(sex=["f", "m", ""] * 20, ward=["a"] * 45 + ["b"] * 15, same=["x"] * COUNT)
    found = subgroups(test)
    assert found.keys() == {"sex: f", "sex: m", "ward: a"}
    assert found["sex: f"].sum() == 20
    assert left_out(test, ["sex"]) == []


@pytest.mark.parametrize(
    ("words", "count", "said"),
    [
        ([str(number % 13) for number in range(COUNT)], COUNT, "13 different words"),
        (["a"] * 45 + ["b"] * 15, 15, f"fewer than {FEWEST} test images have: b (15)"),
        (["x"] * COUNT, COUNT, "the same word (x)"),
        ([""] * COUNT, COUNT, "no image of the test has a word"),
    ],
)
def test_what_is_left_out_is_said_with_its_column_and_reason(words, count, said):
    (finding,) = left_out(given(ward=words, other=words), ["ward"])
    assert finding.finding == "subgroups of ward left out"
    assert finding.severity == "warning"
    assert finding.count == count
    assert said in finding.text


def test_unknown_cells_are_no_word_of_their_own():
    words = [str(number % 12) if number % 2 else "" for number in range(COUNT)]
    assert "different words" not in left_out(given(ward=words), ["ward"])[0].text
