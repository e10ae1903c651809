import os
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from primase.errors import InputError, ReadError
from primase.nn.backbones import build_backbone
from primase.nn.backbones.squeezenet import SqueezeNet
from primase.nn.vgg import VggFeatures
from primase.nn.weights import load_weights, read_weights

PIXELS_OF_CAFFE = torch.tensor([104.0, 117.0, 123.0]).view(3, 1, 1)


def small(classes=4, seed=0):
    torch.manual_seed(seed)
    return build_backbone("cifar-resnet20", classes).eval()


def write(weights, path):
    match path.suffix:
        case ".safetensors":
            save_file(weights, path)
        case ".npz":
            np.savez(path, **{name: value.numpy() for name, value in weights.items()})
        case _:
            torch.save(weights, path)
    return path


def same(first, second):
    first, second = first.state_dict(), second.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("ending", [".pth", ".pt", ".th", ".PTH", ".safetensors", ".npz"])
def test_every_kind_of_file_gives_the_weights_back(ending, tmp_path):
    trained, fresh = small(), small(seed=1)
    assert not same(trained, fresh)
    load_weights(fresh, write(trained.state_dict(), tmp_path / f"weights{ending}"))
    assert same(trained, fresh)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: {"state_dict": weights, "best_prec1": 91.8},
        lambda weights: {"model": weights, "epoch": 7},
        lambda weights: {f"module.{name}": value for name, value in weights.items()},
        lambda weights: {"state_dict": {f"module.{name}": value for name, value in weights.items()}},
        lambda weights: {name: value for name, value in weights.items() if "num_batches" not in name},
        lambda weights: {name: value.double() for name, value in weights.items()},
    ],
)
def test_what_training_programs_put_around_weights_is_taken_off(wrap, tmp_path):
    trained, fresh = small(), small(seed=1)
    load_weights(fresh, write(wrap(trained.state_dict()), tmp_path / "weights.pth"))
    assert same(trained, fresh)
    assert fresh.conv1.weight.dtype == torch.float32


