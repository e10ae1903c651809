"""What is particular about protein interaction; what every application must do is in tests/contract."""

import importlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from primase.apps.protein_interaction.app import APP
from primase.apps.protein_interaction.simulator import simulate
from primase.bio.graphs import Graph
from primase.configuration import configure
from primase.data.negatives import uniform_negatives
from primase.errors import InputError
from primase.evaluation.assessment import assess, fit_rivals
from primase.events import silent

primase = importlib.import_module("primase")  # the rooms above are not imported from here
pipeline = importlib.import_module("primase.pipeline")

SMALL = {"epochs": 2, "members": 1, "hidden": (8, 8), "folds": 2, "spectral": 8}
DISJOINT = {**SMALL, "epochs": 5, "split": "node-disjoint", "spectral": 0, "encoder": "sage", "hidden": (16, 16)}


def write_pairs(path, pairs):
    path.write_text("protein_a\tprotein_b\n" + "".join(f"{first}\t{second}\n" for first, second in pairs))
    return path


def train(out, **settings):
    return primase.train(APP.name, out=out, **{**SMALL, **settings})


def link_of(name):
    return tuple(name.split("|"))


def positives_of(run, part):
    table = pl.read_parquet(run.path / "predictions.parquet")
    return [link_of(name) for name in table.filter(pl.col("part") == part, pl.col("target") == "interaction")["id"]]


# What is judged on is never heard


@dataclass(frozen=True)
class Divided:
    """Pairs of a graph in three parts, links and others, and a pair in none of them that may be planted."""

    folder: Path
    parts: dict
    planted: tuple

    def files(self, name, planted_in=None):
        """Write all parts, with one more link in one of them."""
        folder = self.folder / name
        folder.mkdir()
        words = {}
        for word, pairs in self.parts.items():
            more = [self.planted] if word == planted_in else []
            words[word] = write_pairs(folder / f"{word}.tsv", [*pairs, *more])
        return words


@pytest.fixture(scope="module")
def divided(tmp_path_factory):
    folder = tmp_path_factory.mktemp("divided")
    simulate(folder, 400, 2)
    rows = [line.split("\t") for line in (folder / "edges.tsv").read_text().splitlines()[1:]]
    names = [*dict.fromkeys(name for row in rows[:140] for name in row)]
    number_of = {name: number for number, name in enumerate(names)}
    rows = [row for row in rows if set(row) <= set(names)]
    graph = Graph.of(names, np.array([[number_of[one] for one in row] for row in rows]))
    others = graph.names[uniform_negatives(graph, 181, seed=0)].tolist()
    planted = tuple(others.pop())
    cuts = {"edges": rows[:140], "validation_edges": rows[140:160], "test_edges": rows[160:]}
    cuts |= {"nonedges": others[:140], "validation_nonedges": others[140:160], "test_nonedges": others[160:]}
    return Divided(folder, cuts, planted)


@pytest.fixture(scope="module")
def without(divided):
    return train(divided.folder / "without", epochs=1, **divided.files("files")).model


def difference(one, other, inputs):
    """Tell which of the places and the predictions of two models are not the same bit for bit."""
    states = [model.predictor.encoder.state() for model in (one, other)]
    assert states[0].facts["names"] == states[1].facts["names"]
    arrays = {name for name, array in states[0].arrays.items() if not np.array_equal(array, states[1].arrays[name])}
    logits = [model.predictor.outputs(inputs) for model in (one, other)]
    return arrays | ({"logits"} if not np.array_equal(*logits) else set())


@pytest.mark.parametrize("part", ["edges", "validation_edges", "test_edges"])
def test_a_link_planted_in_a_part_that_is_judged_on_changes_nothing(divided, without, part):
    files = divided.files(f"planted in {part}", part)
    run = train(divided.folder / f"with {part}", epochs=1, **files)
    workflow = APP.load()
    asked = write_pairs(divided.folder / f"ask {part}.tsv", [*divided.parts["test_nonedges"], divided.planted])
    (examples,) = workflow.stream(asked, without.configuration, without.predictor.encoder, silent)
    changed = difference(without, run.model, examples.inputs)
    # Where the network does learn from it everything changes, so that the comparison can tell.
    learned = {"edges", "places", "axis_values", "logits"}
    assert changed == (learned if part == "edges" else set())
    known = run.model.predict(asked)["known_link"].to_list()
    assert known == [False] * len(divided.parts["test_nonedges"]) + [part == "edges"]
    if part == "test_edges":
        assert run.model.predict(asked).equals(without.predict(asked))
        written = {tuple(sorted(pair)) for pair in positives_of(run, "test")}
        assert tuple(sorted(divided.planted)) in written


