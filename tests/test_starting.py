"""Training that starts from another model, on simulated data of several applications."""

import hashlib
import json
import shutil

import numpy as np
import polars as pl
import pytest

import primase
from primase.configuration import configure, settings_of
from primase.errors import InputError
from primase.events import Epoch
from primase.pipeline import configuration_of_run
from primase.steps.starting import NOT_SEEN, SEEN
from primase.training.starting import last_layer

STILL = {"learning_rate": 1e-12, "epochs": 1, "members": 1, "freeze": "all-but-last"}
"""What changes nothing of a network, so that it must say what the one said that it started from."""

STARTING = ("rna-binding", "dna-function", "enzyme-identification", "expression-inference", "super-resolution")
RNA = "rna-binding"


def metrics_of(run):
    return json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))


def inputs_of(rehearsal):
    words = [word.lstrip("-").replace("-", "_") for word in rehearsal.truth["inputs"][::2]]
    return {name: rehearsal.settings[name] for name in words}


@pytest.fixture(scope="module")
def other_rna(tmp_path_factory):
    """Write RNA that the simulator has not written before."""
    folder = tmp_path_factory.mktemp("other") / "rna"
    primase_pipeline().simulate(primase_application(RNA), folder, count=100, seed=77)
    return {"positives": folder / "positives.fa", "negatives": folder / "negatives.fa"}


def primase_pipeline():
    from primase import pipeline  # noqa: PLC0415  # beside what the tests import first

    return pipeline


def primase_application(name):
    from primase.apps.discovery import application_named  # noqa: PLC0415

    return application_named(name)


