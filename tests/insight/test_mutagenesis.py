"""Mutagenesis of networks whose answer is known by heart, and by several ways that must agree."""

import numpy as np
import pytest
import torch

from primase.apps.dna_function.model import DnaNetwork
from primase.apps.rna_binding.model import RnaMapNetwork, RnaNetwork
from primase.bio.nucleotides import encode_nucleotides
from primase.data.tasks import Task
from primase.events import Progress
from primase.insight import mutagenesis as module
from primase.insight.local_reading import LocalReader, PooledReader, is_local
from primase.insight.mutagenesis import mutate_everywhere
from primase.nn.convolution import ConvolutionLayer, DilatedResidual
from primase.nn.strands import BothStrands

LENGTH = 47
SMALL = {"filters": (6, 5), "widths": (7, 3)}


def ones(count):
    return np.ones(count, dtype=np.int64)


def rna(**settings):
    return RnaNetwork(**{"pools": (2, 1), **SMALL, **settings})


def dna(**settings):
    return DnaNetwork(LENGTH, 2, **{"pools": (3, 2), "units": 4, "hidden": 7, **SMALL, **settings})


NETWORKS = {
    "global pooling": rna,
    "no pooling between": lambda: rna(pools=(1, 1)),
    "dilated": lambda: rna(residual_blocks=2),
    "lstm": dna,
    "gru with attention": lambda: dna(recurrence="gru", head="attention", padded=True),
    "flat": lambda: dna(recurrence="none", pooling="average"),
    "recurrent before global pooling": lambda: dna(head="global", padded=True, hidden=0),
    "both strands": lambda: BothStrands(rna()),
    "both strands of lstm": lambda: BothStrands(dna()),
    "a map": lambda: RnaMapNetwork(LENGTH, width=4, filters=3, hidden=5),
}


@pytest.fixture
def sequences(known):
    """Whole ones, one with an unknown letter, and shorter ones, which are padded."""
    first, second, third, fourth = known.texts(4, LENGTH)
    return [first, second[:20] + "N" + second[21:], third[:30], fourth[:-1]]


def brute_force(predictor, encoded, label):
    """Score each mutant as a sequence of its own, letter by letter."""
    score = predictor.scorer()
    codes = encoded.batch(np.arange(len(encoded)))["letters"].numpy()
    changes = np.zeros((len(codes), 4, codes.shape[1]))
    with torch.no_grad():
        for row, position in zip(*codes.nonzero(), strict=True):
            before = float(score({"letters": torch.from_numpy(codes[row : row + 1])}, torch.tensor([label])))
            for letter in range(4):
                mutant = codes[row : row + 1].copy()
                mutant[0, position] = 1 << letter
                after = float(score({"letters": torch.from_numpy(mutant)}, torch.tensor([label])))
                changes[row, letter, position] = after - before
    return changes


