"""The learning curve of a run: the same test, after training on nested shares of the training part."""

import importlib
import json
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from primase.data.examples import Examples
from primase.data.splits import Partition
from primase.data.tasks import Task
from primase.evaluation.intervals import Interval
from primase.events import Epoch, Notice, StageStarted
from primase.report.growth import Growth, growth_section, verdict
from primase.report.page import render_page
from primase.steps.growing import Shares

primase = importlib.import_module("primase")

ENZYMES = "enzyme-identification"


@pytest.fixture(scope="module")
def grown(rehearse, tmp_path_factory):
    return rehearse(ENZYMES).train(tmp_path_factory.mktemp("grown") / "model", learning_curve=True, epochs=4)


def test_all_sizes_are_judged_on_the_same_test(grown, rehearse, tmp_path):
    curve = grown.metrics["learning_curve"]
    train = grown.metrics["split"]["sizes"]["train"]
    assert curve["metric"] == "auroc"
    assert curve["examples"][-1] == train
    assert curve["examples"] == sorted(curve["examples"])
    assert curve["examples"][2] == pytest.approx(train / 2, rel=0.2)
    table = pl.read_parquet(grown.path / "predictions.parquet").filter(pl.col("part") == "test")
    positive = next(name for name in table.columns if name.startswith("probability_") and "not" not in name)
    auroc = roc_auc_score(table["target"] == positive.removeprefix("probability_"), table[positive])
    assert curve["network"][-1]["value"] == pytest.approx(auroc)
    best = grown.metrics["baselines"][curve["baseline"]["name"]]["auroc"]
    assert curve["baseline"]["test"][-1]["value"] == pytest.approx(best["value"])
    gain = curve["network"][-1]["value"] - curve["network"][-2]["value"]
    assert curve["last_doubling"]["value"] == pytest.approx(gain)
    assert "Would more data help?" in (grown.path / "report.html").read_text(encoding="utf-8")


def test_the_curve_changes_nothing_else(grown, rehearse, tmp_path):
    plain = rehearse(ENZYMES).train(tmp_path / "plain", epochs=4)
    assert plain.metrics["test"] == grown.metrics["test"]
    assert plain.metrics["baselines"] == grown.metrics["baselines"]
    weights = [(run.path / "member-1.safetensors").read_bytes() for run in (plain, grown)]
    assert weights[0] == weights[1]


def test_an_interrupted_curve_goes_on(grown, rehearse, tmp_path):
    seen = []

    def interrupt(event):
        seen.append(event)
        curve = any(isinstance(one, StageStarted) and one.stage == "learning curve" for one in seen)
        if curve and isinstance(event, Epoch) and (tmp_path / "model.partial").exists():
            done = list((tmp_path / "model.partial" / "learning-curve").rglob("test.npz"))
            if done:
                raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, SystemExit)):
        rehearse(ENZYMES).train(tmp_path / "model", learning_curve=True, epochs=4, listener=interrupt)
    later = []
    resumed = rehearse(ENZYMES).train(
        tmp_path / "model", learning_curve=True, epochs=4, resume=True, listener=later.append
    )
    assert resumed.metrics["learning_curve"] == grown.metrics["learning_curve"]
    assert sum(isinstance(event, Epoch) for event in later) <= 8  # two shares are left, of four epochs each


def test_simulated_examples_are_in_every_share(rehearse, tmp_path):
    run = rehearse("rna-binding").train(tmp_path / "model", learning_curve=True, simulated=50, epochs=1)
    sizes = run.metrics["split"]["sizes"]["train"]
    assert run.metrics["learning_curve"]["examples"][-1] == sizes - 50
    assert "All had 50 simulated examples beside" in (run.path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("largest", "expected"), [(0, [20, 40, 80]), (64, [64]), (150, [])])
def test_shares_that_are_equal_are_one(largest, expected):
    # What stays together is the first `largest` examples; the rest stand alone.
    examples = Examples(np.arange(160).astype(str), np.arange(160), np.zeros(160, dtype=np.int64))
    units = np.maximum(np.arange(160), largest)
    partition = Partition(np.arange(160), np.arange(0), np.arange(0), "group", units)
    labelled = SimpleNamespace(examples=examples, task=Task("binary", ("no", "yes")))
    found = Shares(None, labelled, partition, None, 160, None).partitions(0)
    sizes = [len(one.train) for one in found]
    assert len(sizes) == len(set(sizes))
    assert all(16 <= size < 160 for size in sizes)
    if largest == 0:
        assert sizes == expected


def growth(values, gain, sizes=(100, 200, 400, 800), metric="auroc"):
    figures = tuple(Interval(value, value - 0.02, value + 0.02) for value in values)
    return Growth(metric, sizes, figures, figures, "logistic regression", gain)


@pytest.mark.parametrize(
    ("values", "gain", "title"),
    [
        ((0.7, 0.75, 0.79, 0.825), Interval(0.035, 0.01, 0.06), "More data would help"),
        ((0.7, 0.75, 0.79, 0.825), Interval(0.035, -0.01, 0.06), "More data may help a little"),
        ((0.9, 0.7, 0.7, 0.82), Interval(0.12, 0.01, 0.2), "More data would probably help"),
        ((0.8, 0.82, 0.8, 0.81), Interval(0.01, -0.02, 0.03), "More of the same data may not help"),
        ((0.8, 0.82, 0.8, 0.81), Interval(0.01, -0.1, 0.1), "Whether more data would help cannot be told"),
        ((0.8, 0.82, 0.8, 0.81), Interval.undefined(0.01), "Whether more data would help cannot be told"),
    ],
)
def test_the_verdict_goes_by_the_last_doubling_and_the_law(values, gain, title):
    found = growth(values, gain)
    assert verdict(found)[1] == title
    text = verdict(found)[2]
    assert ("1,600" in text) == (found.law is not None)
    assert title in render_page("q", "", [growth_section(found)], facts=[], version="1")


def test_what_is_expected_lies_on_the_law():
    found = growth([1 - 0.6 * size**-0.25 for size in (100, 200, 400, 800)], Interval(0.02, 0.01, 0.03))
    at, expected = found.expected
    assert at == 1600
    assert expected.value == pytest.approx(1 - 0.6 * 1600**-0.25)
    lower = growth([0.6 * size**-0.25 for size in (100, 200, 400, 800)], Interval(0.02, 0.01, 0.03), metric="macro_mae")
    assert lower.expected[1].value == pytest.approx(0.6 * 1600**-0.25)
    assert json.dumps(found.remedy().state)


def test_a_tiny_training_part_has_no_curve(rehearse, tmp_path):
    folder = rehearse("rna-binding").folder
    few = {}
    for name in ("positives", "negatives"):
        records = (folder / f"{name}.fa").read_text().split(">")[1:13]
        few[name] = tmp_path / f"{name}.fa"
        few[name].write_text("".join(f">{record}" for record in records))
    notices = []
    settings = {"epochs": 1, "members": 1, "filters": (4, 4, 4), "learning_curve": True}
    run = primase.train("rna-binding", out=tmp_path / "model", listener=notices.append, **few, **settings)
    assert "learning_curve" not in run.metrics
    assert any(isinstance(event, Notice) and "too small" in event.text for event in notices)
    assert np.isfinite(run.test["accuracy"].value)
