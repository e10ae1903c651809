from dataclasses import dataclass

import numpy as np
import pytest

from primase.data.audit import Finding, audit_examples, audit_partition, audit_sizes, has_twin
from primase.data.examples import Examples
from primase.data.splits import Partition
from primase.data.tasks import Task

BINARY = Task("binary", ("no", "yes"))


@dataclass(frozen=True)
class Column:
    values: np.ndarray

    def __len__(self):
        return len(self.values)

    def take(self, indices):
        return Column(self.values[indices])


def found(texts, targets, ids=None, task=BINARY):
    count = len(texts)
    names = np.array(ids or [f"example-{number}" for number in range(count)], dtype=object)
    fingerprints = np.array(texts, dtype=object)
    examples = Examples(names, Column(fingerprints), np.array(targets))
    return {finding.finding: finding for finding in audit_examples(examples, task, fingerprints, what="word")}


def test_nothing_odd():
    findings = found([str(number) for number in range(80)], [0, 1] * 40)
    assert {name: finding.count for name, finding in findings.items()} == {"class balance": 40, "identical inputs": 0}
    assert {finding.severity for finding in findings.values()} == {"info"}
    assert findings["class balance"].text == "Examples by class: no 40, yes 40."


def test_unequal_classes():
    findings = found([str(number) for number in range(1000)], [0] * 970 + [1] * 30)
    assert findings["class balance"].severity == "warning"
    assert "yes makes up 3.0%" in findings["class balance"].text
    assert "rare classes" not in findings


def test_rare_classes():
    task = Task("multiclass", ("a", "b", "c"))
    findings = found([str(number) for number in range(80)], [0] * 50 + [1] * 29 + [-1], task=task)
    assert findings["rare classes"].count == 2
    assert "b, c" in findings["rare classes"].text


def test_repeated_ids():
    findings = found(list("abcd"), [0, 1, 0, 1], ids=["x", "y", "x", "x"])
    assert findings["repeated ids"].count == 1
    assert "repeated ids" not in found(list("abcd"), [0, 1, 0, 1])


def test_identical_inputs_and_label_conflicts():
    findings = found(["a", "a", "a", "b", "b", "c", "d"], [0, 0, 1, 1, 1, 0, 1])
    assert findings["identical inputs"].count == 5
    assert "4 distinct ones" in findings["identical inputs"].text
    assert findings["label conflicts"].count == 3
    assert findings["label conflicts"].severity == "warning"
    assert f"{6 / 7:.3f}" in findings["label conflicts"].text


def test_unknown_labels_do_not_conflict():
    assert "label conflicts" not in found(["a", "a", "b"], [0, -1, 1])


def test_agreeing_twins_are_no_conflict():
    assert "label conflicts" not in found(["a", "a", "b"], [1, 1, 0])


@pytest.fixture
def partition():
    return Partition(np.array([0, 1, 2]), np.array([3]), np.array([4, 5, 6, 7]), "random", np.arange(8))


def test_twins_are_test_examples_whose_input_is_in_train(partition):
    fingerprints = np.array(["a", "b", "c", "d", "d", "a", "a", "e"], dtype=object)
    assert has_twin(fingerprints, partition).tolist() == [False, True, True, False]
    (finding,) = audit_partition(fingerprints, partition, what="word")
    assert (finding.finding, finding.count, finding.severity) == ("twins across the split", 2, "warning")
    assert "2 of 4 test examples (50%) have an identical word in train" in finding.text
    assert "empty" not in finding.text


def test_empty_inputs_are_alike_but_not_akin(partition):
    (finding,) = audit_partition(np.array(["", "b", "c", "d", "", "", "x", "e"], dtype=object), partition, what="word")
    assert (finding.count, finding.severity) == (2, "info")
    assert "2 of them an empty one" in finding.text


def test_empty_inputs_do_not_hide_true_twins(partition):
    (finding,) = audit_partition(np.array(["", "b", "c", "d", "", "", "b", "e"], dtype=object), partition, what="word")
    assert (finding.count, finding.severity) == (3, "warning")
    assert "2 of them an empty one" in finding.text
    assert "the other 3 stand beside" in finding.text


def test_an_empty_input_without_an_empty_one_in_train_is_no_twin(partition):
    (finding,) = audit_partition(
        np.array(["a", "b", "c", "d", "", "b", "x", "e"], dtype=object), partition, what="word"
    )
    assert (finding.count, finding.severity) == (1, "warning")
    assert "empty" not in finding.text


def test_no_twins(partition):
    (finding,) = audit_partition(np.array(list("abcdefgh"), dtype=object), partition, what="word")
    assert (finding.count, finding.severity) == (0, "info")


def test_a_finding_in_json():
    state = Finding("some finding", 3, "info", "Three.").to_state()
    assert state == {"finding": "some finding", "count": 3, "severity": "info", "text": "Three."}


def test_parts_that_can_judge_nothing_are_named():
    for tested, expected in ((9, ["small parts"]), (10, [])):
        ends = np.split(np.arange(40 + tested), [30, 40])
        findings = audit_sizes(Partition(*ends, policy="random", units=np.arange(40 + tested)))
        assert [finding.finding for finding in findings] == expected
        assert all("9 in test" in finding.text for finding in findings)
