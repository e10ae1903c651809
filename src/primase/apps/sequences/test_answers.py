import numpy as np
import pytest

from primase.apps.sequences.answers import answer_in_header, target_columns, understand
from primase.bio.tables import TextTable
from primase.data.tasks import Task
from primase.errors import InputError, ReadError


def asked(columns, task=None):
    places = [f"file, line {row + 2}" for row in range(len(next(iter(columns.values()))))]
    return understand(columns, task, where="file", places=places)


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("r1 label=1", "1"),
        ("r1 Label: bound", "bound"),
        ("> chr1,154950102,154950134,+; class:0", "0"),
        ("r1|target=enhancer|x", "enhancer"),
        ("r1;CLASS = 2", "2"),
        ("r1 0", "0"),
        ("r1|bound", "bound"),
        ("r1,3", "3"),
        ("r1 label=1 2", "1"),
        ("r1 mislabel=1 0", "0"),
    ],
)
def test_answers_in_headers(header, answer):
    assert answer_in_header(header, where="x") == answer


@pytest.mark.parametrize("header", ["r1", "", "CID_000781;chr1,154950102,154950134,+", "r1 -", "r1 ."])
def test_a_header_without_an_answer(header):
    with pytest.raises(ReadError, match=r"file, record 'r1': the header tells no answer\. Found: >"):
        answer_in_header(header, where="file, record 'r1'")


TABLE = TextTable("x.tsv", {name: ["1"] for name in ("id", "H3", "H3K4", "H3_source", "H4", "A[1]")}, [2])


@pytest.mark.parametrize(
    ("wanted", "columns"),
    [
        (["H4", "H3"], ["H4", "H3"]),
        (["H3*"], ["H3", "H3K4"]),
        (["H3K4", "H3*"], ["H3K4", "H3"]),
        (["H?"], ["H3", "H4"]),
        (["A[1]"], ["A[1]"]),
        (["*"], ["H3", "H3K4", "H4", "A[1]"]),
    ],
)
def test_columns_by_name_and_pattern(wanted, columns):
    assert target_columns(TABLE, wanted, without=["id", "H3_source"]) == columns


@pytest.mark.parametrize("wanted", [["H5"], ["H4", "H5*"]])
def test_columns_that_are_not_there(wanted):
    with pytest.raises(ReadError, match=r"x\.tsv: there is no column 'H5"):
        target_columns(TABLE, wanted, without=[])


def test_one_column_of_two_labels_is_binary():
    answers = asked({"y": ["yes", "no", "", "yes"]})
    assert answers.task == Task("binary", ("no", "yes"))
    assert answers.targets.tolist() == [1, 0, -1, 1]


def test_one_column_of_several_labels_is_multiclass():
    answers = asked({"y": ["b", "c", "a", "c"]})
    assert answers.task == Task("multiclass", ("a", "b", "c"))
    assert answers.targets.tolist() == [1, 2, 0, 2]


def test_several_columns_are_yes_or_no_each():
    answers = asked({"a": ["1", "0", "", "TRUE"], "b": ["no", "Yes", "-", "+"]})
    assert answers.task == Task("multilabel", ("a", "b"))
    assert answers.targets.dtype == np.int8
    assert answers.targets.tolist() == [[1, 0], [0, 1], [-1, 0], [1, 1]]


def test_the_words_of_a_model_are_understood_however_yes_is_written():
    task = Task("binary", ("not bound", "bound"))
    answers = asked({"y": ["1", "0", "Bound", "yes", "not bound", ""]}, task)
    assert answers.task is task
    assert answers.targets.tolist() == [1, 0, 1, 1, 0, -1]


def test_new_data_may_have_one_answer_only_for_a_trained_model():
    assert asked({"y": ["b", "b"]}, Task("multiclass", ("a", "b", "c"))).targets.tolist() == [1, 1]


def test_a_multilabel_model_of_one_column_stays_one():
    answers = asked({"a": ["1", "0"]}, Task("multilabel", ("a",)))
    assert answers.targets.tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("columns", "task", "message"),
    [
        ({"y": ["", ""]}, None, r"file, column 'y': all answers of a column are empty"),
        ({"a": ["1", "0"], "b": ["", ""]}, None, r"file, column 'b': all answers of a column are empty"),
        ({"y": ["a", "a"]}, None, r"file, column 'y': there is one class only\. Found: a"),
        ({"a": ["1", "0"], "b": ["1", "maybe"]}, None, r"line 3: column 'b' holds what is neither .*Found: maybe"),
        ({"y": ["a", "d"]}, Task("multiclass", ("a", "b", "c")), r"line 3: a label .* not trained on\. Found: d"),
        ({"a": ["1", "0"]}, Task("multilabel", ("a", "b")), r"file: the columns are not .*Found: a\. Accepted: a, b"),
        ({"b": ["1"], "a": ["1"]}, Task("multilabel", ("a", "b")), "the columns are not"),
    ],
)
def test_what_cannot_be_understood(columns, task, message):
    with pytest.raises(InputError, match=message):
        asked(columns, task)
