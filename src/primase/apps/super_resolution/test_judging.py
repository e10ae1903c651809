import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from primase.apps.images.pictures import Pictures
from primase.apps.super_resolution import datasets, judging, perception
from primase.apps.super_resolution.asking import judged_as_asked
from primase.apps.super_resolution.configuration import SuperResolutionConfiguration
from primase.apps.super_resolution.datasets import biology_fields, fields_of
from primase.apps.super_resolution.encoding import Pair, PictureEncoder
from primase.apps.super_resolution.judging import Judge, interpolations
from primase.apps.super_resolution.perception import VggDistance
from primase.apps.super_resolution.simulator import PSF_SIGMA, SIDE, simulate
from primase.bio.images import read_image
from primase.bio.resampling import Degradation, resampled
from primase.configuration import configure
from primase.data.examples import Examples
from primase.errors import ConfigurationError, InputError, SourceError
from primase.evaluation.image_quality import MEASURES, quality
from primase.events import silent
from primase.nn.backbones import build_backbone
from primase.nn.vgg import VggFeatures


def encoder(**settings):
    return PictureEncoder.of(configure(SuperResolutionConfiguration, {"adversarial_epochs": 0, **settings}))


def examples(*arrays):
    ids = np.array([f"{number}.png" for number in range(len(arrays))], dtype=object)
    return Examples(ids, Pictures.of_arrays(arrays), np.empty((len(arrays), 0), dtype=np.float32))


def picture(shape=(37, 50, 3), kind=np.uint8, seed=0):
    return (gaussian_filter(np.random.default_rng(seed).random(shape), 1) * 250).astype(kind)


def test_interpolations_are_measured_on_pictures_cropped_to_a_multiple():
    given = picture()
    bicubic, lanczos = interpolations(Judge.of(encoder()))
    sharp = given[:36, :48]
    low = Degradation(4).small(sharp)
    for rival in (bicubic, lanczos):
        expected = quality(sharp, resampled(low, 36, 48, kernel=rival.name), peak=255, border=4)
        np.testing.assert_allclose(rival.answers(examples(given))[0], expected, rtol=1e-5)
        assert rival.description


def test_the_distance_is_measured_where_a_network_is_given(monkeypatch, tmp_path):
    weights = tmp_path / "weights.pth"
    weights.touch()
    monkeypatch.setattr(judging, "photo_features", lambda file, network, listener: lambda photos: [photos])
    judge = Judge.of(encoder(distance_features=weights))
    found = judge.of_all(lambda low: resampled(low, 36, 48), Pictures.of_arrays([picture()]))
    assert found.shape == (1, len(MEASURES))
    assert found[0, -1] > 0
    assert np.isnan(Judge.of(encoder()).of_all(lambda low: resampled(low, 36, 48), Pictures.of_arrays([picture()])))[
        0, -1
    ]


def test_weights_of_the_distance_that_are_gone_are_not_replaced_by_others(monkeypatch, tmp_path):
    monkeypatch.setattr(judging, "photo_features", lambda file, network, listener: lambda photos: [photos])
    with pytest.raises(ConfigurationError, match="not there any more") as caught:
        Judge.of(encoder(distance_features=tmp_path / "gone.pth"))
    assert caught.value.where == "--distance-features"
    assert "gone.pth" in str(caught.value)


def test_decibels_of_sixteen_bits_are_relative_to_the_range_of_the_picture():
    grey = picture((40, 40), np.float32)
    judge = Judge.of(encoder())
    for factor, offset in ((1.0, 0.0), (100.0, 500.0)):
        sharp = (grey * factor + offset).astype(np.uint16)
        error = factor * 5
        made = sharp + np.uint16(error)
        span = float(sharp.max()) - float(sharp.min())
        expected = 20 * np.log10(span / error)
        assert judge.measures(Pair(sharp, sharp[:10, :10]), made)[0] == pytest.approx(expected, abs=1e-3)