def test_the_old_format_of_torch_is_read(tmp_path):
    trained, fresh = small(), small(seed=1)
    torch.save(trained.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    load_weights(fresh, tmp_path / "old.pth")
    assert same(trained, fresh)


def test_a_classifier_of_other_classes_is_refused_or_left_out(tmp_path):
    trained, fresh = small(classes=10), small(classes=2, seed=1)
    path = write(trained.state_dict(), tmp_path / "ten.pth")
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    with pytest.raises(InputError, match=r"linear\.weight \(10 x 64 instead of 2 x 64\).*All but the classifier fits"):
        load_weights(fresh, path)
    assert all(torch.equal(before[name], value) for name, value in fresh.state_dict().items())
    load_weights(fresh, path, classifier="drop")
    assert torch.equal(fresh.linear.weight, before["linear.weight"])
    assert torch.equal(fresh.conv1.weight, trained.conv1.weight)
    assert torch.equal(fresh.layer3[2].bn2.running_var, trained.layer3[2].bn2.running_var)


def test_weights_of_another_network_are_named(tmp_path):
    path = write(build_backbone("resnet18", 7).state_dict(), tmp_path / "other.pth")
    with pytest.raises(InputError) as caught:
        load_weights(build_backbone("resnet34"), path)
    error = caught.value
    assert error.what == "these are not the weights of resnet34"
    assert error.where == str(path)
    assert "missing: layer1.2.conv1.weight, layer1.2.bn1.weight" in error.got
    assert "of another shape: fc.weight (7 x 512 instead of 1000 x 512)" in error.got
    assert "resnet18" in error.advice
    assert "resnet50" not in error.advice


def test_weights_of_no_known_network_are_named(tmp_path):
    path = write({"a.weight": torch.zeros(2), "b.weight": torch.zeros(3)}, tmp_path / "mine.pth")
    with pytest.raises(InputError, match=r"2 unexpected: a\.weight, b\.weight") as caught:
        load_weights(small(), path)
    assert caught.value.advice is None


def test_weights_that_are_no_numbers_are_named(tmp_path):
    weights = small().state_dict()
    weights["layer1.0.conv1.weight"][0, 0, 0, 0] = float("nan")
    fresh, untouched = small(seed=1), small(seed=1)
    with pytest.raises(ReadError, match=r"no finite numbers. Found: layer1\.0\.conv1\.weight"):
        load_weights(fresh, write(weights, tmp_path / "nan.pth"))
    assert same(fresh, untouched)


class Malice:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("write_file", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_nothing_in_a_file_is_run(write_file, tmp_path):
    path = tmp_path / "evil.pth"
    write_file({"state_dict": Malice(tmp_path / "harm")}, path)
    with pytest.raises(ReadError, match=r"evil\.pth: the weights cannot be read") as caught:
        read_weights(path)
    assert not (tmp_path / "harm").exists()
    assert "weights_only" not in str(caught.value).replace("WeightsUnpickler", "")


@pytest.mark.parametrize("ending", [".pth", ".safetensors", ".npz", ".h5"])
@pytest.mark.parametrize("content", ["text", "empty", "truncated"])
def test_broken_files_are_named(ending, content, tmp_path):
    path = tmp_path / f"broken{ending}"
    if content == "truncated" and ending != ".h5":
        write(small().state_dict(), path)
        path.write_bytes(path.read_bytes()[:5000])
    else:
        path.write_text("no weights at all" * 100 if content == "text" else "")
    with pytest.raises(ReadError, match=r"broken\."):
        read_weights(path)


def test_an_unknown_ending_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(ReadError, match=r"the ending \.onnx\. Accepted: \.pth.*\.safetensors.*\.npz"):
        read_weights(tmp_path / "network.onnx")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ReadError, match=r"absent\.pth: there is no such file"):
        read_weights(tmp_path / "absent.pth")


def test_a_file_without_tensors_is_named(tmp_path):
    with pytest.raises(ReadError, match="the file holds no weights"):
        read_weights(write({"epoch": 3}, tmp_path / "nothing.pth"))


def caffe_of(network):
    """Name the parameters of a SqueezeNet as its authors did."""
    inner = {"squeeze": "conv1x1_1", "expand1x1": "conv1x1_2", "expand3x3": "conv3x3_2"}
    fires = {"3": 2, "4": 3, "5": 4, "7": 5, "8": 6, "9": 7, "10": 8, "12": 9}
    names = {}
    for name in network.state_dict():
        parts = name.split(".")
        kind = parts[-1][0]
        if parts[0] == "classifier":
            names[name] = f"conv_final__{kind}"
        elif len(parts) == 3:
            names[name] = f"conv1__{kind}"
        else:
            names[name] = f"fire{fires[parts[1]]}__{inner[parts[2]]}__{kind}"
    return {names[name]: value for name, value in network.state_dict().items()}


def test_weights_from_caffe_see_the_colours_that_they_were_trained_with(tmp_path):
    torch.manual_seed(0)
    original, ours = SqueezeNet(5).eval(), SqueezeNet(5).eval()
    load_weights(ours, write(caffe_of(original), tmp_path / "caffe.npz"))
    images = torch.randint(0, 256, (2, 3, 63, 63), dtype=torch.uint8)
    with torch.no_grad():
        expected = original.stages(images.flip(1).float() - PIXELS_OF_CAFFE)
        found = ours.stages(ours.normalisation(images))
    for stage, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(stage, theirs, rtol=1e-4, atol=1e-3)


def keras_of(network):
    """Name and turn the parameters of VGG as Keras does."""
    arrays = {}
    for name, place in network.places.items():
        block, number = name.split("-")
        layer = f"block{block}/layers/conv2d" + ("" if number == "1" else f"_{int(number) - 1}")
        convolution = network.features[place]
        arrays[f"{layer}/vars/0"] = convolution.weight.detach().permute(2, 3, 1, 0).numpy()
        arrays[f"{layer}/vars/1"] = convolution.bias.detach().numpy()
    return arrays


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    import h5py  # noqa: PLC0415

    torch.manual_seed(0)
    network = VggFeatures()
    path = tmp_path_factory.mktemp("vgg") / "edges.weights.h5"
    with h5py.File(path, "w") as file:
        for name, array in keras_of(network).items():
            file[name] = array
        file["dsn1/vars/0"] = np.zeros((1, 1, 64, 1), np.float32)
        file["fuse/vars/1"] = np.zeros(1, np.float32)
    return network, path


def test_features_of_vgg_from_keras_are_the_same(vgg):
    original, path = vgg
    ours = VggFeatures()
    load_weights(ours, path)
    images = torch.randint(0, 256, (1, 3, 40, 40), dtype=torch.uint8)
    mean = torch.tensor([104.00699, 116.66877, 122.67892]).view(3, 1, 1)
    with torch.no_grad():
        (expected,) = original(images.flip(1).float() - mean, ["2-2"])
        (found,) = ours(ours.normalisation(images), ["2-2"])
    # Around the image there is another grey, less than half a level away.
    torch.testing.assert_close(found[..., 4:-4, 4:-4], expected[..., 4:-4, 4:-4], rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=0.5)


def test_layers_of_vgg_come_in_the_order_asked_for_before_or_after_the_rectifier(vgg):
    network, _ = vgg
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        third, first = network(images, ["3-1", "1-2"])
        (raw,) = network(images, ["1-2"], activated=False)
    assert third.shape == (1, 256, 8, 8)
    assert first.shape == (1, 64, 32, 32)
    assert raw.min() < 0
    torch.testing.assert_close(first, raw.relu())


def test_vgg_has_the_names_and_shapes_of_torchvision_and_leaves_the_classifier_out(vgg, tmp_path):
    network, _ = vgg
    expected, place, inputs = {}, 0, 3
    for step in (64, 64, "M", 128, 128, "M", *(256,) * 3, "M", *(512,) * 3, "M", *(512,) * 3, "M"):
        if step != "M":
            expected |= {f"features.{place}.weight": (step, inputs, 3, 3), f"features.{place}.bias": (step,)}
            inputs = step
        place += 1 if step == "M" else 2
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == expected
    whole = network.state_dict() | {"classifier.0.weight": torch.zeros(3)}
    fresh = VggFeatures()
    load_weights(fresh, write(whole, tmp_path / "vgg16.pth"))
    assert same(fresh, network)


def test_a_missing_layer_of_vgg_is_named(vgg, tmp_path):
    import h5py  # noqa: PLC0415

    network, _ = vgg
    path = tmp_path / "short.h5"
    with h5py.File(path, "w") as file:
        for name, array in keras_of(network).items():
            if not name.startswith("block1/layers/conv2d/"):
                file[name] = array
    with pytest.raises(InputError, match=r"2 missing: features\.0\.weight, features\.0\.bias"):
        load_weights(VggFeatures(), path)
