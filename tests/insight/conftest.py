"""Networks of sequences whose answer is known by heart, and sequences with planted sites."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from primase.bio.nucleotides import encode_nucleotides
from primase.data.sequences import SequenceEncoder, Sequences
from primase.data.tasks import Task
from primase.evaluation.calibration import NoCalibration
from primase.nn.convolution import Trunk
from primase.nn.letters import OneHot
from primase.nn.pooling import GlobalPooling
from primase.predictor.predictor import Predictor

MOTIF = "ACTAAC"


class MotifNetwork(nn.Module):
    """The log-odds of "yes" are 4 * (matches - 4) - 1 at the best place, and -1 if it has fewer than 4 matches."""

    def __init__(self, motif=MOTIF):
        super().__init__()
        self.read = OneHot()
        self.trunk = Trunk(filters=(1,), widths=(len(motif),), pools=(1,), normalise=False)
        self.pool = GlobalPooling()
        self.answer = nn.Linear(2, 2)
        with torch.no_grad():
            bases = torch.tensor(["ACGT".index(letter) for letter in motif])
            self.trunk.features[0].convolve.weight.copy_(nn.functional.one_hot(bases, 4).T[None].float())
            self.trunk.features[0].convolve.bias.fill_(2.0 - len(motif))
            self.answer.weight.copy_(torch.tensor([[0.0, 0.0], [4.0, 0.0]]))
            self.answer.bias.copy_(torch.tensor([1.0, 0.0]))

    def forward(self, letters):
        return self.head(*self.trunk(self.read(letters)))

    def head(self, features, mask):
        return self.answer(self.pool(features, mask))


def texts(count, length, seed=0):
    generator = np.random.default_rng(seed)
    return ["".join(generator.choice(list("ACGT"), length)) for _ in range(count)]


def encoded(sequences, length=None, **settings):
    codes = [encode_nucleotides(text, where="a test") for text in sequences]
    length = length or max(map(len, codes), default=10)
    return SequenceEncoder(length, **settings).encode(Sequences.from_codes(codes))


def planted(count, length, motif=MOTIF, seed=0):
    """Plant a motif once in each of some sequences; return them, and where it starts."""
    generator = np.random.default_rng(seed)
    starts = generator.integers(0, length - len(motif) + 1, size=count)
    return [
        text[:start] + motif + text[start + len(motif) :]
        for text, start in zip(texts(count, length, seed), starts, strict=True)
    ], starts


def predictor(*networks, task=None):
    return Predictor(task or Task("binary", ("no", "yes")), None, networks, NoCalibration())


def louder(network, factor=3.0, seed=0):
    """Give a network weights whose answers differ."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            constant = parameter.numel() == 1 or parameter.std() == 0
            parameter.copy_(parameter + 0.3 * noise if constant else factor * parameter.std() * noise)
    return network.eval()


@pytest.fixture(scope="session")
def known():
    return SimpleNamespace(
        MOTIF=MOTIF,
        MotifNetwork=MotifNetwork,
        texts=texts,
        encoded=encoded,
        planted=planted,
        predictor=predictor,
        louder=louder,
    )
