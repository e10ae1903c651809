"""What is particular about image diagnosis; what every application must do is in tests/contract."""

import importlib
import json
import threading
from collections import Counter

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from primase.apps.image_diagnosis.app import APP
from primase.apps.image_diagnosis.explaining import SeenWhole
from primase.apps.image_diagnosis.pages import transfer_section
from primase.apps.image_diagnosis.radiographs import SIDE, draw, drawn_lungs
from primase.apps.image_diagnosis.simulator import FOLDER, simulate
from primase.apps.image_diagnosis.transfer import compare_parts
from primase.apps.images.pictures import FilePictures, Pictures
from primase.bio.images import read_image
from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.evaluation.operating import Aim, OperatingPoint
from primase.nn.backbones import build_backbone
from primase.report.page import render_page

primase = importlib.import_module("primase")  # the rooms above are not imported from here

QUICK = {"backbone": "cifar-resnet20", "image_size": 48, "small_size": 28, "unfrozen": 1, "batch_size": 16}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("radiographs")
    return folder, simulate(folder, 80, 0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(build_backbone("cifar-resnet20", 10).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def ensemble(simulated, weights, tmp_path_factory):
    out = tmp_path_factory.mktemp("ensemble") / "model"
    settings = {**QUICK, "recipe": "ensemble", "epochs": 2, "weights": str(weights)}
    return primase.train(APP.name, images=simulated[0] / FOLDER, out=out, **settings)


# The simulator


def test_simulated_boxes_hold_what_was_planted(simulated):
    folder, truth = simulated
    assert truth.inputs == ["--images", FOLDER]
    assert len(truth.planted) == 40
    for item in truth.planted:
        left, top, right, bottom = item["box"]
        assert 0 <= left < right <= SIDE
        assert 0 <= top < bottom <= SIDE
        assert read_image(folder / FOLDER / item["id"]).shape == (SIDE, SIDE)
    assert len(list((folder / FOLDER / "clear").glob("*.png"))) == 40


def test_an_opacity_is_where_its_box_says():
    lungs = drawn_lungs(np.random.default_rng(0))
    brighter = []
    for seed in range(12):
        drawn = draw(lungs, np.random.default_rng(seed), opacity=True)
        left, top, right, bottom = drawn.box
        inside = np.zeros_like(lungs)
        inside[top:bottom, left:right] = True
        assert lungs[inside].mean() > 0.4
        brighter.append(drawn.pixels[inside & lungs].mean() - drawn.pixels[~inside & lungs].mean())
    assert np.mean(brighter) > 20
    assert draw(lungs, np.random.default_rng(0), opacity=False).box is None


def test_the_same_seed_draws_the_same(tmp_path):
    first, second = (simulate(tmp_path / name, 4, 7) for name in "ab")
    assert first.planted == second.planted
    for path in (tmp_path / "a").rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


# Models


def test_an_ensemble_has_a_network_of_each_kind(ensemble):
    names = [type(member).__name__ for member in ensemble.model.predictor.members]
    assert names == ["FrozenNetwork", "ImageNetwork", "ImageNetwork"]
    assert [getattr(member, "reads", None) for member in ensemble.model.predictor.members[1:]] == [
        "images",
        "small_images",
    ]


def test_the_network_that_is_explained_is_the_one_that_answers(ensemble, simulated):
    predictor = ensemble.model.predictor
    pictures = Pictures.of_files(sorted((simulated[0] / FOLDER / "opacity").glob("*.png"))[:4])
    encoded = predictor.encoder.encode(pictures).batch(np.arange(4))
    for member in predictor.members[:2]:
        whole = SeenWhole(member, predictor.encoder).eval()
        images = torch.from_numpy(predictor.encoder.reading.images(pictures, size=whole.size))
        with torch.inference_mode():
            expected, found = member(**encoded), whole(whole.reader.prepared(images))
        assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-3)


@pytest.mark.parametrize("method", ["grad-cam", "occlusion", "integrated-gradients"])
def test_explanations_are_a_table_a_page_and_pictures(ensemble, simulated, tmp_path, method):
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted((simulated[0] / FOLDER / "opacity").glob("*.png"))[:2]:
        (few / path.name).write_bytes(path.read_bytes())
    ensemble.model.explain(few, tmp_path / "why", explanation=method)
    table = pl.read_parquet(tmp_path / "why" / "attributions.parquet")
    assert table["method"].unique().to_list() == [method]
    assert len(table) == 2 * 49
    assert table["feature"][8] == "1:1"
    assert table["position"][8] == 8
    pictures = sorted((tmp_path / "why" / "overlays").glob("*.png"))
    assert [path.name[:4] for path in pictures] == ["0001", "0002"]
    assert read_image(pictures[0]).shape == (48, 48, 3)
    assert "data:image/png" in (tmp_path / "why" / "report.html").read_text(encoding="utf-8")


def test_the_report_says_whether_validation_holds(ensemble):
    page = (ensemble.path / "report.html").read_text(encoding="utf-8")
    assert "Does it hold on test?" in page
    assert "Where it looks" in page
    metrics = json.loads((ensemble.path / "metrics.json").read_text(encoding="utf-8"))
    text = json.dumps(metrics)
    assert "operating point of opacity on test" in text


def test_a_fine_tuned_model_needs_nothing_but_its_folder(simulated, weights, tmp_path, monkeypatch):
    settings = {**QUICK, "recipe": "fine-tune", "epochs": 1}
    own = tmp_path / "own.pth"
    own.write_bytes(weights.read_bytes())
    run = primase.train(APP.name, images=simulated[0] / FOLDER, out=tmp_path / "m", weights=str(own), **settings)
    one = simulated[0] / FOLDER / "clear" / "clear_00001.png"
    expected = run.model.predict(one)
    own.unlink()
    monkeypatch.setenv("PRIMASE_CACHE", str(tmp_path / "empty"))
    assert primase.load(tmp_path / "m").predict(one).equals(expected)
    assert expected["height"].to_list() == [SIDE]


def test_weights_of_another_network_are_refused(simulated, weights, tmp_path):
    with pytest.raises(primase.InputError, match=r"not the weights of .*cifar-resnet20"):
        primase.train(
            APP.name, images=simulated[0] / FOLDER, out=tmp_path / "m", backbone="resnet18", weights=str(weights)
        )
    with pytest.raises(ConfigurationError, match="never trained on photographs"):
        primase.train(APP.name, images=simulated[0] / FOLDER, out=tmp_path / "n", backbone="small-resnet")


def test_each_image_is_decoded_once_for_training_and_judging(simulated, weights, tmp_path, monkeypatch):
    counts: Counter[str] = Counter()
    lock, original = threading.Lock(), FilePictures.pixels

    def counted(self, row):
        with lock:
            counts[self.paths[row].name] += 1
        return original(self, row)

    monkeypatch.setattr(FilePictures, "pixels", counted)
    settings = {**QUICK, "recipe": "ensemble", "epochs": 1, "weights": str(weights)}
    run = primase.train(APP.name, images=simulated[0] / FOLDER, out=tmp_path / "m", **settings)
    assert len(counts) == 80
    assert set(counts.values()) == {1}
    counts.clear()
    run.model.evaluate(images=simulated[0] / FOLDER, out=tmp_path / "judged")
    assert set(counts.values()) == {1}
    counts.clear()
    run.model.predict(simulated[0] / FOLDER / "clear")
    assert len(counts) == 40
    assert set(counts.values()) == {1}


# Does it hold on test?


def part(targets):
    return Examples(
        ids=np.arange(len(targets)).astype(object),
        inputs=Pictures.of_arrays([np.zeros((8, 8), dtype=np.uint8)] * len(targets)),
        targets=targets,
    )


def probabilities(targets, distance, offset, seed):
    scores = np.random.default_rng(seed).normal(distance * (2 * targets - 1) + offset, 1.0)
    positive = 1 / (1 + np.exp(-scores))
    return np.stack([1 - positive, positive], axis=1)


@pytest.mark.parametrize(("offset", "holds"), [(0.0, True), (2.0, False)])
def test_a_shift_between_validation_and_test_is_noticed(offset, holds):
    from primase.apps.image_diagnosis.pages import transfer_section  # noqa: PLC0415  # loads the figures

    task, targets = Task("binary", ("no", "yes")), np.arange(400) % 2
    parts = part(targets), part(targets)
    answers = probabilities(targets, 1.5, 0.0, 0), probabilities(targets, 1.5, offset, 1)
    transfer = compare_parts(task, parts, answers, OperatingPoint(Aim("sensitivity", 0.9), ("b",), (0.5,), ({},)))
    (cut,) = transfer.cuts
    assert cut.validation["sensitivity"].value >= 0.9
    verdict = transfer_section(transfer).blocks[0]
    assert verdict.kind == ("good" if holds else "warning")
    assert ("specificity" in verdict.text) != holds


def test_several_labels_have_a_cut_each():
    task, targets = Task("multilabel", ("a", "b")), np.stack([np.arange(100) % 2, np.arange(100) % 3 == 0], axis=1) * 1
    answers = np.clip(targets * 0.6 + np.random.default_rng(0).uniform(0, 0.4, targets.shape), 0, 1)
    transfer = compare_parts(task, (part(targets), part(targets)), (answers, answers))
    assert [cut.label for cut in transfer.cuts] == ["a", "b"]
    assert all(cut.test["sensitivity"].value == 1 for cut in transfer.cuts)


def test_an_image_size_of_which_nothing_is_left_is_refused(tmp_path):
    simulate(tmp_path, 40, 0)
    weights = tmp_path / "squeezenet.safetensors"
    save_file(build_backbone("squeezenet1_0").state_dict(), weights)
    settings = {"backbone": "squeezenet1_0", "weights": str(weights), "image_size": 16}
    with pytest.raises(ConfigurationError, match="squeezenet1_0 makes nothing of images this small"):
        primase.train(APP.name, images=tmp_path / FOLDER, out=tmp_path / "model", **settings)
    assert not (tmp_path / "model").exists()


def test_a_report_says_where_probabilities_are_no_frequencies():
    generator = np.random.default_rng(0)
    targets = (np.arange(400) % 10 == 0).astype(np.int64)
    pictures = Pictures.of_arrays([np.zeros((8, 8), dtype=np.uint8)] * 400)
    part = Examples(np.arange(400).astype(str).astype(object), pictures, targets)
    task = Task("binary", ("no", "ill"))
    said = np.clip(0.5 + 0.3 * (targets - 0.5) + generator.normal(0, 0.05, 400), 0.01, 0.99)
    balanced = compare_parts(task, (part, part), (np.stack([1 - said, said], axis=1),) * 2)
    mean, share = balanced.frequencies["ill"]
    assert share == pytest.approx(0.1)
    assert mean == pytest.approx(said.mean())
    page = render_page("", "", [transfer_section(balanced)], version="0")
    assert "Probabilities are not frequencies" in page
    fair = np.where(targets == 1, 0.9, 0.1 / 9)
    honest = compare_parts(task, (part, part), (np.stack([1 - fair, fair], axis=1),) * 2)
    assert "Probabilities are not frequencies" not in render_page("", "", [transfer_section(honest)], version="0")
