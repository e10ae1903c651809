"""`primase compress` and `primase export`, as a user calls them: what they write, what they refuse, what they tell."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

import primase
from primase.apps.discovery import applications
from primase.apps.rna_binding.model import RnaNetwork
from primase.cli.main import primase as command_line
from primase.configuration import configure
from primase.errors import BundleError, InputError, Interrupted
from primase.events import Epoch, silent
from primase.models import load
from primase.nn.structure import Factorised
from primase.predictor.bundle import read_facts

RNA, ENZYMES = "rna-binding", "enzyme-identification"
SMALL = {RNA: {"filters": (16, 16), "widths": (7, 3), "pools": (4, 1)}, ENZYMES: {"hidden": (32, 16)}}


def words_of(folder):
    words = json.loads((folder / "truth.json").read_text())["inputs"]
    names = [word.removeprefix("--").replace("-", "_") for word in words[::2]]
    return {name: folder / value if "." in value else value for name, value in zip(names, words[1::2], strict=True)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train a small model of each of two applications."""
    folder = tmp_path_factory.mktemp("models")
    runner = CliRunner()
    for name, settings in SMALL.items():
        made = runner.invoke(command_line, ["data", "simulate", name, "--count", "200", "--out", str(folder / name)])
        assert made.exit_code == 0, made.output
        primase.train(
            name,
            out=folder / f"{name}-model",
            epochs=2,
            members=2,
            cpu_threads=1,
            **settings,
            **words_of(folder / name),
        )
    return folder


@pytest.mark.parametrize(
    ("application", "settings"),
    [
        (RNA, {"method": "prune", "sparsity": 0.8, "epochs": 1}),
        (RNA, {"method": "prune", "structured": True, "sparsity": 0.5, "epochs": 1}),
        (RNA, {"method": "low-rank", "rank": 2, "epochs": 1}),
        (RNA, {"method": "deep-compression", "epochs": 1, "bits": 3}),
        (ENZYMES, {"method": "quantise"}),
        (ENZYMES, {"method": "distil", "shrink": 2, "epochs": 1}),
        (ENZYMES, {"method": "low-rank", "energy": 0.5, "epochs": 1}),
    ],
)
def test_what_comes_out_is_a_model_like_any_other(trained, tmp_path, application, settings):
    parent, child = trained / f"{application}-model", tmp_path / "child"
    run = primase.compress(parent, out=child, **settings)
    facts = run.metrics["compression"]
    assert facts["size"]["after"]["bytes"] < facts["size"]["before"]["bytes"]
    files = [name for name in read_facts(child)["files"] if name.startswith("member-")]
    assert sum((child / name).stat().st_size for name in files) == facts["size"]["after"]["bytes"]
    assert (child / "report.html").read_text().count("What compression did") >= 1
    for figures in facts["test"].values():
        difference = figures["after"]["value"] - figures["before"]["value"]
        assert figures["difference"]["value"] == pytest.approx(difference, abs=1e-9)
    # What was written is what was judged.
    written = pl.read_parquet(child / "predictions.parquet").filter(pl.col("part") == "test")
    inputs = next(iter(words_of(trained / application).values()))
    found = pl.concat(load(child).predictions(inputs, {}, silent))
    both = written.join(found, on="id", suffix="_again")
    names = [name for name in written.columns if name.startswith("probability")]
    assert len(both)
    for name in names:
        assert np.allclose(both[name], both[f"{name}_again"], atol=1e-5)


