"""What is particular about RNA binding; what every application must do is in tests/contract."""

import importlib
import json

import numpy as np
import polars as pl
import pytest
import torch

from primase.apps.rna_binding.app import APP, RnaConfiguration
from primase.apps.rna_binding.datasets import DATASETS
from primase.apps.rna_binding.model import RnaMapNetwork, RnaNetwork
from primase.apps.rna_binding.sources import SOURCES, WORDS
from primase.configuration import configure, options
from primase.data.sequences import SequenceEncoder
from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.events import silent

primase = importlib.import_module("primase")  # the rooms above are not imported from here

TASK = Task("binary", ("not bound", "bound"))
SMALL = {"epochs": 1, "filters": (8, 8, 8)}


def letters(count, length=60, seed=0):
    return ["".join(row) for row in np.random.default_rng(seed).choice(list("ACGU"), (count, length))]


def fasta(path, texts, name):
    path.write_text("".join(f">{name}_{number}\n{text}\n" for number, text in enumerate(texts)))
    return path


def test_rna_has_one_strand():
    with pytest.raises(ConfigurationError, match=r"RNA is one strand, .* use dna-function for DNA"):
        configure(RnaConfiguration, {"both_strands": True})
    assert configure(RnaConfiguration, {"both_strands": False}) == RnaConfiguration()
    assert APP.load().rna


@pytest.mark.parametrize(("convolution", "network"), [("1d", RnaNetwork), ("2d", RnaMapNetwork)])
@pytest.mark.parametrize("case", [False, True])
def test_both_networks_read_letters(convolution, network, case):
    configuration = configure(RnaConfiguration, {"convolution": convolution, "filters": "8,8,8", "hidden": 6})
    made = APP.load().network(SequenceEncoder(40, case=case), TASK, configuration).eval()
    assert isinstance(made, network)
    codes = torch.randint(1, 32, (3, 40), dtype=torch.uint8)
    assert made(codes).shape == (3, 2)
    sees_case = not torch.allclose(made(codes), made(codes ^ 16))
    assert sees_case == case


def test_every_setting_of_the_network_is_used():
    workflow, encoder = APP.load(), SequenceEncoder(64)
    plain = str(workflow.network(encoder, TASK, RnaConfiguration()))
    for name, value in {
        "filters": (8, 8, 8),
        "widths": (7, 3, 3),
        "pools": (1, 1, 1),
        "residual_blocks": 2,
        "dropout": 0.1,
    }.items():
        assert str(workflow.network(encoder, TASK, configure(RnaConfiguration, {name: value}))) != plain, name
    paper = configure(RnaConfiguration, {"convolution": "2d"})
    for name, value in {"hidden": 8, "filters": (9, 9, 9), "widths": (7, 3, 3), "dropout": 0.1}.items():
        changed = configure(RnaConfiguration, {"convolution": "2d", name: value})
        assert str(workflow.network(encoder, TASK, changed)) != str(workflow.network(encoder, TASK, paper)), name


def test_every_data_set_is_read_by_words_that_exist():
    known = options(RnaConfiguration)
    for source in SOURCES:
        if source.name in WORDS:
            assert source.name in DATASETS
            assert len(WORDS[source.name]) == len(source.files)
            assert set(WORDS[source.name]) <= set(known)


@pytest.mark.parametrize("name", [source.name for source in SOURCES if source.name in WORDS])
def test_real_data_are_read_as_they_are_described(mirror, name):
    labelled = APP.load().read(configure(RnaConfiguration, {"dataset": name}), None, silent)
    examples = labelled.examples
    assert labelled.task == TASK
    assert (set(examples.parts) if len(WORDS[name]) > 2 else examples.parts) in ({"train", "test"}, None)
    assert set(np.unique(examples.targets)) == {0, 1}
    assert examples.inputs.places.known.mean() > 0.99


def test_overlaps_with_training_are_told_apart(tmp_path):
    texts = letters(160)
    shared = [text[25:] + other[:25] for text, other in zip(texts[:10], letters(10, seed=1), strict=True)]
    given = {
        "positives": fasta(tmp_path / "p.fa", texts[:60], "p"),
        "negatives": fasta(tmp_path / "n.fa", texts[60:120], "n"),
        "test_positives": fasta(tmp_path / "tp.fa", [*shared, *texts[120:130]], "tp"),
        "test_negatives": fasta(tmp_path / "tn.fa", texts[130:150], "tn"),
    }
    run = primase.train(APP.name, out=tmp_path / "model", **given, **SMALL)
    assert run.metrics["split"]["policy"] == "given"
    finding = next(one for one in run.metrics["audit"] if one["finding"] == "overlap across the split")
    assert (finding["count"], finding["severity"]) == (10, "warning")
    assert "10 of 40 test sequences (25.0%)" in finding["text"]
    assert run.metrics["subsets"].keys() >= {"overlapping a training window", "not overlapping a training window"}
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "not overlapping a training window" in page
    predicted = pl.read_parquet(run.path / "predictions.parquet")
    assert json.loads((run.path / "bundle.json").read_text())["task"]["labels"] == list(TASK.labels)
    assert len(predicted.filter(pl.col("part") == "test")) == 40


def test_masked_borders_are_masked_in_prediction_too(tmp_path):
    texts = letters(60, 40)
    pair = {
        "positives": fasta(tmp_path / "p.fa", texts[:30], "p"),
        "negatives": fasta(tmp_path / "n.fa", texts[30:], "n"),
    }
    run = primase.train(APP.name, out=tmp_path / "model", **pair, **SMALL, mask_borders=5)
    first = fasta(tmp_path / "x.fa", texts[:5], "x")
    second = fasta(tmp_path / "y.fa", [f"AAAAA{text[5:-5]}CCCCC" for text in texts[:5]], "x")
    assert run.model.predict(first).equals(run.model.predict(second))