@pytest.mark.parametrize("name", STARTING)
def test_what_does_not_learn_says_what_the_other_said(name, rehearse, train_once, tmp_path):
    rehearsal, parent = rehearse(name), train_once(name)
    settings = {**STILL, **({"learning_rate": 1e-12, "adversarial_epochs": 0} if name == "super-resolution" else {})}
    run = primase.train(name, out=tmp_path / "child", from_model=parent.path, **{**inputs_of(rehearsal), **settings})
    kept = pl.read_parquet(parent.path / "predictions.parquet").filter(pl.col("part") == "test")
    found = pl.read_parquet(run.path / "predictions.parquet").filter(pl.col("part") == "test")
    if run.metrics["task"] == "image":
        assert run.test["psnr"].value == pytest.approx(parent.test["psnr"].value, abs=1e-3)
        return
    assert kept["id"].to_list() == found["id"].to_list()
    before, after = parent.model, run.model
    examples = after.workflow.read_new(after.configuration, before.predictor, lambda _: None).examples
    said = [model.predictor.outputs(examples.inputs) for model in (before, after)]
    np.testing.assert_allclose(said[0], said[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [*STARTING, "image-diagnosis"])
def test_the_last_layer_is_the_one_whose_shape_follows_the_answers(name, train_once):
    model = train_once(name).model
    network, weights = model.predictor.members[0], model.predictor.members[0].state_dict()
    answers = len(model.predictor.task.labels)
    last = last_layer(network)
    own = {key for key in weights if key.rpartition(".")[0] == last}
    assert f"{last}.weight" in own
    if name != "super-resolution":
        assert all(weights[key].shape[0] == answers for key in own)


def test_the_network_is_that_of_the_other_model(train_once, other_rna, tmp_path):
    parent = train_once(RNA)
    application = parent.model.application
    settings = {**other_rna, "from_model": parent.path}
    made = configuration_of_run(application, settings, tmp_path / "x")
    assert made.network == parent.model.configuration.network
    assert made.network != configure(application.configuration, {}).network
    assert made.training.epochs == configure(application.configuration, {}).training.epochs
    other = configuration_of_run(application, {**settings, "dropout": 0.25}, tmp_path / "x")
    assert (other.network.dropout, other.network.filters) == (0.25, made.network.filters)


def test_a_run_tells_what_it_started_from_and_repeats(train_once, other_rna, tmp_path, command_line):
    parent = train_once(RNA)
    words = [word for name, path in other_rna.items() for word in (f"--{name}", path)]
    out = tmp_path / "child"
    done = command_line("train", RNA, *words, "--epochs", 2, "--members", 2, "--from", parent.path, "--out", out)
    assert done.status == 0, done.error
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((parent.path / "bundle.json").read_bytes()).hexdigest()
    facts = json.loads((out / "bundle.json").read_text(encoding="utf-8"))
    assert facts["from"] == {"path": str(parent.path), "sha256": digest}
    assert metrics["start"]["sha256"] == digest
    assert metrics["start"]["values_taken_over"] == metrics["start"]["values"]
    assert {item["finding"]: item["severity"] for item in metrics["audit"]}[SEEN] == "info"
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "What it started from" in report
    assert "--from" in report
    again = primase.train(RNA, config=out / "config.toml", out=tmp_path / "again")
    assert metrics_of(again)["test"] == metrics["test"]


def test_what_is_not_asked_for_is_not_told(train_once):
    metrics = metrics_of(train_once(RNA))
    assert not {"start", "learning_curve", "simulated"} & set(metrics)
    assert SEEN not in {item["finding"] for item in metrics["audit"]}
    assert not (train_once(RNA).path / "ancestors.parquet").exists()


def test_test_examples_that_the_other_model_knows_are_found(rehearse, train_once, tmp_path):
    parent, rehearsal = train_once(RNA), rehearse(RNA)
    settings = {**inputs_of(rehearsal), "epochs": 1, "members": 1, "seed": 3}
    run = primase.train(RNA, out=tmp_path / "child", from_model=parent.path, **settings)
    known = pl.read_parquet(parent.path / "members.parquet").filter(pl.col("part") != "test")
    tested = pl.read_parquet(run.path / "members.parquet").filter(pl.col("part") == "test")
    count = tested["id"].is_in(known["id"].implode()).sum()
    finding = next(item for item in run.metrics["audit"] if item["finding"] == SEEN)
    assert (finding["count"], finding["severity"]) == (count, "warning")
    assert 0 < count < len(tested)
    chosen = pl.read_parquet(run.path / "members.parquet").filter(pl.col("part") == "validation")
    misled = chosen["id"].is_in(known["id"].implode()).sum()
    assert misled > 0
    assert f"{misled:,} of {len(chosen):,} validation examples are among them, too" in finding["text"]
    predictions = pl.read_parquet(run.path / "predictions.parquet").filter(pl.col("part") == "test")
    seen = predictions["id"].is_in(known["id"].implode())
    for name, rows in ((SEEN, predictions.filter(seen)), (NOT_SEEN, predictions.filter(~seen))):
        right = (rows["prediction"] == rows["target"]).mean()
        assert run.metrics["subsets"][name]["accuracy"]["value"] == pytest.approx(right)
    assert "The model that it started from knew part of the test" in (run.path / "report.html").read_text("utf-8")


def test_what_models_before_have_seen_is_never_forgotten(rehearse, train_once, other_rna, tmp_path):
    parent, rehearsal = tmp_path / "parent", rehearse(RNA)
    shutil.copytree(train_once(RNA).path, parent)
    child = primase.train(RNA, out=tmp_path / "child", from_model=parent, epochs=1, members=1, **other_rna)
    shutil.rmtree(parent)
    evaluation = child.path.parent / "evaluation"
    child.model.evaluate(evaluation, **inputs_of(rehearsal))
    told = json.loads((evaluation / "metrics.json").read_text(encoding="utf-8"))["audit"]
    members = pl.read_parquet(train_once(RNA).path / "members.parquet")
    expected = (members["part"] != "test").sum()
    assert next(item for item in told if item["finding"] == "seen in training")["count"] == expected
    settings = {**inputs_of(rehearsal), "epochs": 1, "members": 1}
    grandchild = primase.train(RNA, out=tmp_path / "grandchild", from_model=child.path, **settings)
    assert next(item for item in grandchild.metrics["audit"] if item["finding"] == SEEN)["count"] == 0
    assert settings_of(grandchild.model.configuration)["filters"] == (32, 32, 32)


def test_other_answers_get_a_new_last_layer(rehearse, train_once, tmp_path):
    folder = rehearse(RNA).folder
    records = [
        (name, sequence, kind)
        for kind, path in enumerate(("negatives.fa", "positives.fa"))
        for name, sequence in fasta(folder / path)
    ]
    table = tmp_path / "table.csv"
    generator = np.random.default_rng(0)
    rows = [f"{name},{sequence},{kind},{generator.integers(2)}" for name, sequence, kind in records[::3]]
    table.write_text("id,sequence,bound,another\n" + "\n".join(rows) + "\n")
    run = primase.train(
        RNA,
        out=tmp_path / "child",
        table=table,
        target_column="bound,another",
        from_model=train_once(RNA).path,
        epochs=1,
        members=1,
        freeze="all-but-last",
    )
    assert (run.metrics["start"]["answers_kept"], run.metrics["start"]["answers_new"]) == (1, 1)
    parent, child = (one.model.predictor.members[0].state_dict() for one in (train_once(RNA), run))
    last = run.metrics["start"]["last_layer"]
    for name, value in parent.items():
        if name.rpartition(".")[0] != last:
            assert np.array_equal(value.numpy(), child[name].numpy()), name


def fasta(path):
    for record in path.read_text().split(">")[1:]:
        name, *lines = record.splitlines()
        yield name.split()[0], "".join(lines)


def test_a_parent_that_changed_is_refused_on_resume(train_once, other_rna, tmp_path):
    parent = tmp_path / "parent"
    shutil.copytree(train_once(RNA).path, parent)

    def interrupt(event):
        if isinstance(event, Epoch):
            raise KeyboardInterrupt

    settings = {**other_rna, "from_model": parent, "epochs": 2, "members": 1}
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        primase.train(RNA, out=tmp_path / "child", listener=interrupt, **settings)
    facts = parent / "bundle.json"
    text = facts.read_text(encoding="utf-8")
    facts.write_text(text + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="not the one that the interrupted run started from"):
        primase.train(RNA, out=tmp_path / "child", resume=True, **settings)
    facts.write_text(text, encoding="utf-8")
    resumed = primase.train(RNA, out=tmp_path / "child", resume=True, **settings)
    whole = primase.train(RNA, out=tmp_path / "whole", **settings)
    assert resumed.metrics["test"] == whole.metrics["test"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"filters": (16, 16, 16)}, r"not built like the one .*trunk\.features\.0\..*32 x 4.*here 16 x 4"),
        ({"from_model": "nowhere"}, "no such folder"),
        ({"freeze": "all-but-last", "from_model": None}, "--freeze is for a model that starts from another"),
        ({"lower_rate": 0.5, "from_model": None}, "--lower-rate is for a model that starts from another"),
        ({"lower_rate": 0.5, "freeze": "all-but-last"}, "--lower-rate is for layers that learn"),
    ],
)
def test_what_cannot_be_started_from_is_refused(settings, message, train_once, other_rna, tmp_path):
    chosen = {"from_model": train_once(RNA).path, **other_rna, "epochs": 1, **settings}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    with pytest.raises(InputError, match=message):
        primase.train(RNA, out=tmp_path / "child", **chosen)
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_another_application_is_refused(train_once, rehearse, tmp_path):
    with pytest.raises(InputError, match=r"same application only.*rna-binding.*dna-function"):
        rehearse("dna-function").train(tmp_path / "child", from_model=train_once(RNA).path)