def test_noise_depends_on_the_image_alone():
    own = encoder(noise_sigma=0.1)
    first, second = picture(seed=0), picture(seed=1)
    together = own.pair(Pictures.of_arrays([second, first]), 1)
    np.testing.assert_array_equal(own.pair(Pictures.of_arrays([first]), 0).low, together.low)


def test_the_encoder_is_the_same_after_a_bundle():
    own = encoder(scale=3, noise_sigma=0.1, blur_sigma=1.0, colour="channels", self_ensemble=True)
    assert PictureEncoder.from_state(own.state()) == own


def test_the_perceptual_loss_is_zero_for_equals_and_pulls_towards_the_truth():
    torch.manual_seed(0)
    distance = VggDistance(VggFeatures())
    truth = torch.rand(2, 1, 16, 16)
    assert distance(truth, truth) == 0
    made = torch.rand(2, 1, 16, 16, requires_grad=True)
    before = distance(made, truth)
    before.backward()
    step = 0.05 * made.grad / made.grad.abs().max()
    assert distance(made.detach() - step, truth) < before
    assert not any(parameter.requires_grad for parameter in distance.network.parameters())


def test_weights_that_cannot_be_fetched_are_asked_for(monkeypatch):
    def refuse(weights, *, listener):
        what = "the file cannot be had"
        raise SourceError(what, where=str(weights), advice="Download it.")

    monkeypatch.setattr(perception, "fetch_weights", refuse)
    for prepare, option in (
        (perception.loss_distance, "--perceptual-features"),
        (perception.photo_features, "--distance-features"),
    ):
        with pytest.raises(SourceError) as caught:
            prepare("")
        assert caught.value.advice.startswith("Download it.")
        assert option in caught.value.advice
        assert "--adversarial-epochs 0" in caught.value.advice


def test_the_distance_can_be_measured_by_another_network(tmp_path):
    torch.manual_seed(0)
    weights = tmp_path / "squeezenet.pth"
    torch.save(build_backbone("squeezenet1_0").state_dict(), weights)
    features = perception.photo_features(str(weights), "squeezenet")
    assert [layer.shape[1] for layer in features(torch.rand(2, 3, 40, 40))] == [96, 256, 512, 512]
    tiny = torch.rand(1, 3, 5, 8)
    continued = torch.nn.functional.pad(tiny, (0, 13, 0, 16), mode="replicate")
    for found, expected in zip(features(tiny), features(continued), strict=True):
        torch.testing.assert_close(found, expected)
    own = encoder(distance_features=weights, distance_network="squeezenet")
    assert Judge.title(own) == "SqueezeNet 1.0 (squeezenet.pth)"
    found = Judge.of(own).of_all(lambda low: resampled(low, 36, 48), Pictures.of_arrays([picture()]))
    assert found[0, -1] > 0
    with pytest.raises(InputError, match="efficientnet-lite0"):
        Judge.of(encoder(distance_features=weights))


def test_a_network_that_is_asked_for_measures_without_an_adversarial_phase():
    assert not encoder().with_distance
    assert encoder(distance_network="squeezenet").with_distance
    assert Judge.title(encoder(adversarial_epochs=1)) == "EfficientNet-Lite0 (ImageNet)"


def test_weights_of_the_network_of_training_are_not_those_of_another(tmp_path):
    own = encoder(distance_features=tmp_path / "lite0.pth")
    kept = {"distance_features": tmp_path / "lite0.pth", "distance_network": "squeezenet"}
    other = judged_as_asked(own, configure(SuperResolutionConfiguration, kept))
    assert (other.distance_network, other.distance_features) == ("squeezenet", "")
    named = judged_as_asked(own, configure(SuperResolutionConfiguration, {**kept, "distance_features": "own.npz"}))
    assert Path(named.distance_features).name == "own.npz"
    same = judged_as_asked(
        own, configure(SuperResolutionConfiguration, {**kept, "distance_network": own.distance_network})
    )
    assert same == own


