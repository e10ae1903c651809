import numpy as np
import pytest

from primase.data.tasks import Task
from primase.errors import InputError


def test_the_number_of_labels_decides_the_kind():
    assert Task.from_labels(("no", "yes")) == Task("binary", ("no", "yes"))
    assert Task.from_labels(("a", "b", "c")).kind == "multiclass"


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("binary", ("a",)),
        ("binary", ("a", "b", "c")),
        ("multiclass", ("a", "b")),
        ("binary", ("a", "a")),
        ("binary", ()),
    ],
)
def test_labels_that_do_not_fit_are_refused(kind, labels):
    with pytest.raises(InputError, match=f"a {kind} task needs"):
        Task(kind, labels)


def test_prediction_columns():
    task = Task("multiclass", ("x", "y", "z"))
    probabilities = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
    table = task.prediction_columns(probabilities)
    assert table.columns == ["prediction", "probability_x", "probability_y", "probability_z"]
    assert table["prediction"].to_list() == ["y", "x"]
    np.testing.assert_array_equal(table.drop("prediction").to_numpy(), probabilities)


def test_no_predictions_still_have_columns():
    table = Task("binary", ("no", "yes")).prediction_columns(np.empty((0, 2)))
    assert table.columns == ["prediction", "probability_no", "probability_yes"]
    assert len(table) == 0


def test_target_column():
    assert Task("binary", ("no", "yes")).target_columns(np.array([1, -1, 0]))["target"].to_list() == ["yes", None, "no"]


@pytest.mark.parametrize(("labels", "metric", "outputs"), [(("n", "y"), "auroc", 2), (("a", "b", "c"), "macro_f1", 3)])
def test_main_metric_and_outputs(labels, metric, outputs):
    task = Task.from_labels(labels)
    assert (task.main_metric, task.outputs) == (metric, outputs)


def test_a_task_survives_json():
    task = Task("multiclass", ("x", "ü", "z"))
    assert Task.from_state(task.to_state()) == task


def test_a_multilabel_task_answers_every_label():
    task = Task("multilabel", ("a", "b"))
    table = task.prediction_columns(np.array([[0.9, 0.6], [0.1, 0.2]]))
    assert table["prediction"].to_list() == ["a;b", ""]
    assert table["probability_b"].to_list() == [0.6, 0.2]
    targets = task.target_columns(np.array([[1, -1], [0, 1]], dtype=np.int8))
    assert targets.to_dict(as_series=False) == {"target_a": [1, 0], "target_b": [None, 1]}
    assert task.main_metric == "macro_auroc"
    assert Task.from_state(task.to_state()) == task


def test_the_rarest_label_of_an_example_decides_its_stratum():
    task = Task("multilabel", ("common", "rare"))
    targets = np.array([[1, 0], [1, 1], [0, -1], [1, -1]], dtype=np.int8)
    assert task.strata(targets).tolist() == [1, 2, 0, 1]


def test_a_task_of_images_has_measures_and_no_targets() -> None:
    task = Task("image", ("psnr", "ssim"))
    assert task.is_image
    assert not task.is_value
    assert not task.has_labels
    assert task.main_metric == "psnr"
    assert task.metric("ssim") == "ssim"
    assert task.prediction_columns(np.array([[30.0, 0.9]])).columns == ["value_psnr", "value_ssim"]
    assert task.target_columns(np.empty((1, 0))).is_empty()
    assert task.strata(np.empty((3, 0))).tolist() == [0, 0, 0]
    assert Task.from_state(task.to_state()) == task
