"""What keeps networks from learning by heart: against numpy, and by looking."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy
from torch import nn

from primase.bio.nucleotides import FRACTIONS, encode_nucleotides
from primase.data.encoding import SupervisedBatches
from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.nn.letters import OneHot
from primase.training.configuration import TrainingConfiguration
from primase.training.fit import FitOptions, training_objective
from primase.training.losses import loss_of
from primase.training.regularisation import (
    Corruption,
    InputNoise,
    answer_entropy,
    contents,
    in_turn,
    mixed_batch,
    mixed_objective,
    mixed_values,
    without_confidence,
)
from primase.training.remedies import TrainingRemedies, with_remedies

BINARY = Task("binary", ("no", "yes"))
LETTERS = torch.from_numpy(np.stack([encode_nucleotides("ACGTNacgt", where="here")] * 400))
VALUES = torch.arange(2000.0).view(400, 5)
IMAGES = torch.randint(0, 255, (50, 1, 20, 30), dtype=torch.uint8)
BAG = {"features": torch.randint(0, 9, (400, 6)), "weights": torch.ones(400, 6)}
PAIRS = {"nodes": torch.zeros(400, 2, dtype=torch.int64)}
NOTHING = torch.zeros(400, dtype=torch.int64)


def test_what_a_batch_holds_is_known_by_its_tensors():
    assert contents({"letters": LETTERS}) == {"letters": "letters"}
    assert contents({"features": VALUES, "images": IMAGES}) == {"features": "values", "images": "image"}
    assert contents(BAG) == {"features": "bag", "weights": "bag"}
    assert contents(PAIRS) == {"nodes": "numbers"}


# Corruption


def test_letters_become_any_letter_and_keep_their_case():
    hidden = Corruption(0.3).hidden(LETTERS, "letters")
    changed = hidden != LETTERS
    # One letter in nine is N already.
    assert changed.float().mean().item() == pytest.approx(0.3 * 8 / 9, abs=0.03)
    assert set((hidden[changed] & 15).tolist()) == {15}
    assert torch.equal(hidden & 16, LETTERS & 16)
    padded = torch.zeros(10, 9, dtype=torch.uint8)
    assert torch.equal(Corruption(0.9).hidden(padded, "letters"), padded)


def test_values_become_the_mean_and_domains_are_taken_out():
    hidden = Corruption(0.25).hidden(VALUES, "values")
    changed = hidden != VALUES
    assert changed.float().mean().item() == pytest.approx(0.25, abs=0.04)
    assert torch.equal(hidden[changed], VALUES.mean(dim=0).expand_as(VALUES)[changed])
    batch, targets = Corruption(0.5)(BAG, NOTHING)
    assert torch.equal(batch["features"], BAG["features"])
    assert set(batch["weights"].unique().tolist()) == {0.0, 1.0}
    assert batch["weights"].mean().item() == pytest.approx(0.5, abs=0.05)
    assert targets is NOTHING


def test_a_square_of_each_image_is_covered_by_its_mean():
    covered = Corruption(0.25).hidden(IMAGES, "image")
    changed = covered != IMAGES.float()
    for one, image, mask in zip(covered, IMAGES.float(), changed, strict=True):
        rows, columns = (torch.nonzero(mask[0].any(dim=axis)).flatten() for axis in (1, 0))
        assert (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) == (10, 15)
        assert one[0, rows[0], columns[0]] == pytest.approx(image.mean().item(), rel=1e-5)
    assert len({tuple(torch.nonzero(mask)[0].tolist()) for mask in changed}) > 10


# Noise


def test_noise_is_as_wide_as_asked_and_leaves_alone_what_never_varies():
    values = torch.cat([torch.randn(4000, 2) * torch.tensor([1.0, 50.0]), torch.ones(4000, 1)], dim=1)
    noise = InputNoise(0.5).noisy(values) - values
    assert noise.std(dim=0).tolist() == pytest.approx([0.5, 25.0, 0.0], rel=0.08, abs=1e-6)
    noise = InputNoise(0.1).noisy(IMAGES) - IMAGES
    assert noise.std(dim=(1, 2, 3)).mean().item() == pytest.approx(0.1 * IMAGES.float().std().item(), rel=0.05)


def test_transforms_are_made_in_their_order():
    def doubled(batch, targets):
        return {name: tensor * 2 for name, tensor in batch.items()}, targets

    def more(batch, targets):
        return {name: tensor + 1 for name, tensor in batch.items()}, targets + 1

    batch, targets = in_turn(doubled, None, more)({"values": VALUES}, NOTHING)
    assert torch.equal(batch["values"], VALUES * 2 + 1)
    assert torch.equal(targets, NOTHING + 1)
    assert in_turn(None, None) is None


# Mixing


class Reader(nn.Module):
    """Says of a batch what it was given."""

    def __init__(self):
        super().__init__()
        self.read = OneHot()

    def forward(self, letters):
        return self.read(letters).mean(dim=2)


def test_mixed_letters_are_their_columns_in_shares():
    two = torch.from_numpy(np.stack([encode_nucleotides(text, where="here") for text in ("ACGN", "TTa-"[:3] + "G")]))
    reader = Reader()

    def columns(letters):
        return reader.read(letters)

    mixed = mixed_batch({"letters": two}, 0.75, torch.tensor([1, 0]), columns)["letters"]
    onehot = FRACTIONS[two.numpy() & 15].transpose(0, 2, 1)
    assert mixed.numpy() == pytest.approx(0.75 * onehot + 0.25 * onehot[::-1])
    with pytest.raises(ConfigurationError, match="cannot be mixed"):
        mixed_batch({"letters": two}, 0.75, torch.tensor([1, 0]))


def test_both_labels_are_right_in_the_shares_of_the_inputs(monkeypatch):
    monkeypatch.setattr("primase.training.regularisation._draw", lambda *_: (0.3, torch.tensor([1, 2, 0])))
    network = nn.Linear(2, 3).double()
    points, targets = torch.randn(3, 2, dtype=torch.float64), torch.tensor([0, 2, 1])

    class Named(nn.Module):
        def forward(self, points):
            return network(points.double())

    found = mixed_objective(loss_of("multiclass", 0.0), 0.2, lambda _: torch.tensor(7.0))(
        Named(), {"points": points}, targets
    )
    logits = network((0.3 * points + 0.7 * points[[1, 2, 0]]).float().double())
    soft = 0.3 * torch.eye(3)[targets] + 0.7 * torch.eye(3)[targets[[1, 2, 0]]]
    expected = -(soft * torch.log_softmax(logits, 1)).sum(1).mean().item() + 7
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_values_to_predict_are_mixed_like_the_inputs_and_known_where_both_are():
    torch.manual_seed(1)
    targets = VALUES[:, :1] * 3 + 1
    targets[0] = torch.nan
    batch, mixed = mixed_values(0.4)({"values": VALUES}, targets)
    known = ~mixed.isnan()
    assert torch.allclose(mixed[known], batch["values"][:, :1][known] * 3 + 1, rtol=1e-4)
    assert 1 <= int((~known).sum()) <= 2


# Confidence


@given(st.integers(0, 100))
def test_entropy_is_that_of_scipy(seed):
    logits = torch.from_numpy(np.random.default_rng(seed).normal(size=(10, 4)) * 3)
    expected = entropy(torch.softmax(logits, 1).numpy(), axis=1)
    assert answer_entropy("multiclass", logits).numpy() == pytest.approx(expected, abs=1e-5)
    yes = torch.sigmoid(logits).numpy()
    assert answer_entropy("multilabel", logits).numpy() == pytest.approx(
        entropy(np.stack([yes, 1 - yes]), axis=0), abs=1e-5
    )


@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_the_penalty_is_the_loss_less_the_entropy_of_known_answers(kind):
    logits = torch.randn(20, 2)
    targets = torch.randint(-1, 2, (20, 2)) if kind == "multilabel" else torch.randint(0, 2, (20,))
    plain = loss_of(kind, 0.0)
    expected = plain(logits, targets) - 0.3 * answer_entropy(kind, logits)[targets >= 0].mean()
    assert without_confidence(kind, plain, 0.3)(logits, targets).item() == pytest.approx(expected.item(), rel=1e-5)


# What they are not for


class Held:
    """Inputs that are there as tensors."""

    def __init__(self, tensors):
        self.tensors = tensors

    def __len__(self):
        return len(next(iter(self.tensors.values())))

    def batch(self, indices):
        return {name: tensor[torch.from_numpy(indices)] for name, tensor in self.tensors.items()}


HELD = {"letters": {"letters": LETTERS}, "values": {"values": VALUES}, "bag": BAG, "numbers": PAIRS}
FITS = {"corruption": {"letters", "values", "bag"}, "input_noise": {"values"}, "mixup": {"letters", "values"}}


@pytest.mark.parametrize("remedy", FITS)
@pytest.mark.parametrize("held", HELD)
def test_what_cannot_be_done_to_an_input_is_refused(remedy, held):
    train = SupervisedBatches(Held(HELD[held]), NOTHING.numpy())
    remedies = TrainingRemedies(**{remedy: 0.2})
    if held in FITS[remedy]:
        assert with_remedies(FitOptions(kind="binary"), remedies, BINARY, train) != FitOptions(kind="binary")
        return
    with pytest.raises(ConfigurationError, match="the inputs of this network are") as caught:
        with_remedies(FitOptions(kind="binary"), remedies, BINARY, train)
    assert f"--{remedy.replace('_', '-')}" in str(caught.value)


def test_an_objective_of_its_own_is_left_alone_unless_values_are_learned():
    own = FitOptions(kind="binary", objective=lambda *_: torch.zeros(()))
    train = SupervisedBatches(Held({"values": VALUES}), NOTHING.numpy())
    for remedy in ("mixup", "confidence_penalty"):
        with pytest.raises(ConfigurationError, match="objective of its own"):
            with_remedies(own, TrainingRemedies(**{remedy: 0.2}), BINARY, train)
    task = Task("regression", ("a", "b"))
    values = SupervisedBatches(Held({"values": VALUES}), VALUES[:, :2].numpy())
    assert with_remedies(own, TrainingRemedies(mixup=0.2), task, values).transform is not None
    with pytest.raises(ConfigurationError, match="answers that are labels"):
        with_remedies(own, TrainingRemedies(confidence_penalty=0.2), task, values)
    with pytest.raises(ConfigurationError, match="the input itself is what is learned"):
        with_remedies(own, TrainingRemedies(corruption=0.2), Task("generative", ("a",)), values)


@torch.no_grad()
def test_doubt_is_rewarded_in_training_and_not_in_what_it_stops_by():
    network, targets = nn.Linear(3, 2), torch.tensor([0, 1, 1, 0])
    inputs = {"input": torch.randn(4, 3, generator=torch.Generator().manual_seed(0))}
    settings = TrainingConfiguration()
    plain, _ = training_objective(FitOptions(kind="binary"), settings)
    modest, criterion = training_objective(FitOptions(kind="binary", confidence_penalty=0.1), settings)
    undecided = torch.distributions.Categorical(logits=network(**inputs)).entropy().mean()
    assert float(modest(network, inputs, targets)) == pytest.approx(
        float(plain(network, inputs, targets) - 0.1 * undecided), rel=1e-5
    )
    assert criterion is None
