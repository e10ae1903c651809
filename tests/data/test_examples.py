import numpy as np
import pytest

from primase.data.encoding import SupervisedBatches
from primase.data.examples import Examples


class Column:
    def __init__(self, values):
        self.values = np.asarray(values)

    def __len__(self):
        return len(self.values)

    def take(self, indices):
        return Column(self.values[indices])

    def batch(self, indices):
        return {"values": self.values[indices]}


@pytest.fixture
def examples():
    return Examples(
        ids=np.array(["a", "b", "c", "d"], dtype=object),
        inputs=Column([10, 20, 30, 40]),
        targets=np.array([0, 1, -1, 1]),
        groups={"patient": np.array([5, 5, 6, 7])},
        parts=np.array(["train", "test", "train", "validation"], dtype=object),
        covariates={"age": np.array([1.0, 2.0, 3.0, 4.0])},
    )


def test_taking_keeps_everything_aligned(examples):
    taken = examples.take(np.array([3, 0, 3]))
    assert len(taken) == 3
    assert taken.ids.tolist() == ["d", "a", "d"]
    assert taken.inputs.values.tolist() == [40, 10, 40]
    assert taken.targets.tolist() == [1, 0, 1]
    assert taken.groups["patient"].tolist() == [7, 5, 7]
    assert taken.parts.tolist() == ["validation", "train", "validation"]
    assert taken.covariates["age"].tolist() == [4.0, 1.0, 4.0]


def test_taking_nothing(examples):
    assert len(examples.take(np.array([], dtype=np.int64))) == 0


def test_a_group_is_added_beside_the_others(examples):
    more = examples.with_group("chromosome", np.array([1, 1, 2, 2]))
    assert set(more.groups) == {"patient", "chromosome"}
    assert set(examples.groups) == {"patient"}


@pytest.mark.parametrize("name", ["inputs", "targets", "groups", "parts", "covariates"])
def test_columns_of_different_lengths_are_a_fault_of_ours(name):
    columns = {"ids": np.array(["a", "b"], dtype=object), "inputs": Column([1, 2]), "targets": np.array([0, 1])}
    wrong = {"inputs": Column([1]), "targets": np.array([0]), "parts": np.array(["train"], dtype=object)}
    wrong |= {"groups": {"patient": np.array([1])}, "covariates": {"age": np.array([1.0])}}
    with pytest.raises(ValueError, match="1 rows beside 2 ids"):
        Examples(**{**columns, name: wrong[name]})


def test_whole_batches_are_cut_out():
    batches = SupervisedBatches(Column([10, 20, 30]), np.array([0, 1, 2], dtype=np.int32))
    inputs, targets = batches[np.array([2, 0])]
    assert inputs["values"].tolist() == [30, 10]
    assert targets.tolist() == [2, 0]
    assert len(batches) == 3


def test_targets_in_a_run_are_not_copied():
    targets = np.zeros((10, 3), dtype=np.int8)
    examples = Examples(ids=np.arange(10).astype(object), inputs=_Row(np.arange(10)), targets=targets)
    assert np.shares_memory(examples.take(np.arange(2, 7)).targets, targets)
    assert not np.shares_memory(examples.take(np.array([2, 4])).targets, targets)


class _Row:
    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def take(self, indices):
        return _Row(self.values[indices])