def test_the_same_seed_gives_the_same_network(trained, tmp_path):
    for name in ("one", "two"):
        primase.compress(trained / f"{RNA}-model", out=tmp_path / name, method="deep-compression", epochs=1)
    names = [name for name in read_facts(tmp_path / "one")["files"] if name.startswith("member-")]
    assert names == ["member-1.coded", "member-2.coded"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_an_older_primase_refuses_what_it_would_misread(trained, tmp_path):
    assert read_facts(trained / f"{RNA}-model")["schema"] == 1
    primase.compress(trained / f"{RNA}-model", out=tmp_path / "child", method="low-rank", rank=2, epochs=1)
    facts = read_facts(tmp_path / "child")
    assert facts["schema"] == 2
    assert {edit["edit"] for edit in facts["structures"][0]} == {"factorise"}
    network = load(tmp_path / "child").predictor.members[0]
    assert any(isinstance(layer, Factorised) for layer in network.modules())
    facts["structures"][0][0]["rank"] = 10**6
    (tmp_path / "child" / "bundle.json").write_text(json.dumps(facts))
    with pytest.raises(BundleError, match="not one that this version"):
        load(tmp_path / "child")


def test_a_compressed_model_can_be_compressed_again_explained_and_exported(trained, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    primase.compress(trained / f"{RNA}-model", out=first, method="low-rank", rank=3, epochs=1)
    run = primase.compress(first, out=second, method="quantise")
    assert run.metrics["compression"]["agreement"]["same_answer"] > 0.9
    sequences = trained / RNA / "positives.fa"
    load(second).explain(sequences, tmp_path / "why")
    assert (tmp_path / "why" / "attributions.parquet").exists()
    exported = primase.export(second, out=tmp_path / "model.onnx", inputs=sequences)
    assert exported.difference < 1e-4


def test_distillation_makes_one_network_of_several(trained, tmp_path):
    run = primase.compress(
        trained / f"{ENZYMES}-model", out=tmp_path / "child", method="distil", epochs=1, change={"hidden": "12,6"}
    )
    model = load(tmp_path / "child")
    assert model.configuration.network.hidden == (12, 6)
    assert len(model.predictor.members) == 1
    assert run.metrics["compression"]["settings"]["method"] == "distil"


def test_the_command_shows_a_table(trained, tmp_path):
    words = ["compress", str(trained / f"{RNA}-model"), "--method", "quantise", "--out", str(tmp_path / "child")]
    done = CliRunner().invoke(command_line, words, catch_exceptions=False)
    assert done.exit_code == 0
    for title in ("Weights on disk", "Parameters other than zero", "Time for a batch", "AUROC", "Same answer"):
        assert title in done.output
    words = ["export", str(trained / f"{ENZYMES}-model"), "--out", str(tmp_path / "model.onnx")]
    done = CliRunner().invoke(command_line, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert "differs from the bundle by at most" in done.output


def test_data_that_have_moved_can_be_named(trained, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(trained, moved)
    facts = json.loads((moved / f"{RNA}-model" / "bundle.json").read_text())
    for name in ("positives", "negatives"):
        facts["configuration"]["data"][name] = str(tmp_path / "gone" / f"{name}.fa")
    (moved / f"{RNA}-model" / "bundle.json").write_text(json.dumps(facts))
    for verb in (
        lambda: primase.compress(moved / f"{RNA}-model", out=tmp_path / "a", method="quantise"),
        lambda: primase.export(moved / f"{RNA}-model", out=tmp_path / "a.onnx"),
    ):
        with pytest.raises(InputError, match=r"gone/positives\.fa: the data .* no longer there.*--positives FILE"):
            verb()
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "a.partial").exists()
    words = words_of(moved / RNA)
    primase.compress(moved / f"{RNA}-model", out=tmp_path / "a", method="quantise", **words)
    assert (tmp_path / "a" / "bundle.json").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "--method: how is the network to be made smaller.*prune, quantise"),
        ({"method": "magic"}, "--method.*Found: magic"),
        ({"method": "low-rank", "rank": 0}, "--rank.*Found: 0"),
        ({"method": "low-rank", "rank": 10**6}, "--rank: no layer would get smaller"),
        ({"method": "prune", "sparsity": 1.0}, "--sparsity.*Found: 1.0"),
        ({"method": "prune", "sparsity": 0.0}, "--sparsity.*Found: 0.0"),
        ({"method": "quantise", "structured": True}, "--structured is for --method prune"),
        ({"method": "quantise", "rank": 3}, "--rank is for --method low-rank, and not for quantise"),
        ({"method": "distil", "sparsity": 0.5}, "--sparsity is for --method prune and deep-compression"),
        ({"method": "prune", "change": {"hidden": 3}}, "--set: only distillation"),
        ({"method": "distil", "change": {"seed": 3}}, "--set seed: this is no setting of the network"),
        ({"method": "distil", "bits": 9}, "--bits.*Found: 9"),
        ({"method": "prune", "nonsense": 9}, "nonsense: there is no such setting"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_left(trained, tmp_path, settings, said):
    with pytest.raises(InputError, match=said):
        primase.compress(trained / f"{RNA}-model", out=tmp_path / "child", **settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("out", "settings", "said"),
    [
        ("model.pt", {}, "none of ONNX by its name"),
        ("nowhere/model.onnx", {}, "folder does not exist"),
        ("model.onnx", {"format": "tflite"}, "--format: there is no such format"),
    ],
)
def test_an_export_that_cannot_be_is_refused(trained, tmp_path, out, settings, said):
    with pytest.raises(InputError, match=said):
        primase.export(trained / f"{RNA}-model", out=tmp_path / out, **settings)
    assert list(tmp_path.iterdir()) == []


def test_compact_convolutions_have_fewer_weights_and_see_as_far():
    full, compact = RnaNetwork(), RnaNetwork(compact=True)
    counts = [sum(parameter.numel() for parameter in network.parameters()) for network in (full, compact)]
    assert counts[1] < counts[0] / 3
    assert compact.trunk.receptive_field == full.trunk.receptive_field
    with pytest.raises(InputError, match="--compact: the first convolution stays whole"):
        RnaNetwork(filters=(8,), widths=(5,), pools=(2,), compact=True)


def test_an_interrupted_compression_goes_on_where_it_stopped(trained, tmp_path):
    epochs = []

    def interrupting(event):
        if isinstance(event, Epoch):
            epochs.append(event)
            if len(epochs) == 3:
                raise Interrupted(2)

    settings = {"method": "low-rank", "rank": 2, "epochs": 2}
    with pytest.raises(Interrupted):
        primase.compress(trained / f"{RNA}-model", out=tmp_path / "stopped", listener=interrupting, **settings)
    assert not (tmp_path / "stopped").exists()
    with pytest.raises(InputError, match="--resume"):
        primase.compress(trained / f"{RNA}-model", out=tmp_path / "stopped", **settings)
    again = []
    primase.compress(trained / f"{RNA}-model", out=tmp_path / "stopped", resume=True, listener=again.append, **settings)
    primase.compress(trained / f"{RNA}-model", out=tmp_path / "whole", **settings)
    assert 0 < sum(isinstance(event, Epoch) for event in again) < 4
    for name in ("member-1.safetensors", "member-2.safetensors"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("application", [ENZYMES, "protein-interaction"])
def test_every_layer_has_a_unit(application):
    with pytest.raises(InputError, match=r"--hidden.*Found: 0"):
        configure(applications()[application].configuration, {"hidden": (8, 0)})