def test_a_network_that_was_changed_after_training_is_no_beginning(train_once, other_rna, tmp_path):
    changed = tmp_path / "smaller"
    shutil.copytree(train_once(RNA).path, changed)
    facts = json.loads((changed / "bundle.json").read_text(encoding="utf-8"))
    facts |= {"schema": 2, "structures": [[{"edit": "factorise", "layer": "head.0", "rank": 2}]]}
    (changed / "bundle.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(InputError, match=r"smaller.*changed after training.*factorise"):
        primase.train(RNA, out=tmp_path / "child", from_model=changed, **other_rna)


@pytest.mark.parametrize("name", ["protein-interaction", "expression-embedding"])
def test_networks_about_single_things_are_no_beginning(name, rehearse, train_once, tmp_path):
    with pytest.raises(InputError, match="no other can start from it"):
        rehearse(name).train(tmp_path / "child", from_model=train_once(name).path)


def test_expression_asks_for_what_the_other_model_knows(rehearse, train_once, tmp_path):
    name = "expression-inference"
    rehearsal, parent = rehearse(name), train_once(name)
    known = parent.model.predictor
    asked = tmp_path / "targets.txt"
    asked.write_text("\n".join(known.task.labels[5::2]) + "\n")
    settings = {**inputs_of(rehearsal), **STILL, "targets": asked}
    run = primase.train(name, out=tmp_path / "child", from_model=parent.path, **settings)
    own = run.model.predictor
    assert set(own.task.labels) < set(known.task.labels)
    examples = run.model.workflow.read_new(run.model.configuration, known, lambda _: None).examples
    rows = [known.task.labels.index(label) for label in own.task.labels]
    np.testing.assert_allclose(known.outputs(examples.inputs)[:, rows], own.outputs(examples.inputs), atol=2e-3)
