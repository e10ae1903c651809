"""Teach trained models something new: new classes, new data, a third step, and what is refused."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

import primase
from primase.apps.discovery import application_named
from primase.errors import InputError
from primase.remaking import extending

ENZYMES = "enzyme-identification"
FAMILIES = {"A": ("F1", "F2"), "B": ("F3", "F4"), "C": ("F1", "F3"), "D": ("F2", "F4"), "E": ("F1", "F4")}
QUICK = {"epochs": 12, "patience": 12, "batch_size": 32, "learning_rate": 0.01, "members": 1}


def table(path, labels, count=80, seed=0, **columns):
    """Write proteins of which every class has two families, in which classes overlap, and some by chance."""
    generator = np.random.default_rng(seed)
    rows = []
    for label in labels:
        for _ in range(count):
            chance = [f"N{number}" for number in generator.integers(30, size=3)]
            rows.append((label, ";".join(generator.permutation([*FAMILIES[label], *chance]))))
    order = generator.permutation(len(rows))
    frame = pl.DataFrame(
        {
            "id": [f"p{seed}-{number}" for number in range(len(rows))],
            "target": [rows[place][0] for place in order],
            "domains": [rows[place][1] for place in order],
            **columns,
        }
    )
    frame.write_csv(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("extending")


@pytest.fixture(scope="module")
def first(folder):
    """A model of two classes."""
    path = table(folder / "first.csv", "AB")
    return primase.train(ENZYMES, table=path, split="random", out=folder / "first", **QUICK).path


@pytest.fixture(scope="module")
def icarl(first, folder):
    """It has learned two more classes, beside floor and ceiling."""
    path = table(folder / "second.csv", "CD", seed=1)
    return primase.extend(
        first, method="icarl", exemplars=8, compare=True, table=path, split="random", out=folder / "icarl"
    )


def told(run):
    return run.metrics["forgetting"]


def test_icarl_learns_new_classes_and_keeps_the_old(icarl):
    (after,) = [step["figures"] for step in told(icarl)["steps"][1:]]
    naive, joint = (told(icarl)["beside"][name]["figures"] for name in ("naive", "joint"))
    assert naive[0] < 0.2
    assert after[0] > naive[0] + 0.3
    assert np.mean(joint) > 0.8
    assert np.mean(after) > np.mean(naive)


def test_what_is_told_can_be_computed_again(icarl):
    steps = [step["figures"] for step in told(icarl)["steps"]]
    assert [len(row) for row in steps] == [1, 2]
    assert told(icarl)["transfer"]["forgetting"] == pytest.approx(steps[0][0] - steps[1][0], abs=1e-5)
    assert told(icarl)["transfer"]["average"] == pytest.approx(np.mean(steps[1]), abs=1e-5)


def test_the_extended_model_is_a_bundle_like_any_other(icarl, folder, tmp_path):
    model = primase.load(icarl.path)
    assert model.predictor.task.labels == ("A", "B", "C", "D")
    predictions = model.predict(folder / "second.csv")
    assert {f"probability_{label}" for label in "ABCD"} <= set(predictions.columns)
    evaluation = model.evaluate(tmp_path / "judged", table=folder / "second.csv")
    assert "accuracy" in evaluation.test
    model.explain(folder / "second.csv", tmp_path / "explained")
    report = (icarl.path / "report.html").read_text(encoding="utf-8")
    assert "What did it forget?" in report
    assert "<span>extend</span>" in report
    assert "<span>--exemplars</span> <span>8</span>" in report


def test_members_cover_old_and_new(icarl, first):
    members = pl.read_parquet(icarl.path / "members.parquet")
    before = pl.read_parquet(first / "members.parquet")
    assert len(members) == 320
    both = before.join(members, on=["id", "input_hash"], suffix="_now")
    assert len(both) == len(before)
    assert (both["part"] == both["part_now"]).all()
    assert icarl.metrics["split"]["sizes"]["test"] == (members["part"] == "test").sum()


def test_a_third_step_needs_no_old_data(icarl, folder, tmp_path):
    moved = tmp_path / "bundle"
    shutil.copytree(icarl.path, moved)
    for name in ("first.csv", "second.csv"):
        (folder / name).rename(folder / f"{name}.gone")
    try:
        path = table(tmp_path / "third.csv", "E", seed=2)
        with pytest.raises(InputError, match="--new-labels"):
            primase.extend(moved, table=path, split="random", out=tmp_path / "refused")
        run = primase.extend(moved, table=path, new_labels=("E",), method="ewc", split="random", out=tmp_path / "third")
        with pytest.raises(InputError, match="cannot be read again"):
            primase.extend(moved, table=path, new_labels=("E",), method="joint", out=tmp_path / "refused")
        with pytest.raises(InputError, match=r"no longer there|no such file"):
            primase.compress(moved, method="quantise", out=tmp_path / "refused")
    finally:
        for name in ("first.csv", "second.csv"):
            (folder / f"{name}.gone").rename(folder / name)
    with pytest.raises(InputError, match="extended where the old data were not at hand"):
        primase.compress(run.path, method="quantise", out=tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    assert [len(step["figures"]) for step in told(run)["steps"]] == [1, 2, 3]
    assert primase.load(run.path).predictor.task.labels == ("A", "B", "C", "D", "E")
    members = pl.read_parquet(run.path / "members.parquet")
    assert len(members) == 400
    assert "The old data were not at hand" in (run.path / "report.html").read_text(encoding="utf-8")


def test_an_extended_model_can_be_compressed_and_that_once_more(icarl, folder, tmp_path):
    once = primase.compress(icarl.path, method="quantise", out=tmp_path / "once")
    assert once.metrics["compression"]["agreement"]["same_answer"] > 0.9
    before, after = (pl.read_parquet(path / "members.parquet").sort("id") for path in (icarl.path, once.path))
    assert before.select("id", "input_hash", "part").equals(after.select("id", "input_hash", "part"))
    primase.compress(once.path, method="low-rank", rank=2, epochs=1, out=tmp_path / "twice")
    assert primase.load(tmp_path / "twice").predictor.task.labels == ("A", "B", "C", "D")
    assert primase.export(once.path, out=tmp_path / "model.onnx").difference < 1e-4
    with pytest.raises(InputError, match="cannot be named anew"):
        primase.compress(icarl.path, method="quantise", table=folder / "second.csv", out=tmp_path / "refused")
    (once.path / "learned.json").write_text("{")
    with pytest.raises(InputError, match=r"learned\.json"):
        primase.compress(once.path, method="quantise", out=tmp_path / "refused")


def test_ewc_keeps_more_than_nothing_does(first, folder, tmp_path):
    path = table(tmp_path / "new.csv", "CD", seed=3)
    run = primase.extend(first, method="ewc", compare=True, table=path, split="random", out=tmp_path / "ewc")
    assert told(run)["steps"][-1]["figures"][0] > told(run)["beside"]["naive"]["figures"][0] + 0.3


def test_the_same_seed_gives_the_same_model(first, folder, tmp_path):
    runs = [
        primase.extend(first, method="dual-memory", table=folder / "second.csv", split="random", out=tmp_path / name)
        for name in ("one", "two")
    ]
    assert told(runs[0])["steps"] == told(runs[1])["steps"]
    content = [(run.path / "member-1.safetensors").read_bytes() for run in runs]
    assert content[0] == content[1]


def test_new_examples_of_known_classes(first, tmp_path):
    path, parent = table(tmp_path / "more.csv", "AB", count=40, seed=5), tmp_path / "first"
    shutil.copytree(first, parent)
    # What a model has seen that this one was trained from.
    ancestors = pl.DataFrame({"input_hash": ["0" * 64]})
    ancestors.write_parquet(parent / "ancestors.parquet")
    run = primase.extend(parent, method="ewc", table=path, split="random", out=tmp_path / "more")
    assert pl.read_parquet(run.path / "ancestors.parquet").equals(ancestors)
    assert primase.load(run.path).predictor.task.kind == "binary"
    assert told(run)["transfer"]["forward"] is not None


def test_it_is_told_that_remedies_of_training_are_left_out(tmp_path):
    old, new = table(tmp_path / "old.csv", "AB"), table(tmp_path / "new.csv", "AB", count=40, seed=8)
    quick = {**QUICK, "epochs": 1, "split": "random"}
    parent = primase.train(ENZYMES, table=old, out=tmp_path / "first", imbalance="weighted", **quick).path
    run = primase.extend(parent, method="ewc", table=new, out=tmp_path / "more", split="random")
    assert run.model.configuration.remedies.imbalance == "none"
    (told_of,) = [finding for finding in run.metrics["audit"] if finding["finding"] == "remedies left out"]
    assert "imbalance" in told_of["text"]


def test_what_was_met_before_stays_in_its_part(first, folder, tmp_path):
    mixed = pl.concat([pl.read_csv(folder / "first.csv"), pl.read_csv(table(tmp_path / "new.csv", "AB", seed=6))])
    mixed.write_csv(tmp_path / "mixed.csv")
    run = primase.extend(first, method="naive", table=tmp_path / "mixed.csv", split="random", out=tmp_path / "out")
    before = pl.read_parquet(first / "members.parquet").select("input_hash", "part").unique()
    now = pl.read_parquet(run.path / "members.parquet").join(before, on="input_hash", suffix="_before")
    assert len(now) >= 320
    assert (now["part"] == now["part_before"]).all()
    assert any(finding["finding"] == "met before" for finding in run.metrics["audit"])


def test_remembering_is_what_the_first_extension_would_gather(first, folder, tmp_path):
    moved = tmp_path / "bundle"
    shutil.copytree(first, moved)
    extending.remember(moved, exemplars=8)
    words = json.loads((moved / "memory.json").read_text(encoding="utf-8"))
    assert [step["method"] for step in words["steps"]] == ["train"]
    with pytest.raises(InputError, match="remembers already"):
        extending.remember(moved)
    runs = [
        primase.extend(path, method="icarl", exemplars=8, table=folder / "second.csv", split="random", out=out)
        for path, out in ((moved, tmp_path / "one"), (first, tmp_path / "two"))
    ]
    assert told(runs[0])["steps"][-1]["figures"] == told(runs[1])["steps"][-1]["figures"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target_column": "answer"}, r"answer.*--target-column|--target-column.*answer"),
        ({"domains_column": "families"}, "--domains-column"),
        ({"method": "magic"}, r"--method.*magic.*ewc"),
        ({"exemplars": 0}, "--exemplars"),
        ({"strength": -1.0}, "--strength"),
        ({"new_labels": ("A",)}, "not new"),
        ({"mixup": 0.2}, "--mixup: a model that is extended learns without this"),
        ({"colour": "blue"}, "colour: there is no such setting"),
    ],
)
def test_wrong_input_gets_one_message_and_leaves_nothing(first, folder, tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        primase.extend(first, out=tmp_path / "out", **{"table": folder / "second.csv", **settings})
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_extended_is_refused(train_once, rehearse, tmp_path):
    for name in ("protein-interaction", "expression-embedding"):
        run = train_once(name)
        inputs = {key: value for key, value in rehearse(name).settings.items() if key in {"table", "edges", "h5ad"}}
        with pytest.raises(InputError, match="Train anew"):
            primase.extend(run.path, out=tmp_path / "out", **inputs)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("rna-binding", "ewc"),
        ("dna-function", "icarl"),
        ("image-diagnosis", "icarl"),
        ("expression-inference", "dual-memory"),
        ("expression-inference", "icarl"),
        ("expression-inference", "ewc"),
    ],
)
def test_every_application_of_single_examples_learns_new_data(name, method, train_once, rehearse, tmp_path):
    run, settings = train_once(name), rehearse(name).settings
    (tmp_path / "new").mkdir()
    simulated = application_named(name).load().simulate(tmp_path / "new", 120, 7)
    words = list(simulated.inputs)
    inputs = {}
    for flag, value in zip(words[::2], words[1::2], strict=True):
        path = tmp_path / "new" / value
        inputs[flag.removeprefix("--").replace("-", "_")] = path if path.exists() else value
    kept = {key: settings[key] for key in settings if key == "target_column"}
    extended = primase.extend(run.path, method=method, epochs=1, **{**kept, **inputs}, out=tmp_path / "out")
    assert len(told(extended)["steps"]) == 2
    assert all(value is not None for value in told(extended)["steps"][-1]["figures"])
    assert primase.load(extended.path).predictor.task.labels == run.model.predictor.task.labels