def test_a_planted_motif_is_worth_what_the_filter_says(known):
    text = "G" * 12 + known.MOTIF + "G" * 12
    found = mutate_everywhere(known.predictor(known.MotifNetwork()), known.encoded([text]), ones(1))
    assert found.scores == pytest.approx([7.0])
    expected = np.zeros((4, 30))
    expected[:, 12:18] = -4.0
    for place, letter in enumerate(known.MOTIF, start=12):
        expected["ACGT".index(letter), place] = 0.0
    np.testing.assert_allclose(found.changes[0], expected, atol=1e-6)
    np.testing.assert_allclose(found.contributions[0], [0.0] * 12 + [4.0] * 6 + [0.0] * 12, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("layered", [False, True])
def test_every_way_gives_the_same(known, sequences, name, layered):
    network = known.louder(NETWORKS[name](), factor=1.5)
    if layered:
        for layer in network.modules():
            if isinstance(layer, ConvolutionLayer):
                pool = next((part.kernel_size for part in layer.follow if hasattr(part, "kernel_size")), 1)
                layer.stride = pool[0] if isinstance(pool, tuple) else pool
                layer.receptive_field = layer.convolve.kernel_size[0] + layer.stride - 1
            elif isinstance(layer, DilatedResidual):
                layer.receptive_field, layer.stride = 1 + 2 * layer.dilation, 1
    predictor, encoded = known.predictor(network), known.encoded(sequences, LENGTH)
    fast = mutate_everywhere(predictor, encoded, ones(4))
    whole = mutate_everywhere(predictor, encoded, ones(4), whole=True)
    assert np.abs(whole.changes).max() > 0.01
    np.testing.assert_allclose(fast.changes, whole.changes, atol=1e-5)
    np.testing.assert_allclose(fast.changes, brute_force(predictor, encoded, 1), atol=1e-5)
    np.testing.assert_allclose(fast.scores, whole.scores)


def test_members_are_averaged_as_in_the_predictor(known, sequences):
    networks = (known.louder(rna()), known.louder(BothStrands(dna()), seed=1))
    predictor, encoded = known.predictor(*networks), known.encoded(sequences, LENGTH)
    found = mutate_everywhere(predictor, encoded, ones(4))
    np.testing.assert_allclose(found.changes, brute_force(predictor, encoded, 1), atol=1e-5)


@pytest.mark.parametrize(("kind", "labels"), [("multiclass", "abc"), ("multilabel", "abc")])
def test_several_labels(known, sequences, kind, labels):
    task = Task(kind, tuple(labels))
    predictor = known.predictor(known.louder(rna(outputs=3)), task=task)
    encoded = known.encoded(sequences, LENGTH)
    found = mutate_everywhere(predictor, encoded, np.full(4, 2))
    np.testing.assert_allclose(found.changes, brute_force(predictor, encoded, 2), atol=1e-5)


def test_lower_case_stays_where_it_is(known):
    texts = [text[:10] + text[10:25].lower() + text[25:] for text in known.texts(2, LENGTH)]
    predictor = known.predictor(known.louder(rna(channels=5)))
    encoded = known.encoded(texts, LENGTH, case=True)
    fast = mutate_everywhere(predictor, encoded, ones(2))
    codes = encoded.batch(np.arange(2))["letters"].numpy()
    mutant = codes[:1].copy()
    mutant[0, 12] = 16 | (4 if mutant[0, 12] != 20 else 1)
    with torch.no_grad():
        score = predictor.scorer()
        before, after = (score({"letters": torch.from_numpy(part)}, torch.tensor([1])) for part in (codes[:1], mutant))
    letter = {1: 0, 4: 2}[int(mutant[0, 12]) & 15]
    assert fast.changes[0, letter, 12] == pytest.approx(float(after - before), abs=1e-5)


def test_only_what_a_mutation_reaches_is_computed_again(known, monkeypatch):
    network = known.MotifNetwork()
    seen = []
    features = network.trunk.features
    network.trunk.features.register_forward_hook(lambda layer, inputs, output: seen.append(inputs[0].numel()))
    encoded = known.encoded(known.texts(1, 400))
    assert features is network.trunk.features
    mutate_everywhere(known.predictor(network), encoded, ones(1))
    local = sum(seen)
    seen.clear()
    mutate_everywhere(known.predictor(network), encoded, ones(1), whole=True)
    assert sum(seen) > 25 * local


def test_the_fast_ways_are_taken_where_they_are_right(known):
    onehot = torch.rand(2, 4, LENGTH).round()
    pooled, recurrent = rna().eval(), dna(head="global", padded=True, hidden=0).eval()
    with torch.inference_mode():
        assert PooledReader.of(LocalReader.of(pooled, onehot)) is not None
        assert PooledReader.of(LocalReader.of(recurrent, onehot)) is None
    assert not is_local(RnaMapNetwork(LENGTH, width=4))


@pytest.mark.parametrize("letters", [1, 50, 333])
def test_blocks_do_not_matter(known, sequences, monkeypatch, letters):
    predictor, encoded = known.predictor(known.louder(rna())), known.encoded(sequences, LENGTH)
    before = mutate_everywhere(predictor, encoded, ones(4))
    monkeypatch.setitem(module.LETTERS_PER_BLOCK, "cpu", letters)
    monkeypatch.setattr(module, "SEQUENCES_PER_BLOCK", 3)
    after = mutate_everywhere(predictor, encoded, ones(4))
    np.testing.assert_allclose(before.changes, after.changes, atol=1e-5)


def test_three_mutants_of_a_letter_four_of_an_unknown_one_none_of_padding(known):
    encoded = known.encoded(["ACNTA"], 9)
    found = mutate_everywhere(known.predictor(known.louder(rna(widths=(3, 3)))), encoded, ones(1))
    assert found.counts.tolist() == [[0, 0, 3, 3, 4, 3, 3, 0, 0]]
    assert not found.changes[:, :, [0, 1, 7, 8]].any()
    codes = encode_nucleotides("ACTA", where="a test")
    own = [found.changes[0, int(code).bit_length() - 1, place] for code, place in zip(codes, (2, 3, 5, 6), strict=True)]
    assert own == [0, 0, 0, 0]
    assert found.contributions[0, 2] == pytest.approx(-found.changes[0, 1:, 2].mean())
    assert found.contributions[0, 4] == pytest.approx(-found.changes[0, :, 4].mean())


def test_nothing_to_mutate(known):
    found = mutate_everywhere(known.predictor(known.MotifNetwork()), known.encoded([], 10), ones(0))
    assert found.changes.shape == (0, 4, 10)


def test_progress_is_told(known):
    heard = []
    mutate_everywhere(
        known.predictor(known.MotifNetwork()), known.encoded(known.texts(40, 20)), ones(40), listener=heard.append
    )
    assert heard[-1] == Progress("mutagenesis", 40, 40, "sequences")
    assert [event.done for event in heard] == sorted(event.done for event in heard)
