"""What is particular about super-resolution, end to end; what every application must do is in tests/contract."""

import importlib
import json
import math
import shutil

import numpy as np
import polars as pl
import pytest
import torch

from primase.apps.images.pictures import Pictures
from primase.apps.super_resolution import judging, workflow
from primase.apps.super_resolution.app import APP
from primase.apps.super_resolution.judging import Judge, interpolations
from primase.apps.super_resolution.simulator import simulate
from primase.bio.images import read_image, write_image
from primase.bio.resampling import Degradation, resampled
from primase.errors import ConfigurationError, InputError
from primase.evaluation.image_quality import MEASURES

primase = importlib.import_module("primase")  # the rooms above are not imported from here

QUICK = {
    "scale": 4,
    "blocks": 2,
    "width": 8,
    "epochs": 6,
    "steps": 60,
    "batch_size": 8,
    "learning_rate": 4e-3,
    "validation_fraction": 0.2,
    "test_fraction": 0.2,
    "precision": "32",
    "cpu_threads": 1,
}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, 20, 3)
    return folder / "images"


@pytest.fixture(scope="module")
def run(simulated, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "model"
    return primase.train(APP.name, images=simulated, out=out, adversarial_epochs=0, **QUICK)


def test_restored_images_are_nearer_to_the_truth_than_interpolated_ones(run):
    for name in ("bicubic", "lanczos"):
        assert run.test["psnr"].value > run.metrics["baselines"][name]["psnr"]["value"] + 0.3
        assert run.test["ssim"].value > run.metrics["baselines"][name]["ssim"]["value"]
    assert math.isnan(run.test["perceptual_distance"].value)


def test_the_figures_are_those_of_the_restored_images(run, simulated, tmp_path):
    table = pl.read_parquet(run.path / "predictions.parquet").filter(pl.col("part") == "test")
    assert run.test["psnr"].value == pytest.approx(table["value_psnr"].mean(), rel=1e-5)
    name = table["id"][0]
    sharp = read_image(simulated / name)
    write_image(tmp_path / name, Degradation(4).small(sharp))
    primase.load(run.path).draw(tmp_path / name, tmp_path / "out")
    made = read_image(tmp_path / "out" / name)
    assert made.dtype == np.uint16
    error = (made.astype(float) - sharp)[4:-4, 4:-4]
    peak = float(sharp.max()) - float(sharp.min())
    assert 10 * math.log10(peak**2 / np.mean(error**2)) == pytest.approx(table["value_psnr"][0], abs=1e-3)


def test_the_report_shows_crops_side_by_side(run):
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") >= 4 * 4
    assert "What was restored?" in page
    assert "What did the adversarial phase change?" not in page


def test_a_model_is_judged_on_new_images_at_its_own_scale(run, tmp_path):
    simulate(tmp_path, 4, 9)
    model = primase.load(run.path)
    model.evaluate(images=tmp_path / "images", out=tmp_path / "judged", scale=2)
    metrics = json.loads((tmp_path / "judged" / "metrics.json").read_text())
    bicubic, _ = interpolations(Judge.of(model.predictor.encoder))
    pictures = Pictures.of_files(sorted((tmp_path / "images").iterdir()))
    plain = bicubic.judge.of_all(bicubic.restored, pictures)[:, 0].mean()
    assert metrics["test"]["psnr"]["value"] > plain + 0.3


def test_a_model_without_an_adversarial_phase_says_so(run, simulated, tmp_path):
    with pytest.raises(ConfigurationError, match="without an adversarial phase"):
        primase.load(run.path).draw(simulated, tmp_path / "out", adversarial=True)
    assert not (tmp_path / "out").exists()


def test_tiny_images_are_refused_by_name(run, simulated, tmp_path):
    folder = tmp_path / "images"
    shutil.copytree(simulated, folder)
    write_image(folder / "tiny.png", np.zeros((1, 1), dtype=np.uint8))
    for ask in (
        lambda: primase.load(run.path).draw(folder, tmp_path / "out"),
        lambda: primase.train(APP.name, images=folder, out=tmp_path / "model", **QUICK),
    ):
        with pytest.raises(InputError) as caught:
            ask()
        assert "tiny.png" in str(caught.value)


@pytest.fixture(scope="module")
def adversarial(simulated, tmp_path_factory):
    """A model of both phases, with networks that see nothing but pixels and local means in the place of large ones."""

    def seen(photos):
        return [photos + 0.01, torch.nn.functional.avg_pool2d(photos, 4) + 0.01]

    def distance(made, truth):
        return (made.mean(dim=(2, 3)) - truth.mean(dim=(2, 3))).abs().mean()

    out = tmp_path_factory.mktemp("adversarial") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "photo_features", lambda file, listener: seen)
        patch.setattr(workflow, "photo_features", lambda file: seen)
        patch.setattr(workflow, "loss_distance", lambda file: distance)
        settings = {**QUICK, "epochs": 2, "steps": 10, "discriminator_width": 4}
        phase = {"adversarial_epochs": 2, "adversarial_steps": 4, "adversarial_learning_rate": 1e-3}
        yield primase.train(APP.name, images=simulated, out=out, **settings, **phase)


def test_both_networks_are_kept_and_reported(adversarial, simulated, tmp_path):
    figures = adversarial.metrics["insights"]["adversarial network"]
    assert set(figures) == set(MEASURES)
    assert figures["psnr"]["value"] != adversarial.test["psnr"].value
    assert adversarial.test["perceptual_distance"].value > 0
    page = (adversarial.path / "report.html").read_text(encoding="utf-8")
    assert "What did the adversarial phase change?" in page
    low = tmp_path / "low.png"
    write_image(low, Degradation(4).small(read_image(simulated / "field_0001.png")))
    model = primase.load(adversarial.path)
    made = {}
    for name, settings in (("pixel", {}), ("adversarial", {"adversarial": True}), ("eight", {"self_ensemble": True})):
        assert model.draw(low, tmp_path / name, **settings) == 1
        made[name] = read_image(tmp_path / name / "low.png").astype(int)
    assert (made["pixel"] != made["adversarial"]).any()
    assert (made["pixel"] != made["eight"]).any()
    plain = resampled(read_image(low), *made["pixel"].shape).astype(int)
    assert np.abs(made["adversarial"] - plain).mean() > 0


def test_crops_of_one_field_are_kept_in_one_part(tmp_path):
    simulate(tmp_path, 10, 5)
    folder = tmp_path / "cut"
    folder.mkdir()
    for path in sorted((tmp_path / "images").iterdir()):
        pixels = read_image(path)
        write_image(folder / f"{path.stem}_left.png", pixels[:, :96])
        write_image(folder / f"{path.stem}_right.png", pixels[:, 96:])
    settings = {**QUICK, "epochs": 1, "steps": 2}
    made = primase.train(APP.name, images=folder, out=tmp_path / "model", adversarial_epochs=0, **settings)
    assert made.metrics["split"]["policy"] == "cluster"
    members = pl.read_parquet(made.path / "members.parquet")
    halves = members.with_columns(pl.col("id").str.replace("_(left|right).png", "").alias("field"))
    assert halves.group_by("field").agg(pl.col("part").n_unique())["part"].max() == 1
