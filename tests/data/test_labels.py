import pytest
from hypothesis import given
from hypothesis import strategies as st

from primase.data.labels import MOST_LABELS, NEGATIVES, POSITIVES, most_frequent, order_labels
from primase.errors import InputError


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["1", "0"], ("0", "1")),
        (["enhancer", "no", None, "no"], ("no", "enhancer")),
        (["No", "Enhancer"], ("No", "Enhancer")),
        (["+", "-"], ("-", "+")),
        (["c", "a", "b"], ("a", "b", "c")),
        (["zebra", "ant", "FALSE"], ("FALSE", "ant", "zebra")),
        (["yes", "true"], ("true", "yes")),
    ],
)
def test_no_comes_first_and_the_others_by_name(labels, expected):
    assert order_labels(labels, "a table") == expected


@given(st.lists(st.sampled_from(["no", "0", "b", "a", None]), min_size=1, max_size=20), st.randoms())
def test_the_order_of_the_rows_does_not_matter(labels, random):
    shuffled = random.sample(labels, len(labels))
    different = {*labels} - {None}
    if len(different) < 2:
        with pytest.raises(InputError):
            order_labels(labels, "a table")
        return
    assert order_labels(labels, "a table") == order_labels(shuffled, "a table")
    assert {*order_labels(labels, "a table")} == different


def test_other_words_may_stand_for_no():
    assert order_labels(["enzyme", "not one"], "x", negatives={"not one"}) == ("not one", "enzyme")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["a", "a"], r"x: there is one class only\. Found: a\. Accepted: at least two different answers"),
        ([None, None], "x: no example has an answer"),
        ([], r"x: no example has an answer\. Found: nothing"),
        ([str(number) for number in range(MOST_LABELS + 1)], rf"too many different answers.*{MOST_LABELS + 1} diff"),
    ],
)
def test_what_are_no_classes_is_said(labels, expected):
    with pytest.raises(InputError, match=expected):
        order_labels(labels, "x")


def test_as_many_labels_as_are_allowed():
    assert len(order_labels([str(number) for number in range(MOST_LABELS)], "x")) == MOST_LABELS


def test_yes_is_never_no():
    assert not NEGATIVES & POSITIVES
    assert all(word == word.lower() for word in NEGATIVES | POSITIVES)


def test_the_most_frequent_answers_are_listed_for_messages():
    assert most_frequent(["a", "", "a", "b", "", "", "c"]) == "an empty cell, a, b"
    assert most_frequent([]) == "nothing"