def test_a_link_that_falls_into_the_test_by_chance_is_not_heard(divided, tmp_path):
    rows = divided.parts["edges"]
    others = write_pairs(tmp_path / "others.tsv", divided.parts["nonedges"])
    settings = {"nonedges": others, "split": "random", "epochs": 1}
    run = train(tmp_path / "one", edges=write_pairs(tmp_path / "one.tsv", rows), **settings)
    encoder = run.model.predictor.encoder
    tested = {frozenset(pair) for part in ("validation", "test") for pair in positives_of(run, part)}
    trained = {frozenset(row) for row in rows} - tested
    assert len(tested) == 28
    assert {frozenset(pair) for pair in encoder.graph.names[encoder.graph.edges].tolist()} == trained
    # Another link takes the line of one of the test: it falls into the test too, as the lines are dealt, not the pairs.
    judged = {frozenset(pair) for pair in positives_of(run, "test")}
    seen = [{name for row in rows[:place] for name in row} for place in range(len(rows))]
    place = max(place for place, row in enumerate(rows) if frozenset(row) in judged and set(row) <= seen[place])
    assert set(divided.planted) <= seen[place]
    changed = [*rows[:place], divided.planted, *rows[place + 1 :]]
    other = train(tmp_path / "other", edges=write_pairs(tmp_path / "other.tsv", changed), **settings)
    assert {frozenset(pair) for pair in positives_of(other, "test")} == judged - {frozenset(rows[place])} | {
        frozenset(divided.planted)
    }
    (examples,) = APP.load().stream(others, run.model.configuration, encoder, silent)
    assert difference(run.model, other.model, examples.inputs) == set()


# Blocks of a simulated graph


@dataclass(frozen=True)
class Blocks:
    """A graph with planted blocks, and what was trained on it."""

    folder: Path
    truth: dict
    run: object
    settings: dict


@pytest.fixture(scope="module")
def blocks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blocks")
    simulated = simulate(folder, 2000, 1)
    settings = {"edges": folder / "edges.tsv", "epochs": 8, "members": 1, "hidden": (32, 32), "folds": 4}
    settings |= {"learning_rate": 0.003, "batch_size": 64}
    run = primase.train(APP.name, out=folder / "model", **settings)
    return Blocks(folder, simulated.facts["blocks"], run, settings)


def test_the_embedding_recovers_the_planted_blocks(blocks, tmp_path):
    rows = blocks.run.model.embed(tmp_path / "embedding.parquet")
    table = pl.read_parquet(tmp_path / "embedding.parquet")
    assert len(table) == rows
    assert table.columns == ["id", "degree", "community", *(f"dimension_{number}" for number in range(1, 33))]
    truth = [blocks.truth[name] for name in table["id"]]
    points = table.select(pl.selectors.starts_with("dimension_")).to_numpy()
    clusters = KMeans(len(set(truth)), n_init=10, random_state=0).fit_predict(points)
    linked = (table["degree"] > 0).to_numpy()
    assert linked.mean() > 0.95
    assert adjusted_rand_score(np.array(truth)[linked], clusters[linked]) >= 0.95
    shuffled = np.random.default_rng(0).permutation(truth)
    assert adjusted_rand_score(shuffled, clusters) < 0.1


def test_the_network_beats_the_degrees_where_the_negatives_match_them(blocks):
    workflow, configuration = APP.load(), configure(APP.configuration, blocks.settings)
    audited = pipeline.audit(APP, configuration)
    examples, partition, task = audited.labelled.examples, audited.partition, audited.labelled.task
    assert partition.policy == "degree-matched"
    train_part, validation, test = (examples.take(partition.part(name)) for name in ("train", "validation", "test"))
    predictor = blocks.run.model.predictor
    rivals = fit_rivals((), workflow.probes(train_part), task, train_part, validation)
    evaluation = assess(
        predictor.outputs(test.inputs),
        predictor.calibrator,
        test,
        task,
        units=workflow.resampled(test, partition.units[partition.test], partition.policy),
        subsets={},
        rivals=rivals,
        probes=["degree product"],
    ).evaluation
    assert evaluation.test["auroc"].value == pytest.approx(blocks.run.test["auroc"].value)
    difference = evaluation.differences["degree product"]["auroc"]
    assert difference.low > 0
    assert evaluation.probes["degree product"]["auroc"].value < 0.65
    assert evaluation.test["auroc"].value > 0.85


# The same test beside the other kind of negatives