def test_a_bundle_from_before_there_was_a_choice_is_read():
    state = encoder(adversarial_epochs=1).state()
    del state.facts["distance_network"]
    assert PictureEncoder.from_state(state).distance_network == "efficientnet-lite0"


def test_published_weights_see_how_far_an_image_was_blurred():
    folder = os.environ.get("PRIMASE_MIRROR")
    weights = Path(folder or "") / "weights" / "squeezenet_v1_0_imagenet.npz"
    if not folder or not weights.is_file():
        pytest.skip("PRIMASE_MIRROR has no weights of SqueezeNet")
    judge = Judge.of(encoder(distance_features=weights, distance_network="squeezenet"))
    sharp = (np.random.default_rng(0).random((64, 64, 3)) * 255).astype(np.uint8)
    far = [
        judge.measures(Pair(sharp, sharp), gaussian_filter(sharp, (sigma, sigma, 0)))[-1] for sigma in (0.0, 0.5, 1, 2)
    ]
    assert far[0] == pytest.approx(0, abs=1e-6)
    assert far == sorted(far)


def test_a_file_of_weights_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        perception.loss_distance(str(tmp_path / "vgg.h5"))
    assert "vgg.h5" in str(caught.value)


@pytest.mark.parametrize("shape", [(1411, 1411, 3), (511, 511), (256, 256), (660, 550), (100, 3)])
def test_fields_cover_an_image_once(shape):
    seen = np.zeros(shape, dtype=np.uint8)
    fields = [*fields_of(seen)]
    for field in fields:
        np.add(field, 1, out=field)
    assert (seen == 1).all()
    if min(shape[:2]) >= 256:
        assert len(fields) >= 4


def test_slices_of_one_field_share_a_name(tmp_path, monkeypatch):
    names = np.array([f"nuclei.tif#{page}" for page in range(7)] + ["skin.tif"], dtype=object)
    arrays = [picture((256, 256), np.uint16, seed) for seed in range(7)] + [picture((512, 512, 3))]
    monkeypatch.setenv("PRIMASE_CACHE", str(tmp_path))
    monkeypatch.setattr(datasets, "biology_images", lambda listener: (names, Pictures.of_arrays(arrays), None))
    monkeypatch.setattr(datasets, "biology_folder", lambda listener: tmp_path)
    found = biology_fields(silent)
    files = sorted(path.name for path in found["images"].iterdir())
    assert files == sorted(
        [f"nuclei_field0{field}_0{page}.png" for field in range(1, 5) for page in (0, 6)]
        + [f"skin_field0{field}.png" for field in range(1, 5)]
    )
    np.testing.assert_array_equal(read_image(found["images"] / "nuclei_field02_06.png"), arrays[6][:128, 128:])
    assert biology_fields(silent) == found


def test_simulated_spots_are_where_they_are_said_to_be_and_as_wide(tmp_path):
    simulated = simulate(tmp_path, 4, 0)
    assert simulated.inputs == ["--images", "images"]
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == [
        "field_0001.png", "field_0002.tif", "field_0003.png", "field_0004.tif",
    ]  # fmt: skip
    centred = []
    for item in simulated.planted:
        pixels = read_image(tmp_path / "images" / item["id"])
        assert pixels.dtype == np.uint16
        assert pixels.shape == (SIDE, SIDE)
        left, top, right, bottom = item["box"]
        box = pixels[top:bottom, left:right].astype(float)
        assert box.shape == (9, 9)
        row, column = np.unravel_index(box.argmax(), box.shape)
        centred.append(np.hypot(row + top - item["row"], column + left - item["column"]))
    # Some lie on filaments, or on each other.
    assert np.median(centred) < 1
    assert simulated.facts["psf_sigma_px"] == PSF_SIGMA


def test_the_simulation_is_a_function_of_the_seed(tmp_path):
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        simulate(tmp_path / name, 1, seed)
        found.append(read_image(tmp_path / name / "images" / "field_0001.png"))
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()
