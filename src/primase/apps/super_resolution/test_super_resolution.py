"""What is particular about super-resolution, end to end; what every application must do is in tests/contract."""

import importlib
import json
import math
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from primase.apps.images.pictures import Pictures
from primase.apps.super_resolution import judging, workflow
from primase.apps.super_resolution.app import APP
from primase.apps.super_resolution.asking import units_of, with_units
from primase.apps.super_resolution.judging import Judge, interpolations
from primase.apps.super_resolution.kin import with_fields
from primase.apps.super_resolution.simulator import simulate
from primase.bio.images import read_image, write_image
from primase.bio.resampling import Degradation, resampled
from primase.configuration import configure
from primase.data.audit import Finding, Kinship
from primase.data.splits import Partition
from primase.errors import ConfigurationError, InputError
from primase.evaluation.image_quality import MEASURES
from primase.events import silent

primase = importlib.import_module("primase")  # the rooms above are not imported from here
audit = importlib.import_module("primase.pipeline").audit

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
    for name, value in (("scale", 2), ("blur_sigma", 1.0), ("noise_sigma", 0.1)):
        for ask in (
            lambda asked: model.evaluate(images=tmp_path / "images", out=tmp_path / "refused", **asked),
            lambda asked: model.draw(tmp_path / "images", tmp_path / "refused", **asked),
        ):
            with pytest.raises(ConfigurationError, match="in another way") as caught:
                ask({name: value})
            assert caught.value.where == "--" + name.replace("_", "-")
    assert not (tmp_path / "refused").exists()
    model.evaluate(images=tmp_path / "images", out=tmp_path / "judged", scale=4)
    metrics = json.loads((tmp_path / "judged" / "metrics.json").read_text())
    bicubic, _ = interpolations(Judge.of(model.predictor.encoder))
    pictures = Pictures.of_files(sorted((tmp_path / "images").iterdir()))
    plain = bicubic.judge.of_all(bicubic.restored, pictures)[:, 0].mean()
    assert metrics["test"]["psnr"]["value"] > plain + 0.3


def test_a_model_without_an_adversarial_phase_says_so(run, simulated, tmp_path):
    with pytest.raises(ConfigurationError, match="without an adversarial phase"):
        primase.load(run.path).draw(simulated, tmp_path / "out", adversarial=True)
    with pytest.raises(ConfigurationError, match="without an adversarial phase"):
        primase.load(run.path).evaluate(images=simulated, out=tmp_path / "out", adversarial=True)
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


def test_members_of_an_ensemble_draw_crops_of_their_own(simulated):
    configuration = configure(APP.configuration, {**QUICK, "images": simulated, "members": 3, "adversarial_epochs": 0})
    flow = APP.load()
    encoder = flow.fit_encoder(None, configuration, silent)
    train = flow.read(configuration, None, silent).examples
    samplers = [
        flow.fit_options(encoder, workflow.TASK, train, own).sampler
        for own in flow.member_configurations(configuration)
    ]
    first = {tuple(next(iter(sampler)).tolist()) for sampler in samplers}
    assert len(first) == 3


@pytest.fixture(scope="module")
def adversarial(simulated, tmp_path_factory):
    """A model of both phases, with networks that see nothing but pixels and local means in the place of large ones."""

    def seen(photos):
        return [photos + 0.01, torch.nn.functional.avg_pool2d(photos, 4) + 0.01]

    def distance(made, truth):
        return (made.mean(dim=(2, 3)) - truth.mean(dim=(2, 3))).abs().mean()

    out = tmp_path_factory.mktemp("adversarial") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "photo_features", lambda file, network, listener: seen)
        patch.setattr(workflow, "photo_features", lambda file, network: seen)
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
    assert "measured with EfficientNet-Lite0 (ImageNet) over all its blocks" in page
    (judge,) = [one for one in adversarial.metrics["audit"] if one["finding"] == "perceptual distance"]
    assert "EfficientNet-Lite0 (ImageNet)" in judge["text"]
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


