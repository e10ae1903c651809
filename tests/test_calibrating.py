"""Calibrate a trained model on new data: from Python and from the command line."""

import json

import numpy as np
import polars as pl
import pytest
import torch

import primase
from primase.configuration import configure
from primase.errors import ConfigurationError, InputError
from primase.evaluation.per_label import METHODS
from primase.models import seen_hashes

ENZYMES = "enzyme-identification"
RNA = "rna-binding"
VALUES = "expression-inference"
NAMES = ("positives", "negatives")


@pytest.fixture(scope="module")
def newer(rehearse):
    """Name labelled examples: those that the model was made of will do."""
    folder = rehearse(ENZYMES).folder
    return {name: folder / f"{name}.fa" for name in NAMES} | {"profiles": folder / "profiles.hmm"}


@pytest.fixture(scope="module")
def calibrated(train_once, newer, tmp_path_factory):
    return primase.calibrate(train_once(ENZYMES).path, out=tmp_path_factory.mktemp("calibrated") / "model", **newer)


def test_all_methods_are_compared_and_the_best_is_taken(calibrated):
    methods = calibrated.metrics["calibration"]["methods"]
    assert list(methods) == ["as it was", *METHODS]
    assert calibrated.method == min(methods, key=lambda name: methods[name]["log_loss"]["value"])
    assert all(set(figures) == {"ece", "brier", "log_loss", "accuracy"} for figures in methods.values())
    assert methods["temperature"]["accuracy"] == methods["none"]["accuracy"]


def test_the_result_is_a_bundle_like_its_parent(calibrated, train_once, newer):
    parent, model = train_once(ENZYMES).model, calibrated.model
    examples = [one.predict(newer["positives"], profiles=newer["profiles"]) for one in (parent, model)]
    assert examples[0].columns == examples[1].columns
    for mine, theirs in zip(model.predictor.members, parent.predictor.members, strict=True):
        assert all(map(torch.equal, mine.parameters(), theirs.parameters()))
    state = json.loads((calibrated.path / "bundle.json").read_text(encoding="utf-8"))
    assert state["calibrated"]["examples"] == 300
    assert {file.name for file in calibrated.path.iterdir()} >= {"report.html", "card.md", "config.toml"}
    assert "300 new examples" in (calibrated.path / "card.md").read_text(encoding="utf-8")


def test_the_figures_can_be_recomputed(calibrated):
    table = pl.read_parquet(calibrated.path / "predictions.parquet").filter(pl.col("part") == "calibration")
    yes, truth = table["probability_enzyme"].to_numpy(), (table["target"] == "enzyme").to_numpy()
    figures = calibrated.metrics["calibration"]["methods"][calibrated.method]
    assert figures["brier"]["value"] == pytest.approx(np.mean((yes - truth) ** 2))
    assert figures["log_loss"]["value"] == pytest.approx(-np.log(np.where(truth, yes, 1 - yes)).mean())
    assert figures["accuracy"]["value"] == pytest.approx(np.mean((yes > 0.5) == truth))


def test_what_it_was_calibrated_on_is_known_again(calibrated):
    members = pl.read_parquet(calibrated.path / "members.parquet")
    assert members["part"].value_counts().sort("part").rows()[0] == ("calibration", 300)
    hashes = members.filter(pl.col("part") == "calibration")["input_hash"]
    assert hashes.is_in(seen_hashes(calibrated.path).implode()).all()
    assert calibrated.metrics["audit"][0]["finding"] == "seen in training"


def test_from_the_command_line(train_once, newer, command_line, tmp_path):
    words = [word for name, path in newer.items() for word in (f"--{name}", str(path))]
    run, out = train_once(ENZYMES), tmp_path / "model"
    outcome = command_line("calibrate", run.path, *words, "--method", "platt", "--out", out)
    assert outcome.status == 0, outcome
    assert "chosen: platt" in outcome.output
    assert "bbq" in outcome.output
    state = json.loads((out / "bundle.json").read_text(encoding="utf-8"))["calibration"]
    assert state["method"] == "platt"
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Platt scaling was asked for" in page
    assert page.count("<svg") >= 2
    asked = (newer["positives"], newer["profiles"])
    before, after = (primase.load(path).predict(asked[0], profiles=asked[1]) for path in (run.path, out))
    assert not before["probability_enzyme"].equals(after["probability_enzyme"])


def test_one_label_is_refused_and_nothing_is_left(rehearse, train_once, newer, tmp_path, monkeypatch):
    workflow = type(rehearse(ENZYMES).application.load())
    read = workflow.read_new

    def of_one_label(self, *arguments):
        labelled = read(self, *arguments)
        labelled.examples.targets[:] = 1
        return labelled

    monkeypatch.setattr(workflow, "read_new", of_one_label)
    with pytest.raises(InputError, match="all enzyme"):
        primase.calibrate(train_once(ENZYMES).path, out=tmp_path / "model", **newer)
    assert list(tmp_path.iterdir()) == []


def test_too_few_examples_are_refused(train_once, newer, tmp_path):
    few = {}
    for name in NAMES:
        few[name] = tmp_path / f"{name}.fa"
        records = newer[name].read_text(encoding="utf-8").split(">")[1:6]
        few[name].write_text("".join(f">{record}" for record in records), encoding="utf-8")
    with pytest.raises(InputError, match=r"too few.*10.*at least 20"):
        primase.calibrate(train_once(ENZYMES).path, out=tmp_path / "model", **few, profiles=newer["profiles"])
    assert not (tmp_path / "model").exists()


def test_a_method_of_another_kind_is_refused(train_once, newer, tmp_path):
    with pytest.raises(ConfigurationError, match="isotonic"):
        primase.calibrate(train_once(ENZYMES).path, out=tmp_path / "model", method="conformal", **newer)


def test_intervals_around_values_are_made_anew(rehearse, train_once, tmp_path):
    run, data = train_once(VALUES), rehearse(VALUES)
    inputs = {
        word.lstrip("-").replace("-", "_"): data.settings[word.lstrip("-").replace("-", "_")]
        for word in data.truth["inputs"][::2]
    }
    names = set(type(configure(data.application.configuration, data.settings).data).model_fields)
    found = primase.calibrate(run.path, out=tmp_path / "model", **{k: v for k, v in inputs.items() if k in names})
    methods = found.metrics["calibration"]["methods"]
    assert set(methods) == {"as it was", "conformal"}
    assert methods["conformal"]["coverage"]["value"] == pytest.approx(0.9, abs=0.03)
    assert found.model.predictor.calibrator.count > run.model.predictor.calibrator.count
