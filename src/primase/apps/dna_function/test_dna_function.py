"""What is particular about DNA function; what every application must do is in tests/contract."""

import importlib

import numpy as np
import pytest
import torch

from primase.apps.dna_function.app import APP, PRESETS, DnaConfiguration, DnaNetworkSection
from primase.apps.dna_function.datasets import CONTEXT_BP, DATASETS
from primase.apps.dna_function.model import DnaNetwork
from primase.apps.dna_function.sources import SOURCES, TARGET_COLUMNS, WORDS, YEAST_GENOME, YEAST_HISTONE_MARKS
from primase.bio.nucleotides import reverse_complement
from primase.configuration import configure, options
from primase.data.fetch import locate
from primase.data.sequences import SequenceEncoder
from primase.data.tasks import Task
from primase.events import silent
from primase.nn.strands import BothStrands

primase = importlib.import_module("primase")  # the rooms above are not imported from here

TASK = Task("multilabel", ("a", "b", "c"))


def network(*, length=64, case=False, **settings):
    torch.manual_seed(0)
    return APP.load().network(SequenceEncoder(length, case=case), TASK, configure(DnaConfiguration, settings)).eval()


def codes(count, length, seed=0):
    return np.random.default_rng(seed).choice(np.array([1, 2, 4, 8], dtype=np.uint8), (count, length))


def read(name):
    return APP.load().read(configure(DnaConfiguration, {"dataset": name}), None, silent)


# The network


def test_presets_are_the_sizes_where_nothing_else_is_said():
    assert DnaNetworkSection().sizes() == PRESETS["small"]
    assert DnaNetworkSection(preset="danq").sizes() == PRESETS["danq"]
    mixed = DnaNetworkSection(preset="danq", units=7, head="attention", hidden=0).sizes()
    assert mixed == {**PRESETS["danq"], "units": 7, "head": "attention", "hidden": 0}


def test_danq_has_the_layers_of_the_paper():
    made = network(length=1000, preset="danq", both_strands=False)
    assert isinstance(made, DnaNetwork)
    shapes = {name: tuple(weights.shape) for name, weights in made.named_parameters()}
    assert (320, 4, 26) in shapes.values()
    # A bidirectional LSTM of 320 reads 320 filters; the dense layer reads its 75 places.
    assert (4 * 320, 320) in shapes.values()
    assert (925, 75 * 640) in shapes.values()
    assert (3, 925) in shapes.values()


def test_the_two_strands_have_one_answer_unless_told_otherwise():
    some = codes(4, 64)
    both, one = (torch.from_numpy(letters.copy()) for letters in (some, reverse_complement(some)))
    assert isinstance(network(), BothStrands)
    torch.testing.assert_close(network()(both), network()(one))
    forward = network(both_strands=False)
    assert isinstance(forward, DnaNetwork)
    assert not torch.allclose(forward(both), forward(one))


@pytest.mark.parametrize("recurrence", ["lstm", "gru", "none"])
@pytest.mark.parametrize("head", ["flat", "global", "attention"])
def test_layers_can_be_chosen(recurrence, head):
    made = network(recurrence=recurrence, head=head, pooling="average", residual_blocks=1, case=True)
    letters = torch.from_numpy(codes(2, 64))
    assert made(letters).shape == (2, 3)
    assert not torch.allclose(made(letters), made(letters | 16))


def test_every_setting_of_the_network_is_used():
    changes = {"filters": (8, 8), "widths": (7, 3), "pools": (2, 2), "pooling": "average", "residual_blocks": 1}
    changes |= {"recurrence": "gru", "units": 8, "head": "flat", "hidden": 8, "dropout": (0.1, 0.1), "shift": 9}
    changes |= {"both_strands": False, "preset": "danq", "compact": True}
    assert changes.keys() == DnaNetworkSection.model_fields.keys()
    plain = network()
    for name, value in changes.items():
        made = network(**{name: value})
        differs = str(made) != str(plain)
        if name == "shift":
            differs = 9 in [module.shift for module in made.modules() if hasattr(module, "shift")]
        assert differs, name


# Data sets


def test_every_data_set_is_read_by_words_that_exist():
    known = options(DnaConfiguration)
    for source in SOURCES:
        assert source.name in DATASETS
        if source is not YEAST_GENOME:
            assert len(WORDS[source.name]) == len(source.files)
            assert set(WORDS[source.name]) <= set(known)
            assert TARGET_COLUMNS[source.name]


def test_the_yeast_genome():
    if any(location.state == "missing" for location in locate(YEAST_GENOME).values()):
        pytest.skip(f"{YEAST_GENOME.name} has not been fetched")
    labelled = read(YEAST_GENOME.name)
    examples, task = labelled.examples, labelled.task
    sequences = examples.inputs
    assert task.kind == "multilabel"
    assert set(task.labels) >= {"coding", "promoter", "tRNA"} or len(task.labels) > 5
    assert len(set(sequences.places.chromosomes)) == 16
    assert (sequences.places.ends - sequences.places.starts == 200).all()
    assert (sequences.lengths == CONTEXT_BP).all()
    assert len(set(examples.ids)) == len(examples) > 50_000
    assert set(np.unique(examples.targets)) == {0, 1}
    # What is widened to the context is the genome itself, so that windows beside each other share letters.
    first, second = sequences.codes(100), sequences.codes(101)
    step = int(sequences.starts[101] - sequences.starts[100])
    assert np.array_equal(first[step:], second[: CONTEXT_BP - step])


@pytest.mark.parametrize("name", [source.name for source in SOURCES if source is not YEAST_GENOME])
def test_real_data_are_read_as_they_are_described(mirror, name):
    labelled = read(name)
    examples = labelled.examples
    assert set(np.unique(examples.targets)) <= {-1, 0, 1}
    if name == YEAST_HISTONE_MARKS.name:
        assert labelled.task.labels == TARGET_COLUMNS[name]
        assert len(examples) == 32_053
        assert (examples.inputs.lengths == 500).all()
        assert set(examples.groups) == {"overlap_group"}
    else:
        assert labelled.task.kind == "binary"
        assert set(examples.parts) == {"train", "validation", "test"}


def test_chromosomes_keep_what_lies_on_them_together(tmp_path):
    generator = np.random.default_rng(0)
    rows = ["id\tsequence\tchromosome\tstart\tend\ttarget"]
    for number in range(120):
        text = "".join(generator.choice(list("ACGT"), 50))
        rows.append(f"s{number}\t{text}\tchr{number % 6}\t{number * 100}\t{number * 100 + 50}\t{number // 6 % 2}")
    (tmp_path / "t.tsv").write_text("\n".join(rows) + "\n")
    small = {"epochs": 1, "filters": (8, 8), "units": 4}
    run = primase.train(APP.name, out=tmp_path / "model", table=tmp_path / "t.tsv", **small)
    assert run.metrics["split"]["policy"] == "chromosome"
    assert run.metrics["split"]["sizes"] == {"train": 80, "validation": 20, "test": 20}
    table = run.model.predict(tmp_path / "t.tsv")
    assert {"chromosome", "start", "end", "strand", "length", "letters_read"} <= set(table.columns)