@pytest.fixture(scope="module")
def uniform(blocks):
    return primase.train(APP.name, out=blocks.folder / "uniform", **{**blocks.settings, "negatives": "uniform"})


@pytest.mark.parametrize("kind", ["degree-matched", "uniform"])
def test_both_kinds_of_negatives_stand_side_by_side(blocks, uniform, kind):
    run = blocks.run if kind == "degree-matched" else uniform
    other = f"{'uniform' if kind == 'degree-matched' else 'degree-matched'} negatives"
    metrics = json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["split"]["policy"] == ("degree-matched" if kind == "degree-matched" else "random")
    assert set(metrics["contrasts"]) == {other}
    contrast = metrics["contrasts"][other]
    assert metrics["subsets"][other] == contrast["test"]
    assert contrast["baselines"].keys() == metrics["baselines"].keys()
    assert contrast["probes"].keys() == metrics["probes"].keys() == {"degree product"}
    assert {"common neighbours", "Adamic-Adar", "L3", "eigenvectors"} < contrast["baselines"].keys()
    for figures in (contrast["test"], *contrast["baselines"].values(), *contrast["probes"].values()):
        assert figures.keys() == metrics["test"].keys()
        assert figures["auroc"]["low"] <= figures["auroc"]["value"] <= figures["auroc"]["high"]
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert other in page
    assert f"{kind} negatives" in page


# Labels of proteins


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    simulate(folder, 1200, 1)
    words = {"edges": folder / "edges.tsv", "node_labels": folder / "blocks.tsv", "test_fraction": 0.25}
    run = train(folder / "model", **words, epochs=25, hidden=(32, 32), learning_rate=0.01)
    return folder, run


def test_proteins_are_classified_by_the_graph(labelled, tmp_path):
    folder, run = labelled
    truth = dict(line.split("\t") for line in (folder / "blocks.tsv").read_text().splitlines()[1:])
    assert run.metrics["split"]["policy"] == "random"
    assert run.metrics["probes"].keys() == {"number of links"}
    assert {"majority class", "place in the graph"} <= run.metrics["baselines"].keys()
    assert run.test["accuracy"].low > run.metrics["baselines"]["majority class"]["accuracy"]["high"]
    (tmp_path / "ask.txt").write_text("".join(f"{name}\n" for name in truth))
    table = run.model.predict(tmp_path / "ask.txt")
    assert table["id"].to_list() == list(truth)
    assert table.columns[-1] == "degree"
    assert np.mean([truth[name] == said for name, said in table.select("id", "prediction").iter_rows()]) > 0.8
    (tmp_path / "ask.txt").write_text(f"{next(iter(truth))}\nnobody\n")
    with pytest.raises(InputError, match=r"ask\.txt, line 2: a protein that the model does not know.*Found: 'nobody'"):
        run.model.predict(tmp_path / "ask.txt")


def test_a_label_is_explained_and_reported(labelled, tmp_path):
    folder, run = labelled
    names = [line.split("\t")[0] for line in (folder / "blocks.tsv").read_text().splitlines()[1:4]]
    (tmp_path / "ask.txt").write_text("protein\n" + "".join(f"{name}\n" for name in names))
    found = run.model.explain(tmp_path / "ask.txt", tmp_path / "why").table
    assert set(found["id"]) == set(names)
    said = dict(run.model.predict(tmp_path / "ask.txt").select("id", "prediction").iter_rows())
    assert {row["target"] == said[row["id"]] for row in found.iter_rows(named=True)} == {True}
    assert all(name in link for name, link in found.select("id", "feature").iter_rows())
    assert "Protein by protein" in (tmp_path / "why" / "report.html").read_text(encoding="utf-8")
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "The map of proteins" in page
    rows = run.model.embed(tmp_path / "embedding.csv")
    assert rows == len((folder / "blocks.tsv").read_text().splitlines()) - 1


def test_labels_are_judged_on_new_files_too(labelled, tmp_path):
    folder, run = labelled
    found = run.model.evaluate(tmp_path / "judged", edges=folder / "edges.tsv", node_labels=folder / "blocks.tsv")
    assert found.test["accuracy"].value > 0.8


@pytest.mark.parametrize("words", [{"split": "node-disjoint"}, {"split": "degree-matched"}, {"negatives": "uniform"}])
def test_words_of_pairs_are_refused_where_proteins_are_classified(labelled, words, tmp_path):
    folder, _ = labelled
    with pytest.raises(InputError, match="--node-labels: where proteins are classified"):
        train(tmp_path / "out", edges=folder / "edges.tsv", node_labels=folder / "blocks.tsv", **words)


# Proteins kept apart


