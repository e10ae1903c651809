import json
import re
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest
from torch import nn

from primase.data.audit import TWINS, Finding
from primase.data.examples import Examples
from primase.data.splits import Partition
from primase.data.tasks import Task
from primase.evaluation.assessment import assess, fit_rivals
from primase.evaluation.contrasts import Contrast, assess_contrast
from primase.evaluation.intervals import Interval, Units
from primase.evaluation.metrics import evaluate
from primase.evaluation.per_label import fit_calibrator_of, uncalibrated
from primase.evaluation.scorer import overall_metrics
from primase.report.evaluation import evaluation_page, metrics_state
from primase.report.performance import best_rival, lead, strongest_probes
from primase.report.records import metrics_of, write_records
from primase.report.run import Insights, Subject, TrainingRun
from primase.report.sections import Paragraph, Section
from primase.report.targets import by_r2
from primase.report.training import training_page
from primase.report.value_records import targets_table
from primase.report.values import percent_text, value_answer, value_tiles
from primase.report.wording import MINUS
from primase.training.fitted import Fitted

EVIL = "TP53<b>"


@dataclass(frozen=True, eq=False)
class Profiles:
    """The truth of every target, and a batch."""

    values: np.ndarray

    def __len__(self):
        return len(self.values)

    def take(self, indices):
        return Profiles(self.values[indices])

    @classmethod
    def concatenate(cls, blocks):
        return cls(np.concatenate([block.values for block in blocks]))


@dataclass(frozen=True)
class Blurred:
    """Knows the truth but for noise; one that shrinks predicts values nearer to zero."""

    name: str
    noise: float
    shrinks: float = 1.0
    description: str = "Knows <i>much</i>."

    def fit(self, task, train, validation):
        del task, train, validation
        return self

    def answers(self, examples):
        truth = examples.inputs.values
        scale = np.linspace(0.2, 1.8, truth.shape[1])
        noise = np.random.default_rng(len(self.name) + len(truth)).normal(size=truth.shape)
        return (truth * self.shrinks + self.noise * scale * noise).astype(np.float32)


def drawn(seed, count, targets):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(count, targets)).astype(np.float32)