@pytest.mark.parametrize("settings", [{"adversarial": True}, {"self_ensemble": True}])
def test_what_is_judged_is_what_predict_makes(adversarial, simulated, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(judging, "photo_features", lambda file, network, listener: lambda photos: [photos + 0.01])
    (tmp_path / "sharp").mkdir()
    sharp = read_image(simulated / "field_0001.png")
    write_image(tmp_path / "sharp" / "one.png", sharp)
    write_image(tmp_path / "low.png", Degradation(4).small(sharp))
    model = primase.load(adversarial.path)
    model.draw(tmp_path / "low.png", tmp_path / "made", **settings)
    error = (read_image(tmp_path / "made" / "low.png").astype(float) - sharp)[4:-4, 4:-4]
    wanted = 10 * math.log10((float(sharp.max()) - float(sharp.min())) ** 2 / np.mean(error**2))
    found = {}
    for name, asked in (("asked", settings), ("plain", {})):
        model.evaluate(images=tmp_path / "sharp", out=tmp_path / name, **asked)
        found[name] = json.loads((tmp_path / name / "metrics.json").read_text())["test"]["psnr"]["value"]
    assert found["asked"] == pytest.approx(wanted, abs=1e-3)
    assert found["plain"] != pytest.approx(found["asked"], abs=1e-6)


def cut(source, folder):
    """Write the left and the right half of each image."""
    folder.mkdir()
    for path in sorted(source.iterdir()):
        pixels = read_image(path)
        write_image(folder / f"{path.stem}_left.png", pixels[:, :96])
        write_image(folder / f"{path.stem}_right.png", pixels[:, 96:])


def test_fields_on_both_sides_of_given_parts_are_told(tmp_path):
    simulate(tmp_path, 6, 5)
    cut(tmp_path / "images", tmp_path / "cut")
    tested = tmp_path / "tested"
    tested.mkdir()
    # One field is cut in two by the parts; another one is in test as a whole.
    for name in ("field_0001_left", "field_0002_left", "field_0002_right"):
        (tmp_path / "cut" / f"{name}.png").rename(tested / f"{name}.png")
    configuration = configure(APP.configuration, {**QUICK, "images": tmp_path / "cut", "test_images": tested})
    audited = audit(APP, configuration)
    ids, test = audited.labelled.examples.ids, audited.partition.test
    assert audited.partition.policy == "given"
    related = ids[test][audited.kinship.related].tolist()
    assert [name.rsplit("/")[-1] for name in related] == ["field_0001_left.png"]
    assert audited.kinship.finding.severity == "warning"
    assert "sharing a field of view with train" in audited.kinship.relation
    units = audited.partition.units[test]
    assert len(np.unique(units)) == 2
    np.testing.assert_array_equal(units_of(audited.labelled.examples.take(test)), units)
    (warned,) = [one for one in audited.findings if one.finding == "kin of train"]
    assert warned.count == 1


def test_fields_are_added_to_what_else_is_related():
    parts = [np.array([0, 1]), np.array([2]), np.array([3, 4, 5])]
    partition = Partition(*parts, "given", np.arange(6))
    copies = Kinship(
        np.array([True, False, False]), Finding("kin of train", 1, "warning", "1."), "sharing a picture with train"
    )
    both = with_fields(copies, partition, np.array([0, 1, 2, 3, 1, 2]))
    assert both.related.tolist() == [True, True, False]
    assert both.finding.count == 2
    assert both.relation == "sharing a picture or a field of view with train"
    assert with_fields(copies, partition, np.arange(6)) is copies


def test_intervals_of_the_report_are_drawn_over_the_units_of_the_split(run, simulated, monkeypatch):
    drawn = []
    monkeypatch.setattr(workflow.pages, "insights", lambda predictor, test, units, *_: drawn.append(units))
    configuration = configure(APP.configuration, {**QUICK, "images": simulated, "split": "random"})
    examples = APP.load().read(configuration, None, silent).examples
    units = np.arange(len(examples)) // 2
    groups = {"patient": np.zeros(len(examples), dtype=np.int64)}
    predictor = primase.load(run.path).predictor
    APP.load().insights(predictor, {"test": with_units(replace(examples, groups=groups), units)}, silent)
    assert drawn[0].count == len(examples) / 2


def test_crops_of_one_field_are_kept_in_one_part(tmp_path):
    simulate(tmp_path, 10, 5)
    folder = tmp_path / "cut"
    cut(tmp_path / "images", folder)
    settings = {**QUICK, "epochs": 1, "steps": 2}
    made = primase.train(APP.name, images=folder, out=tmp_path / "model", adversarial_epochs=0, **settings)
    assert made.metrics["split"]["policy"] == "cluster"
    members = pl.read_parquet(made.path / "members.parquet")
    halves = members.with_columns(pl.col("id").str.replace("_(left|right).png", "").alias("field"))
    assert halves.group_by("field").agg(pl.col("part").n_unique())["part"].max() == 1