def feature_table(path, blocks_of, *, more=()):
    """Say of each protein in noisy numbers which block it is in."""
    generator = np.random.default_rng(0)
    labels = sorted(set(blocks_of.values()))
    lines = ["\t".join(["id", *labels])]
    for name, label in [*blocks_of.items(), *more]:
        numbers = generator.normal(0, 0.3, len(labels)) + [label == one for one in labels]
        lines.append("\t".join([name, *(f"{number:.4f}" for number in numbers)]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def disjoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disjoint")
    simulated = simulate(folder, 2000, 3)
    features = feature_table(folder / "features.tsv", simulated.facts["blocks"])
    words = {"edges": folder / "edges.tsv", "features": features}
    return folder, simulated, train(folder / "model", **words, **{**DISJOINT, "test_fraction": 0.2})


def test_no_protein_that_is_judged_on_was_trained_on(disjoint):
    folder, _, run = disjoint
    settings = {**DISJOINT, "test_fraction": 0.2, "edges": folder / "edges.tsv", "features": folder / "features.tsv"}
    audited = pipeline.audit(APP, configure(APP.configuration, settings))
    members = pl.read_parquet(run.path / "members.parquet")
    part_of = dict(members.select("id", "part").iter_rows())
    seen_of = dict(zip(audited.labelled.examples.ids, audited.labelled.examples.covariates["seen"], strict=True))
    assert part_of.keys() == seen_of.keys()
    assert run.metrics["split"]["policy"] == "node-disjoint"
    trained = {name for pair, part in part_of.items() if part == "train" for name in link_of(pair)}
    later = {name for pair, part in part_of.items() if part == "validation" for name in link_of(pair)}
    unseen = {kind: [] for kind in ("C1", "C2", "C3")}
    for pair, kind in seen_of.items():
        assert (kind != "") == (part_of[pair] == "test")
        if kind:
            unseen[kind].append(sum(name not in trained for name in link_of(pair)))
    assert min(map(len, unseen.values())) > 10
    # A protein that may be trained on can have all of its few pairs in other parts.
    assert np.mean(unseen["C1"]) < 0.05
    assert min(unseen["C2"]) == 1
    assert np.mean(unseen["C2"]) < 1.05
    assert set(unseen["C3"]) == {2}
    assert len(later - trained) > 10
    encoder = run.model.predictor.encoder
    assert set(encoder.graph.names[encoder.graph.degrees > 0]) <= trained


def test_pairs_are_judged_by_how_many_of_their_proteins_were_seen(disjoint):
    _, _, run = disjoint
    subsets = run.metrics["subsets"]
    names = {
        "C1: both proteins seen in training",
        "C2: one protein seen in training",
        "C3: no protein seen in training",
    }
    assert names <= subsets.keys()
    for name in names:
        assert subsets[name]["auroc"]["low"] < subsets[name]["auroc"]["value"] <= subsets[name]["auroc"]["high"]
    assert "held-out protein" in run.metrics["intervals"]
    assert subsets["C2: one protein seen in training"]["auroc"]["value"] > 0.7
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in names)


def test_proteins_kept_apart_without_features_are_refused_in_words(disjoint, tmp_path):
    folder, _, _ = disjoint
    with pytest.raises(InputError, match=r"--split node-disjoint: proteins that are kept apart .*Give --features or"):
        train(tmp_path / "out", edges=folder / "edges.tsv", **DISJOINT)
    assert list(tmp_path.iterdir()) == []


def test_a_protein_of_no_graph_is_predicted_by_its_features(disjoint, tmp_path):
    _, simulated, run = disjoint
    blocks_of = simulated.facts["blocks"]
    hub = max(blocks_of, key=lambda name: sum(name in item["id"].split("|") for item in simulated.planted))
    label = blocks_of[hub]
    other = next(one for one in blocks_of.values() if one != label)
    new = [(f"new{number}", label) for number in range(10)] + [(f"far{number}", other) for number in range(10)]
    features = feature_table(tmp_path / "more.tsv", blocks_of, more=new)
    asked = write_pairs(tmp_path / "ask.tsv", [(hub, name) for name, _ in new])
    table = run.model.predict(asked, features=features)
    chances = table["probability_interaction"].to_numpy()
    assert np.isfinite(chances).all()
    assert chances[:10].mean() > chances[10:].mean()
    assert table["degree_b"].to_list() == [0] * 20
    assert not table["known_link"].any()
    with pytest.raises(InputError, match=r"ask\.tsv, line 2: a protein that the model does not know.* Found: 'new0'"):
        run.model.predict(asked)
