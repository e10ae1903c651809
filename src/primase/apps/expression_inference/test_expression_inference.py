"""Expression inference end to end: what is read, asked, refused, predicted and explained."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from primase.apps.discovery import application_named
from primase.configuration import configure
from primase.errors import InputError
from primase.events import Notice, silent

primase = importlib.import_module("primase")  # the rooms above are not imported from here
pipeline = importlib.import_module("primase.pipeline")

NAME = "expression-inference"
QUICK: dict[str, Any] = {"epochs": 20, "batch_size": 32, "learning_rate": 3e-3, "members": 2, "hidden": (64, 64)}


@dataclass(frozen=True)
class Trained:
    folder: Path
    run: Any
    settings: dict[str, Any]
    truth: dict[str, Any]

    @property
    def table(self) -> pl.DataFrame:
        return pl.read_csv(self.folder / "expression.tsv", separator="\t")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    base = tmp_path_factory.mktemp("inference")
    truth = pipeline.simulate(application_named(NAME), base / "simulated", count=400, seed=0)
    folder = base / "simulated"
    settings = {
        "table": folder / "expression.tsv",
        "landmarks": folder / "landmarks.txt",
        "group_column": "patient",
        "label_column": ("subtype",),
        **QUICK,
    }
    return Trained(folder, primase.train(NAME, out=base / "model", **settings), settings, truth)


def audited(settings: dict[str, Any]) -> Any:
    application = application_named(NAME)
    return pipeline.audit(application, configure(application.configuration, settings))


def write(table: pl.DataFrame, path: Path) -> Path:
    table.write_csv(path, separator="\t")
    return path


def landmark_lines(folder: Path) -> list[str]:
    return (folder / "landmarks.txt").read_text(encoding="utf-8").split()


def test_it_beats_ridge_regression_where_the_truth_is_crooked(trained: Trained) -> None:
    metrics = trained.run.metrics
    gain = metrics["gains"]["ridge regression"]
    assert gain["macro_mae"]["low"] > 0.15
    assert metrics["test"]["macro_r2"]["value"] > metrics["baselines"]["ridge regression"]["macro_r2"]["value"] + 0.2


@pytest.mark.slow
def test_it_ties_with_ridge_regression_where_the_truth_is_linear(tmp_path: Path) -> None:
    from primase.apps.expression.simulator import simulate  # noqa: PLC0415 - this test alone needs it

    simulate(tmp_path, 400, 0, truth="linear")
    settings = {"table": tmp_path / "expression.tsv", "landmarks": tmp_path / "landmarks.txt", **QUICK}
    run = primase.train(NAME, out=tmp_path / "model", **settings)
    gain = run.metrics["gains"]["ridge regression"]["macro_mae"]
    assert -0.03 < gain["value"] < 0.03


def test_the_probes_are_the_columns_of_words(trained: Trained) -> None:
    assert {*trained.run.metrics["probes"]} == {"subtype", "batch", "total of the landmarks"}


def test_landmarks_are_no_targets_and_patients_are_not_split(trained: Trained) -> None:
    found = audited(trained.settings)
    landmarks = set(landmark_lines(trained.folder))
    assert set(found.labelled.examples.inputs.genes) == landmarks
    assert not landmarks & set(found.labelled.task.labels)
    patients = found.labelled.examples.groups["patient"]
    parts = found.partition.names(len(patients))
    assert all(len(set(parts[patients == patient])) == 1 for patient in set(patients.tolist()))


def test_the_choice_of_landmarks_looks_at_train_alone(trained: Trained, tmp_path: Path) -> None:
    settings = {**trained.settings, "landmarks": None, "choose_landmarks": 20}
    first = audited(settings)
    held = {first.labelled.examples.ids[row] for row in first.partition.test}
    table = trained.table
    genes = table.columns[4:]
    shuffled = np.random.default_rng(0).permutation(len(genes))
    names = [genes[place] for place in shuffled]
    # Test samples have their genes mixed up: nothing that is chosen may change.
    mixed = [
        pl.when(pl.col("id").is_in(held)).then(pl.col(name)).otherwise(pl.col(gene)).alias(gene)
        for gene, name in zip(genes, names, strict=True)
    ]
    path = write(table.select("id", "patient", "batch", "subtype", *mixed), tmp_path / "mixed.tsv")
    second = audited({**settings, "table": path})
    assert set(second.partition.test) == set(first.partition.test)
    assert second.labelled.examples.inputs.genes == first.labelled.examples.inputs.genes
    assert len(first.labelled.examples.inputs.genes) == 20


def test_predictions_are_on_the_scale_of_the_file_with_intervals(trained: Trained) -> None:
    table = trained.run.model.predict(trained.folder / "expression.tsv")
    truth = trained.table.select(trained.run.model.predictor.task.labels).to_numpy()
    names = trained.run.model.predictor.task.labels
    low, value, high = (
        table.select([f"{word}_{name}" for name in names]).to_numpy() for word in ("low", "value", "high")
    )
    assert value.min() >= 0
    assert np.corrcoef(np.log2(value + 1).ravel(), np.log2(truth + 1).ravel())[0, 1] > 0.8
    assert np.median(value / np.maximum(truth, 1)) == pytest.approx(1, abs=0.2)
    assert 0.8 < ((truth >= low - 0.5) & (truth <= high + 0.5)).mean() <= 1


def test_the_order_of_genes_and_the_orientation_do_not_matter(trained: Trained, tmp_path: Path) -> None:
    table = trained.table.head(30)
    genes = table.columns[4:]
    model = trained.run.model
    expected = model.predict(write(table, tmp_path / "plain.tsv"))
    turned = write(table.select("id", *reversed(genes)), tmp_path / "turned.tsv")
    columns = [name for name in expected.columns if name.startswith("value_")]
    assert model.predict(turned).select("id", *columns).equals(expected.select("id", *columns))
    across = table.select(genes).transpose(include_header=True, header_name="gene", column_names=table["id"].to_list())
    path = write(across, tmp_path / "across.tsv")
    found = model.predict(path, orientation="genes-in-rows")
    assert found.select("id", *columns).equals(expected.select("id", *columns))


def test_missing_landmarks_are_named_and_tolerated_on_request(trained: Trained, tmp_path: Path) -> None:
    gone = landmark_lines(trained.folder)[:2]
    path = write(trained.table.drop(gone).head(20), tmp_path / "few.tsv")
    model = trained.run.model
    with pytest.raises(InputError, match="2 of the 48 genes") as caught:
        model.predict(path)
    assert all(name in str(caught.value) for name in gone)
    assert "--missing-genes mean" in str(caught.value)
    heard: list[Any] = []
    table = model.predict(path, missing_genes="mean", listener=heard.append)
    assert table["missing_landmarks"].to_list() == [2] * 20
    assert any(isinstance(event, Notice) and gone[0] in event.text for event in heard)
    whole = model.predict(write(trained.table.head(20), tmp_path / "whole.tsv"))
    assert "missing_landmarks" not in whole.columns
    name = model.predictor.task.labels[0]
    assert np.corrcoef(np.log1p(whole[f"value_{name}"]), np.log1p(table[f"value_{name}"]))[0, 1] > 0.9


def test_new_samples_are_judged_also_where_targets_are_missing(trained: Trained, tmp_path: Path) -> None:
    labels = trained.run.model.predictor.task.labels
    path = write(trained.table.drop(labels[:3]), tmp_path / "new.tsv")
    evaluation = trained.run.model.evaluate(tmp_path / "judged", table=path)
    assert evaluation.test["macro_r2"].value > 0.3
    with pytest.raises(InputError, match="nothing can be judged"):
        trained.run.model.evaluate(tmp_path / "other", table=write(trained.table.drop(labels), tmp_path / "none.tsv"))


def test_the_explanation_finds_the_landmarks_of_the_factor(trained: Trained, tmp_path: Path) -> None:
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - this test alone needs it

    path = write(trained.table.head(30), tmp_path / "few.tsv")
    asked = [*trained.truth["targets"]][:12]
    found = trained.run.model.explain(path, tmp_path / "why", explain_targets=tuple(asked))
    scores = []
    for target in asked:
        own = found.of("ablation").filter(pl.col("target") == target)
        strength = own.group_by("feature").agg(pl.col("value").abs().mean())
        carried = trained.truth["targets"][target]["factors"]
        truth = [trained.truth["landmarks"][name] in carried for name in strength["feature"].to_list()]
        scores.append(roc_auc_score(truth, strength["value"].to_numpy()))
    assert np.mean(scores) >= 0.95
    assert min(scores) >= 0.8


def test_no_landmark_at_all_is_refused(trained: Trained) -> None:
    with pytest.raises(InputError, match="none of the 943 landmarks occurs"):
        audited({**trained.settings, "landmarks": None})


def test_a_constant_target_is_left_out_and_said(trained: Trained, tmp_path: Path) -> None:
    path = write(trained.table.with_columns(TG5=pl.lit(7)), tmp_path / "flat.tsv")
    found = audited({**trained.settings, "table": path})
    assert "TG5" not in found.labelled.task.labels
    assert any(one.finding == "constant targets" and "TG5" in one.text for one in found.findings)


def test_missing_values_are_refused_or_filled(trained: Trained, tmp_path: Path) -> None:
    row = pl.int_range(pl.len()) == 4
    gaps = trained.table.with_columns(
        pl.when(row).then(None).otherwise(pl.col(name)).alias(name) for name in ("TG5", "LM3")
    )
    path = write(gaps, tmp_path / "gaps.tsv")
    with pytest.raises(InputError, match="missing") as caught:
        audited({**trained.settings, "table": path})
    assert "--missing mean" in str(caught.value)
    found = audited({**trained.settings, "table": path, "missing": "mean"})
    column = found.labelled.task.labels.index("TG5")
    assert np.isnan(found.labelled.examples.targets[:, column]).sum() == 1
    assert np.isnan(found.labelled.examples.inputs.values()).sum() == 1


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"loss": "bins", "bins": 5}, {"preset": "paper", "hidden": (64,)}], ids=str)
def test_the_ways_of_the_review_learn_too(trained: Trained, tmp_path: Path, settings: dict[str, Any]) -> None:
    quick = {name: value for name, value in trained.settings.items() if name not in settings and name != "hidden"}
    run = primase.train(NAME, out=tmp_path / "model", **quick, **settings)
    assert run.metrics["test"]["macro_r2"]["low"] > 0.1
    report = (run.path / "report.html").read_text(encoding="utf-8")
    assert ("5 bins" in report) is (settings.get("loss") == "bins")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"choose_landmarks": 4}, "--landmarks or --choose-landmarks"),
        ({"landmarks": None, "choose_landmarks": 10_000}, "would leave no gene to infer"),
    ],
)
def test_contradictions_are_refused(trained: Trained, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        audited({**trained.settings, **settings})


def test_new_samples_on_another_scale_are_doubted(trained: Trained, tmp_path: Path) -> None:
    genes = trained.table.columns[4:]
    path = write(trained.table.with_columns((pl.col(genes) + 1).log(2)), tmp_path / "log.tsv")
    application = application_named(NAME)
    configuration = configure(application.configuration, {"table": path})
    found = application.load().read_new(configuration, trained.run.model.predictor, silent)
    assert "model has learned from raw" in next(one.text for one in found.findings if one.finding == "another scale")


def test_units_of_given_parts_are_no_groups() -> None:
    workflow = application_named(NAME).load()
    assert [workflow.unit_name(policy) for policy in ("random", "group", "given")] == ["sample", "group", "unit"]


def test_a_simulator_of_samples_writes_a_list_of_landmarks(trained: Trained) -> None:
    assert trained.truth["inputs"][-2:] == ["--landmarks", "landmarks.txt"]
    assert len(landmark_lines(trained.folder)) == 48
