"""What is learned at the end of training of when a model is not to be believed."""

import numpy as np
import pytest
import torch
from torch import nn

from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.evaluation.per_label import uncalibrated
from primase.predictor.predictor import Predictor
from primase.steps.safeguarding import fit_safeguards

BINARY = Task("binary", ("no", "yes"))
WIDTH = 6


class Table:
    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def take(self, indices):
        return Table(self.values[indices])


class Encoded:
    def __init__(self, values):
        self.values = torch.from_numpy(values).float()

    def __len__(self):
        return len(self.values)

    def batch(self, indices):
        return {"values": self.values[torch.from_numpy(indices)]}


class Encoder:
    def encode(self, inputs):
        return Encoded(inputs.values)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.read = 0
        self.answer = nn.Linear(WIDTH, 2)

    def forward(self, values):
        self.read += len(values)
        return self.answer(values)


OF_ONE = 2 * WIDTH * 2
"""Operations: a multiplication and an addition for each weight."""


@pytest.mark.parametrize(("work", "looked_at"), [(10**9, 1000), (500 * OF_ONE, 500), (1, 200)])
def test_so_few_examples_are_looked_at_that_it_takes_little_time(monkeypatch, work, looked_at):
    monkeypatch.setattr("primase.steps.safeguarding._MOST_WORK", work)
    generator, network = np.random.default_rng(0), Network()
    parts = {}
    for part, count in {"train": 1500, "validation": 1200}.items():
        values, ids = generator.normal(size=(count, WIDTH)), np.arange(count).astype(str)
        parts[part] = Examples(ids, Table(values), generator.integers(0, 2, count))
    predictor = Predictor(BINARY, Encoder(), (network,), uncalibrated(BINARY))
    truth = parts["validation"].targets
    outputs = generator.normal(size=(len(truth), 2))
    found = fit_safeguards(
        predictor, parts, outputs, truth, units=np.arange(len(truth)), remedies={"calibration": "platt"}, seed=0
    )
    assert len(found.familiarity.reference) == looked_at
    assert network.read <= 2 * looked_at + 10
    assert found.sets is None
    assert not found.prevalence.changes
