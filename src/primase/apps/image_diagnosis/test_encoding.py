"""Frozen features: computed once, the same however they are asked for, and kept with the model."""

import numpy as np
import pytest
import torch

from primase.apps.image_diagnosis import encoding
from primase.apps.image_diagnosis.encoding import DiagnosisEncoder, Reading
from primase.apps.image_diagnosis.feature_cache import FeatureCache
from primase.apps.image_diagnosis.model import FrozenFeatures, FrozenNetwork, ImageNetwork
from primase.apps.images.pictures import Pictures
from primase.errors import ConfigurationError, ReadError
from primase.nn.backbones import build_backbone

READING = Reading(("frozen",), image_size=32, small_size=28, colour=False)


@pytest.fixture
def pictures():
    generator = np.random.default_rng(0)
    return Pictures.of_arrays([generator.integers(0, 256, (40, 36), dtype=np.uint8) for _ in range(20)])


@pytest.fixture
def frozen():
    torch.manual_seed(0)
    return FrozenFeatures(build_backbone("cifar-resnet20"))


def test_features_are_means_and_spreads_of_the_maps(frozen):
    images = torch.randint(0, 256, (3, 1, 32, 32), dtype=torch.uint8)
    with torch.inference_mode():
        found, maps = frozen(images), frozen.reader(images)
    parts = [
        part for place in frozen.places for part in (maps[place].mean((2, 3)), maps[place].std((2, 3), correction=0))
    ]
    assert found.numpy() == pytest.approx(torch.cat(parts, dim=1).numpy(), abs=2e-4)
    assert found.shape == (3, frozen.size)
    assert "stem" not in frozen.depths


def test_depths_can_be_chosen_and_unknown_ones_are_named():
    backbone = build_backbone("cifar-resnet20")
    names = [name for name, _ in backbone.blocks]
    chosen = FrozenFeatures(backbone, (names[2], names[1]))
    assert chosen.depths == (names[1], names[2])
    assert chosen.reader.depth == 3
    with pytest.raises(ConfigurationError, match="no such block"):
        FrozenFeatures(backbone, ("cellar",))


def test_features_do_not_depend_on_order_or_number(pictures, frozen):
    encoder = DiagnosisEncoder(READING, "cifar-resnet20", frozen=frozen).fit(pictures)
    whole = encoder.encode(pictures).batch(np.arange(20))["features"].numpy()
    some = np.array([7, 3, 3, 19])
    assert encoder.encode(pictures.take(some)).batch(np.arange(4))["features"].numpy() == pytest.approx(
        whole[some], abs=1e-4
    )
    assert whole.mean(axis=0) == pytest.approx(np.zeros(frozen.size), abs=1e-4)


def test_no_image_is_computed_twice(pictures, frozen, tmp_path, monkeypatch):
    computed = []
    plain = encoding.compute_features

    def counting(network, images, places):
        computed.extend(places)
        return plain(network, images, places)

    monkeypatch.setattr(encoding, "compute_features", counting)
    copies = Pictures.concatenate([pictures, pictures])
    first = DiagnosisEncoder(READING, "cifar-resnet20", frozen=frozen, cache=tmp_path).fit(copies)
    assert len(computed) == 20
    again = DiagnosisEncoder(READING, "cifar-resnet20", frozen=frozen, cache=tmp_path).fit(copies)
    assert len(computed) == 20
    assert np.array_equal(first.scale.mean, again.scale.mean)
    torch.manual_seed(1)
    other = FrozenFeatures(build_backbone("cifar-resnet20"))
    DiagnosisEncoder(READING, "cifar-resnet20", frozen=other, cache=tmp_path).fit(copies)
    assert len(computed) == 40


def test_a_model_keeps_its_frozen_network(pictures, frozen):
    encoder = DiagnosisEncoder(READING, "cifar-resnet20", frozen=frozen).fit(pictures)
    again = DiagnosisEncoder.from_state(encoder.state())
    before, after = (own.encode(pictures).batch(np.arange(20))["features"] for own in (encoder, again))
    assert torch.equal(before, after)
    assert not any("fc" in name or "linear" in name for name in encoder.state().arrays)


def test_blocks_that_nothing_reads_are_not_kept():
    backbone = build_backbone("cifar-resnet20")
    names = [name for name, _ in backbone.blocks]
    shallow = DiagnosisEncoder(READING, "cifar-resnet20", frozen=FrozenFeatures(backbone, (names[1],)))
    shallow.fit(Pictures.of_arrays([np.eye(32, dtype=np.uint8) * 200] * 2))
    whole = DiagnosisEncoder(READING, "cifar-resnet20", frozen=FrozenFeatures(build_backbone("cifar-resnet20")))
    whole.fit(Pictures.of_arrays([np.eye(32, dtype=np.uint8) * 200] * 2))
    assert len(shallow.state().arrays) < len(whole.state().arrays) / 2


def test_a_cache_that_is_something_else_is_named(tmp_path):
    path = tmp_path / "features.sqlite"
    path.write_text("no database at all, but a text that is long enough to be looked at " * 20)
    with pytest.raises(ReadError, match=r"features\.sqlite.*--no-cache-features"):
        FeatureCache(path, 3).find([b"x"])


def test_a_cache_finds_what_it_was_given(tmp_path):
    cache = FeatureCache(tmp_path / "new" / "features.sqlite", 2)
    assert cache.find([b"a"]) == {}
    cache.store([b"a", b"b"], np.array([[1, 2], [3, 4]], dtype=np.float32))
    found = cache.find([b"b", b"c"])
    assert set(found) == {b"b"}
    assert found[b"b"].tolist() == [3, 4]


def test_frozen_blocks_learn_nothing_and_keep_their_statistics():
    network = ImageNetwork(build_backbone("cifar-resnet20"), 2, unfrozen=1).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([one for one in network.parameters() if one.requires_grad], lr=0.1)
    images = torch.randint(0, 256, (8, 1, 32, 32), dtype=torch.uint8)
    torch.nn.functional.cross_entropy(network(images=images), torch.arange(8) % 2).backward()
    optimizer.step()
    last = network.backbone.blocks[-1][1]
    moving = {value.data_ptr() for value in last.state_dict().values()}
    for name, value in network.state_dict().items():
        if name.startswith("reader.backbone") and value.data_ptr() not in moving:
            assert torch.equal(value, before[name]), name
    assert any(not torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_linear_layer_begins_undecided():
    assert torch.equal(FrozenNetwork(5, 3)(features=torch.randn(4, 5), images=torch.zeros(1)), torch.zeros(4, 3))