def value_run(kind="regression", *, targets=60, noise=0.35, calibration="conformal", contrast=False):
    task = Task(kind, (EVIL, *(f"GENE{number}" for number in range(1, targets))))
    truth = drawn(0, 600, targets)
    if kind == "regression":
        truth[::9, 1] = np.nan
    known = np.nan_to_num(truth)
    given = truth if kind == "regression" else np.empty((600, 0), dtype=np.float32)
    ids = np.array([f"TCGA{number}" for number in range(600)], dtype=object)
    examples = Examples(ids, Profiles(known), given)
    parts = np.split(np.arange(600), [300, 400])
    partition = Partition(*parts, policy="group", units=np.arange(600) // 2)
    train, validation, test = (examples.take(part) for part in parts)
    network = Blurred("network", noise)
    baselines = [Blurred("ridge", 0.45), Blurred("mean", 0.0, shrinks=0.0)]
    rivals = fit_rivals(baselines, [Blurred("batch", 0.9)], task, train, validation)
    method = calibration if kind == "regression" else "none"
    calibrator = fit_calibrator_of(task, method, network.answers(validation), truth[parts[1]])
    told = {"rivals": rivals, "probes": ["batch"]}
    units = Units.of(partition.units[parts[2]], "patient")
    subsets = {"first cohort": np.arange(200) < 100}
    assessment = assess(
        network.answers(test), calibrator, test, task, units=units, subsets=subsets, truth=truth[parts[2]], **told
    )
    if contrast:
        asked = Contrast("another cohort", "this cohort", "Measured elsewhere.", "Go.", test, units)
        assessment = assessment.with_contrasts(
            [assess_contrast(asked, network.answers(test), calibrator, task, **told)]
        )
    history = [{"epoch": epoch, "train_loss": 1 / epoch, "validation_loss": 1.2 / epoch} for epoch in range(1, 9)]
    return TrainingRun(
        subject=Subject("expression-inference", "What are the others?", "dense", "3.2", "brca", "primase train", {}),
        task=task,
        examples=examples,
        partition=partition,
        identities=ids,
        findings=[Finding(TWINS, 0, "info", "None.")],
        members=[Fitted(nn.Identity(), history, 8, "32")],
        assessment=assessment,
        validation=network.answers(validation),
        unit_name="patient",
        insights=Insights(
            [Section("Landmarks", [Paragraph("Few.")])], {"recovery": {"auroc": Interval(0.9, 0.8, 1.0)}}
        ),
        kinship=None,
        configuration={"seed": 0},
        seconds={"train": 1.0},
        peak_memory_mib=1.0,
        version="0",
        truth={"validation": truth[parts[1]], "test": truth[parts[2]]},
        scale="log2(x + 1)",
    )


@pytest.fixture(scope="module")
def run():
    return value_run()


@pytest.fixture(scope="module")
def written(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    return folder, write_records(folder, run)


def titles(page):
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", page)


def test_figures_can_be_recomputed_from_the_table(run, written):
    folder, metrics = written
    table = pl.read_parquet(folder / "predictions.parquet").filter(pl.col("part") == "test")
    truth, values = (
        table.select(pl.col(f"{what}_{label}").fill_null(np.nan) for label in run.task.labels).to_numpy()
        for what in ("target", "value")
    )
    units = Units.of(table["group"].to_numpy(), "patient")
    found = evaluate(run.task, truth, values, units=units)
    assert {name: interval.to_state() for name, interval in found.items()} == metrics["test"]
    low, high = (table[f"{end}_GENE5"].to_numpy() for end in ("low", "high"))
    assert np.all(low < high)
    held = (low <= table["target_GENE5"].to_numpy()) & (table["target_GENE5"].to_numpy() <= high)
    targets = pl.read_parquet(folder / "targets.parquet")
    row = targets.row(by_predicate=pl.col("target") == "GENE5", named=True)
    assert row["coverage"] == pytest.approx(held.mean())
    assert 2 * row["half_width"] == pytest.approx((high - low).mean(), rel=1e-5)


def test_the_intervals_of_validation_are_not_its_own(written):
    table = pl.read_parquet(written[0] / "predictions.parquet").filter(pl.col("part") == "validation")
    assert table["low_GENE5"].null_count() == len(table) == 100
    assert table["value_GENE5"].null_count() == 0


def test_metrics_hold_what_is_said_of_values(run, written):
    metrics = json.loads((written[0] / "metrics.json").read_text())
    assert metrics == json.loads(json.dumps(written[1]))
    overall = set(overall_metrics(run.task))
    assert overall < metrics["test"].keys()
    assert "GENE5_pearson" in metrics["test"]
    for group in ("subsets", "baselines", "probes"):
        assert all(set(found) == overall for found in metrics[group].values()), group
    assert metrics["gains"]["ridge"]["share_better"] > 0.5
    assert metrics["gains"]["ridge"]["macro_mae"]["low"] > 0
    assert metrics["calibration"]["method"] == "conformal"
    assert metrics["insights"] == {"recovery": {"auroc": {"value": 0.9, "low": 0.8, "high": 1.0}}}
    assert metrics["scale"] == "log2(x + 1)"


def test_targets_have_their_gain_over_the_best_baseline(run, written):
    targets = pl.read_parquet(written[0] / "targets.parquet")
    assert targets["target"].to_list() == list(run.task.labels)
    assert targets["reference"].unique().to_list() == ["ridge"]
    test = run.assessment.evaluation.test
    row = targets.row(7, named=True)
    assert (row["mae"], row["r2_low"], row["pearson_high"]) == (
        test["GENE7_mae"].value,
        test["GENE7_r2"].low,
        test["GENE7_pearson"].high,
    )
    truth = run.truth["test"][:, 7]
    ours, theirs = run.assessment.after[:, 7], run.assessment.others["ridge"][:, 7]
    assert row["gain"] == pytest.approx(1 - np.abs(ours - truth).mean() / np.abs(theirs - truth).mean())
    assert row["gain_low"] < row["gain"] < row["gain_high"]


def test_the_report_says_all_that_there_is_to_say(run, written):
    page = (written[0] / "report.html").read_text()
    assert titles(page) == [
        "The result",
        "The data and the audit",
        "Network, baselines and probes",
        "Target by target",
        "Can its intervals be believed?",
        "Landmarks",
        "How it learned",
        "Limits",
        "How to do it again",
    ]
    assert "TP53&lt;b&gt;" in page
    assert "TP53<b>" not in page
    assert "Knows <i>" not in page
    assert "Figures are on the scale log2(x + 1)." in page
    assert "The 20 worst predicted targets" in page
    assert "Accuracy" not in page
    assert "AUROC" not in page.replace("AUROC [", "")
    card = (written[0] / "card.md").read_text()
    assert "split conformal prediction" in card
    assert "Mean MAE" in card
    answer = value_answer(run)
    assert answer.startswith("On 200 test examples the network predicts 60 targets with mean MAE 0.")
    assert "better than the best baseline (ridge, " in answer
    assert "of the targets." in answer


def test_less_error_is_better(run):
    evaluation = run.assessment.evaluation
    assert best_rival(evaluation)[0] == "ridge"
    assert strongest_probes(evaluation) == ["batch"]
    ahead = lead(evaluation, "ridge")
    assert 0 < ahead.low < ahead.value < ahead.high
    assert ahead.value == pytest.approx(evaluation.baselines["ridge"]["macro_mae"].value - evaluation.main.value)
    page = training_page(run)
    assert "The network beats every baseline" in page
    assert "Its mean MAE is lower than that of ridge by 0." in page
    assert "What batch alone can tell" in page
    assert "the network&#39;s lead over a guess that looks at nothing" in page


def test_a_network_that_is_worse_is_told_so():
    run = value_run(noise=0.8, targets=5)
    assert lead(run.assessment.evaluation, "ridge").high < 0
    page = training_page(run)
    assert "A baseline beats the network" in page
    assert "The mean MAE of ridge is lower by" in page
    assert "is larger than that of ridge by" in value_answer(run)
    assert "worse than the best baseline" in value_answer(run)
    assert "Each target, the best predicted first" in page


def test_tiles(run):
    labels = [item.label for item in value_tiles(run).items]
    assert labels == ["Mean MAE", "Mean R²", "Best baseline", "Gain in MAE", "Inside the intervals"]
    assert value_tiles(run).items[-1].note == "90 % was stated"
    without = value_run(calibration="none", targets=4)
    assert [item.label for item in value_tiles(without).items] == labels[:-1]
    assert "Can its intervals be believed?" not in titles(training_page(without))


def test_what_is_made_again_is_measured_against_itself(tmp_path):
    run = value_run("generative")
    metrics = write_records(tmp_path, run)
    assert list(metrics["test"])[:2] == ["macro_r2", "macro_mae"]
    assert list(metrics["gains"]["ridge"]) == ["macro_mse", "share_better"]
    table = pl.read_parquet(tmp_path / "predictions.parquet")
    assert {"target_GENE3", "value_GENE3"} < set(table.columns)
    assert "low_GENE3" not in table.columns
    page = (tmp_path / "report.html").read_text()
    assert "Feature by feature" in titles(page)
    assert "Can its intervals be believed?" not in titles(page)
    assert "makes 60 features again with mean R² 0." in value_answer(run)
    targets = pl.read_parquet(tmp_path / "targets.parquet")
    assert targets["half_width"].null_count() == 60
    assert targets["gain"].null_count() == 0


def test_without_a_truth_of_its_own_the_targets_are_it(run):
    own = replace(run, truth={})
    assert np.array_equal(own.truth_of("test"), run.truth_of("test"), equal_nan=True)
    assert metrics_of(own)["test"] == metrics_of(run)["test"]


def test_targets_are_ordered_by_r2_and_constant_ones_come_last():
    run = value_run(targets=5)
    evaluation = run.assessment.evaluation
    test = dict(evaluation.test)
    for place, value in enumerate((0.3, float("nan"), 0.9, -2.0, 0.5)):
        test[f"{run.task.labels[place]}_r2"] = Interval.undefined(value)
    assert by_r2(replace(evaluation, test=test)) == [2, 4, 0, 3, 1]
    assert targets_table(replace(evaluation, test=test))["r2"].null_count() == 1


def test_one_target_and_one_unit_can_be_told(tmp_path):
    task = Task("regression", ("MYC",))
    truth = np.arange(6.0, dtype=np.float32)[:, None]
    examples = Examples(np.array(list("abcdef"), dtype=object), Profiles(truth), truth)
    rivals = fit_rivals([Blurred("mean", 0.0, shrinks=0.0)], [], task, examples, examples)
    units = Units.of(np.zeros(6, dtype=int), "patient")
    calibrator = fit_calibrator_of(task, "conformal", truth[:3], truth[3:])
    assessment = assess(truth + 1, calibrator, examples, task, units=units, subsets={}, rivals=rivals)
    partition = Partition(*[np.arange(6)] * 3, policy="group", units=np.zeros(6, dtype=int))
    run = replace(
        value_run(targets=2), task=task, examples=examples, partition=partition, assessment=assessment, truth={},
        identities=examples.ids, validation=truth,
    )  # fmt: skip
    write_records(tmp_path, run)
    page = (tmp_path / "report.html").read_text()
    assert "For 1 of 1 targets there is no interval" in page
    assert "no interval" in value_answer(run)


def test_new_data_are_told_target_by_target(run):
    evaluation = replace(run.assessment.evaluation, baselines={}, probes={}, differences={}, gains={})
    page = evaluation_page("What are the others?", [], evaluation, [], version="0")
    assert titles(page) == [
        "How good it is on these data",
        "One by one",
        "Can its intervals be believed?",
        "The data",
    ]
    assert "All 60 are in targets.parquet." in page
    assert "Gain in MAE" not in page
    json.dumps(metrics_state(evaluation, [], {}), allow_nan=False)
    bare = replace(evaluation, task=run.task)
    assert uncalibrated(bare.task).name == "none"


def test_a_contrast_of_values_is_a_table(tmp_path):
    run = value_run(targets=3, contrast=True)
    write_records(tmp_path, run)
    page = (tmp_path / "report.html").read_text()
    assert "The same test with another cohort" in titles(page)
    assert "Mean MAE, another" in page
    assert "no better than chance" not in page
    assert "AUPRC" not in page
    assert (tmp_path / "contrasts.parquet").exists()


def test_shares_are_written_in_percent():
    assert percent_text(Interval(-0.05, -0.071, 0.01)) == f"{MINUS}5.0 % [{MINUS}7.1 %, 1.0 %]"
