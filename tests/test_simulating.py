"""Simulated examples beside the user's own: in the training part, and nowhere else."""

import importlib
import json

import numpy as np
import polars as pl
import pytest

from primase.configuration import configure
from primase.data.examples import Examples
from primase.data.sequences import Sequences
from primase.errors import InputError
from primase.steps.simulating import joined_examples

primase = importlib.import_module("primase")
pipeline = importlib.import_module("primase.pipeline")


def audited(rehearsal, **settings):
    configuration = configure(rehearsal.application.configuration, {**rehearsal.settings, **settings})
    return pipeline.audit(rehearsal.application, configuration)


@pytest.mark.parametrize("name", ["rna-binding", "enzyme-identification", "image-diagnosis", "super-resolution"])
def test_they_are_trained_on_and_never_judged_on(name, rehearse):
    rehearsal = rehearse(name)
    own, both = audited(rehearsal), audited(rehearsal, simulated=30)
    added = len(both.labelled.examples) - len(own.labelled.examples)
    assert added > 0
    assert both.simulated.count == added
    first = len(own.labelled.examples)
    assert set(both.partition.train) == {*own.partition.train, *range(first, first + added)}
    for part in ("validation", "test"):
        assert np.array_equal(both.partition.part(part), own.partition.part(part))
    ids = both.labelled.examples.ids.astype(str)
    assert len(set(ids)) == len(set(own.labelled.examples.ids.astype(str))) + len(set(ids[first:]))
    assert all(name.startswith("simulated-") for name in ids[first:])
    assert len(set(both.partition.units[first:]) & set(both.partition.units[:first])) == 0
    assert both.findings[: len(own.findings)] == own.findings


def test_the_bundle_and_the_report_say_so(rehearse, tmp_path):
    run = rehearse("rna-binding").train(tmp_path / "model", simulated=40, epochs=1)
    members = pl.read_parquet(run.path / "members.parquet")
    made = members.filter(pl.col("id").str.starts_with("simulated-"))
    assert made["part"].unique().to_list() == ["train"]
    assert run.metrics["simulated"]["count"] == len(made) == 40
    assert "Part of the training was simulated" in (run.path / "report.html").read_text(encoding="utf-8")
    assert json.loads((run.path / "bundle.json").read_text(encoding="utf-8"))["configuration"]["training"]["simulated"]
    again = primase.train("rna-binding", config=run.path / "config.toml", out=tmp_path / "again")
    assert again.metrics["test"] == run.metrics["test"]


def test_they_are_not_those_that_the_user_has(rehearse):
    """Registered simulated data come of the same simulator: their test must not be drawn again."""
    both = audited(rehearse("rna-binding"), simulated=200, seed=1)
    texts = both.fingerprints.astype(str)
    first = both.simulated.first
    assert not set(texts[:first]) & set(texts[first:])


@pytest.mark.parametrize("name", ["expression-inference", "expression-embedding", "protein-interaction"])
def test_what_does_not_fit_is_refused(name, rehearse):
    with pytest.raises(InputError, match=r"does not fit these data.*--simulated"):
        audited(rehearse(name), simulated=30)


def test_other_answers_do_not_fit(rehearse, tmp_path):
    rehearsal = rehearse("dna-function")
    table = tmp_path / "table.csv"
    generator = np.random.default_rng(0)
    rows = ["".join(row) for row in generator.choice(list("ACGT"), (60, 80))]
    table.write_text("id,sequence,mine\n" + "".join(f"s{n},{row},{n % 2}\n" for n, row in enumerate(rows)))
    with pytest.raises(InputError, match=r"does not fit these data"):
        audited(rehearsal, table=table, target_column="mine", simulated=30)


def test_joined_examples_keep_what_is_known():
    own = Examples(
        ids=np.array(["simulated-a", "b"], dtype=object),
        inputs=Sequences.from_codes([np.array([1, 2], dtype=np.uint8), np.array([3], dtype=np.uint8)]),
        targets=np.array([0, 1]),
        groups={"patient": np.array([4, 4])},
        parts=np.array(["train", "test"], dtype=object),
        covariates={"age": np.array([1.0, 2.0]), "batch": np.array(["x", "y"], dtype=object)},
    )
    made = Examples(ids=np.array(["a"], dtype=object), inputs=own.inputs.take(np.array([0])), targets=np.array([1]))
    found = joined_examples(own, made)
    assert found.ids.tolist() == ["simulated-a", "b", "simulated-simulated-a"]
    assert found.groups["patient"].tolist() == [4, 4, 5]
    assert found.parts.tolist() == ["train", "test", "train"]
    assert np.isnan(found.covariates["age"][2])
    assert found.covariates["batch"].tolist() == ["x", "y", ""]
