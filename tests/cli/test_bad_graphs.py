"""Bad graphs, features and labels: one message that names what is wrong and where; and good ones work."""

import gzip
import json
import shutil

import numpy as np
import polars as pl
import pytest

import primase
from primase.apps.discovery import applications

GRAPH = "protein-interaction"
BLOCKS, SIZE = 3, 12


def table(rows, header):
    return "\n".join(["\t".join(header), *("\t".join(map(str, row)) for row in rows)]) + "\n"


def features_of(names, seed=0):
    numbers = np.random.default_rng(seed).normal(size=(len(names), 2)).round(3)
    return table([(name, *row) for name, row in zip(names, numbers, strict=True)], ["id", "mass", "charge"])


NAMES = [f"P{number:02}" for number in range(BLOCKS * SIZE)]


def links(seed=0):
    """Link proteins within blocks, and a few between."""
    generator = np.random.default_rng(seed)
    pairs = [(i, j) for i in range(len(NAMES)) for j in range(i)]
    kept = [(i, j) for i, j in pairs if generator.random() < (0.6 if i % BLOCKS == j % BLOCKS else 0.03)]
    return [(NAMES[kept[place][0]], NAMES[kept[place][1]]) for place in generator.permutation(len(kept))]


def lay_out(folder):
    """Lay out a user's folder with good files in it."""
    folder.mkdir()
    (folder / "edges.tsv").write_text(table(links(), ["protein_a", "protein_b"]))
    (folder / "scored.tsv").write_text(table([(*link, 900) for link in links()], ["a", "b", "combined_score"]))
    (folder / "features.tsv").write_text(features_of(NAMES))
    rows = [(name, f"block {number % BLOCKS}") for number, name in enumerate(NAMES)]
    (folder / "labels.tsv").write_text(table(rows, ["id", "label"]))
    return folder


@pytest.fixture
def work(tmp_path):
    return lay_out(tmp_path / "work")


SMALL = ["--epochs", "2", "--members", "1", "--hidden", "8,8", "--spectral", "4", "--folds", "2"]


def train(*words, edges="edges.tsv", out="model"):
    given = [] if edges is None else ["--edges", edges]
    return ["train", GRAPH, *given, *words, *SMALL, "--out", out]


def replaced(text, line, cell, value):
    """Put a value in a cell of a table, both counted from 1."""
    rows = [row.split("\t") for row in text.splitlines()]
    rows[line - 1][cell - 1] = value
    return "\n".join("\t".join(row) for row in rows) + "\n"


# Edges


def test_one_column(refuses, work):
    (work / "names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    message = refuses(*train(edges="names.txt"))
    assert all(word in message for word in ("names.txt, line 1", "there is one column", "P00", "two names a line"))


def test_a_row_with_one_name(refuses, work):
    lines = (work / "edges.tsv").read_text().splitlines()
    lines[6] = "P01"
    (work / "ragged.tsv").write_text("\n".join(lines))
    message = refuses(*train(edges="ragged.tsv"))
    assert all(word in message for word in ("ragged.tsv, line 7", "too few cells", "P01"))


def test_a_score_that_is_no_number(refuses, work):
    (work / "scores.tsv").write_text(replaced((work / "scored.tsv").read_text(), 5, 3, "high"))
    message = refuses(*train("--minimum-score", "700", edges="scores.tsv"))
    assert all(word in message for word in ("scores.tsv, line 5", "combined_score", "'high'", "Accepted: a number"))


def test_a_score_column_of_words(refuses, work):
    (work / "evidence.tsv").write_text(table([(*link, "two hybrid") for link in links()], ["a", "b", "evidence"]))
    words = ["--score-column", "evidence", "--minimum-score", "0.5"]
    message = refuses(*train(*words, edges="evidence.tsv"))
    assert all(word in message for word in ("evidence.tsv, line 2", "no number", "evidence", "'two hybrid'"))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--minimum-score", "700"], ["scored.tsv", "--score-column"]),
        (["--score-column", "weight", "--minimum-score", "1"], ["scored.tsv", "'weight'", "a, b, combined"]),
        (["--pair-columns", "a,c"], ["scored.tsv", "'c'", "a, b, combined"]),
        (["--pair-columns", "a"], ["--pair-columns names two columns"]),
        (["--score-column", "combined", "--minimum-score", "1000"], ["scored.tsv", "1000"]),
    ],
)
def test_columns_and_scores_that_are_not_there(refuses, work, words, named):
    (work / "scored.tsv").write_text((work / "scored.tsv").read_text().replace("combined_score", "combined"))
    message = refuses(*train(*words, edges="scored.tsv"))
    assert [word for word in named if word not in message] == []


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("P01\tP01\n", "a graph with one protein has no pair. Found: the protein P01 only"),
        ("P01\tP01\nP02\tP02\n", "no link between two different proteins"),
        ("", "no rows: the file is empty"),
        ("# P01 P02\n", "no rows"),
        ("protein_a\tprotein_b\n", "no rows below the column names"),
    ],
)
def test_a_graph_without_links(refuses, work, content, named):
    (work / "none.tsv").write_text(content)
    message = refuses(*train(edges="none.tsv"))
    assert "none.tsv" in message
    assert named in message


@pytest.mark.parametrize("split", ["random", "degree-matched", "auto"])
def test_a_split_that_leaves_no_validation_edges(refuses, work, split):
    (work / "tiny.tsv").write_text("a\tb\nb\tc\nc\ta\nd\ta\n")
    message = refuses(*train("--split", split, edges="tiny.tsv"))
    assert all(word in message for word in ("--split", "leaves no validation edges", "train 4, validation 0, test 0"))
    assert "--validation-fraction" in message


def test_a_graph_in_which_everything_is_linked(refuses, work):
    (work / "clique.tsv").write_text("".join(f"{a}\t{b}\n" for a in NAMES[:9] for b in NAMES[:9] if a < b))
    assert "too dense" in refuses(*train(edges="clique.tsv"))


def test_a_truncated_gzip(refuses, work):
    whole = gzip.compress((work / "edges.tsv").read_bytes())
    (work / "cut.tsv.gz").write_bytes(whole[: len(whole) // 2])
    assert "cut.tsv.gz: the gzip file is damaged or cut off" in refuses(*train(edges="cut.tsv.gz"))


def test_a_missing_file(refuses):
    assert "absent.tsv" in refuses(*train(edges="absent.tsv"))


# Words


@pytest.mark.parametrize("word", ["--test-edges", "--validation-edges", "--nonedges", "--test-nonedges"])
def test_a_part_without_a_graph(refuses, word):
    message = refuses(*train(word, "edges.tsv", edges=None))
    assert f"{word} needs --edges beside it" in message


def test_no_graph(refuses):
    assert "there is no graph. Accepted: --dataset NAME or --edges FILE" in refuses(*train(edges=None))


@pytest.mark.parametrize("name", ["unheard-of", "yeast-proteome"])
def test_a_data_set_that_is_no_graph(refuses, name):
    message = refuses(*train("--dataset", name, edges=None))
    assert all(word in message for word in (f"--dataset {name}", "yeast-complexes", "simulated"))


def test_a_data_set_beside_a_graph(refuses):
    message = refuses(*train("--dataset", "simulated"))
    assert "--dataset and --edges" in message


@pytest.mark.parametrize("split", ["random", "degree-matched", "node-disjoint"])
def test_given_parts_and_another_split(refuses, work, split):
    (work / "test.tsv").write_text(table(links()[:9], ["protein_a", "protein_b"]))
    words = ["--test-edges", "test.tsv", "--features", "features.tsv", "--split", split]
    message = refuses(*train(*words))
    assert all(word in message for word in (f"--split {split}", "the parts are given"))


def test_a_given_split_without_parts(refuses):
    message = refuses(*train("--split", "given"))
    assert all(word in message for word in ("--split given", "--test-edges"))


def test_negatives_of_a_part_without_its_links(refuses, work):
    (work / "test.tsv").write_text("P00\tP01\n")
    message = refuses(*train("--test-nonedges", "test.tsv"))
    assert all(word in message for word in ("--test-nonedges", "Add --test-edges"))


def test_proteins_kept_apart_without_features(refuses):
    message = refuses(*train("--split", "node-disjoint"))
    assert all(word in message for word in ("--split node-disjoint", "--features or --proteins"))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--split", "chromosome"], "--split"),
        (["--encoder", "transformer"], "--encoder"),
        (["--decoder", "cosine"], "--decoder"),
        (["--preset", "papr"], "--preset"),
        (["--pairs", "exact"], "--pairs exact needs a decoder"),
        (["--fan-out", "3"], "--fan-out needs a number per layer"),
        (["--spectral", "-1"], "--spectral"),
        (["--negatives", "given"], "--negatives given"),
    ],
    ids=" ".join,
)
def test_an_option_that_is_not_accepted(refuses, words, named):
    small = SMALL[:6] if "--spectral" in words else SMALL
    assert named in refuses("train", GRAPH, "--edges", "edges.tsv", *small, *words, "--out", "model")


# Features


def test_features_of_other_proteins(refuses, work):
    (work / "other.tsv").write_text(features_of([f"Q{number}" for number in range(30)]))
    message = refuses(*train("--features", "other.tsv"))
    wanted = ("other.tsv", "features are of other proteins", "Found: Q0, Q1, Q2", "Accepted: the names of the graph")
    assert all(word in message for word in wanted)


@pytest.mark.parametrize(("value", "shown"), [("NaN", "'NaN'"), ("inf", "'inf'"), ("", "empty cell"), ("x", "'x'")])
def test_a_feature_that_is_no_number(refuses, work, value, shown):
    (work / "nan.tsv").write_text(replaced((work / "features.tsv").read_text(), 7, 3, value))
    message = refuses(*train("--features", "nan.tsv"))
    assert all(word in message for word in ("nan.tsv, line 7, column charge", shown, "Accepted: a number"))


def test_a_matrix_with_a_feature_that_is_no_number(refuses, work):
    matrix = np.ones((len(NAMES), 2))
    matrix[4, 1] = np.nan
    np.savez(work / "nan.npz", matrix=matrix, names=np.array(NAMES))
    message = refuses(*train("--features", "nan.npz"))
    assert all(word in message for word in ("nan.npz, row 4, column 1", "no finite number"))


def test_one_protein_with_two_rows_of_features(refuses, work):
    with (work / "features.tsv").open("a") as file:
        file.write("P03\t1\t2\n")
    message = refuses(*train("--features", "features.tsv"))
    assert all(word in message for word in (f"features.tsv, line {len(NAMES) + 2}", "'P03'", "line 5"))


# Labels


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--split", "node-disjoint"], ["--split node-disjoint", "--split random"]),
        (["--split", "given"], ["--split given", "--split random"]),
        (["--negatives", "uniform"], ["--negatives uniform"]),
        (["--test-edges", "edges.tsv"], ["edges.tsv", "--edges and --node-labels only"]),
        (["--label-column", "class"], ["labels.tsv", "'class'", "--label-column"]),
    ],
    ids=" ".join,
)
def test_words_that_labels_of_proteins_do_not_go_with(refuses, words, named):
    message = refuses(*train("--node-labels", "labels.tsv", *words))
    assert [word for word in named if word not in message] == []


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("id\tlabel\nQ1\tyes\nQ2\tno\n", "labels are of other proteins"),
        ("id\tlabel\nP01\tyes\nP01\tno\n", "line 3: one protein has two different labels"),
        ("id\tlabel\nP01\tyes\nP02\tyes\n", "one class only"),
        ("id\nP01\n", "there is one column"),
    ],
)
def test_labels_that_do_not_fit(refuses, work, content, named):
    (work / "bad.tsv").write_text(content)
    message = refuses(*train("--node-labels", "bad.tsv"))
    assert "bad.tsv" in message
    assert named in message


# Models


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train a model of pairs and one of proteins; nobody may change their folders."""
    folder = lay_out(tmp_path_factory.mktemp("models") / "files")
    small = dict(zip((word.removeprefix("--") for word in SMALL[::2]), SMALL[1::2], strict=True))
    words = {**small, "edges": folder / "edges.tsv"}
    return {
        "pairs": primase.train(GRAPH, out=folder / "pairs", **words).path,
        "labels": primase.train(GRAPH, out=folder / "labels", node_labels=folder / "labels.tsv", **words).path,
    }


@pytest.fixture
def bundle(trained, work):
    return shutil.copytree(trained["pairs"], work / "model")


@pytest.fixture
def label_bundle(trained, work):
    return shutil.copytree(trained["labels"], work / "model")


@pytest.mark.parametrize("verb", ["predict", "explain"])
def test_an_unknown_protein(refuses, work, bundle, verb):
    (work / "ask.tsv").write_text("P00\tP01\n# a comment\nP02\tnobody\n")
    message = refuses(verb, "model", "ask.tsv", "--out", "said.csv" if verb == "predict" else "why")
    wanted = ("ask.tsv, line 3", "the model does not know", "'nobody'", "names of the graph, such as")
    assert all(word in message for word in wanted)


def test_single_proteins_for_a_model_of_pairs(refuses, work, bundle):
    (work / "ask.txt").write_text("P00\nP01\n")
    message = refuses("predict", "model", "ask.txt", "--out", "said.csv")
    assert all(word in message for word in ("ask.txt, line 1", "one column", "a pair needs two"))


def test_an_unknown_protein_for_a_model_of_labels(refuses, work, label_bundle):
    (work / "ask.txt").write_text("P00\nnobody\n")
    message = refuses("predict", "model", "ask.txt", "--out", "said.csv")
    assert all(word in message for word in ("ask.txt, line 2", "'nobody'"))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--among", "P00,nobody"], ["--among", "nobody", "names such as P"]),
        (["--top", "0"], ["--top"]),
        (["--prevalence", "1"], ["--prevalence"]),
        (["--prevalence", "rare"], ["--prevalence"]),
    ],
    ids=" ".join,
)
def test_a_ranking_that_cannot_be(refuses, bundle, words, named):
    message = refuses("rank", "model", *words, "--out", "ranks.csv")
    assert [word for word in named if word not in message] == []


@pytest.mark.parametrize("verb", ["rank", "embed"])
def test_a_table_of_an_unknown_kind(refuses, bundle, verb):
    message = refuses(verb, "model", "--out", "table.xlsx")
    assert all(word in message for word in ("table.xlsx", ".parquet, .csv, .tsv"))


def test_a_model_of_labels_has_no_pairs_to_rank(refuses, label_bundle):
    message = refuses("rank", "model", "--out", "ranks.csv")
    assert all(word in message for word in ("rank: ", "classifies single proteins", "no pairs to rank"))


def test_a_model_of_labels_embeds(command_line, label_bundle, work, monkeypatch):
    monkeypatch.chdir(work)
    outcome = command_line("embed", "model", "--out", "table.csv")
    assert (outcome.status, len(pl.read_csv(work / "table.csv"))) == (0, len(NAMES))


@pytest.mark.parametrize("verb", ["rank", "embed"])
def test_an_application_that_keeps_no_graph(refuses, work, train_once, verb):
    other = "enzyme-identification"
    shutil.copytree(train_once(other).path, work / "enzymes")
    message = refuses(verb, "enzymes", "--out", "table.csv")
    assert all(word in message for word in (verb, other, "not capable", ", ".join(sorted(applications()[other].verbs))))


def test_a_graph_is_not_scanned(refuses, bundle):
    message = refuses("scan", "model", "edges.tsv", "--out", "table.bed")
    assert all(word in message for word in ("scan", GRAPH, "not capable", "embed, evaluate, explain"))


def test_a_file_in_the_way_of_a_ranking(refuses, bundle, work):
    (work / "ranks.csv").write_text("precious")
    assert "ranks.csv" in refuses("rank", "model", "--out", "ranks.csv")


# What is odd, but not wrong


def findings(model):
    audit = json.loads((model / "metrics.json").read_text(encoding="utf-8"))["audit"]
    return {found["finding"]: found for found in audit}


def test_negative_pairs_that_are_edges_are_counted_and_left_out(command_line, work, monkeypatch):
    monkeypatch.chdir(work)
    known = links()
    pairs = [(a, b) for a in NAMES for b in NAMES if a < b and (a, b) not in known and (b, a) not in known][:100]
    (work / "negatives.tsv").write_text(
        table([*pairs, *(link[::-1] for link in known[:4])], ["protein_a", "protein_b"])
    )
    outcome = command_line(*train("--nonedges", "negatives.tsv"))
    assert outcome.status == 0, outcome
    found = findings(work / "model")["negative pairs that are edges"]
    assert (found["count"], found["severity"]) == (4, "warning")
    assert f"{known[0][1]}-{known[0][0]}" in found["text"]
    assert "4 pairs given as not interacting are links" in outcome.error + outcome.output + found["text"]
    members = pl.read_parquet(work / "model" / "members.parquet")
    assert len(members) == len(known) + 100
    assert members["id"].n_unique() == len(members)


def test_only_negative_pairs_that_are_edges(refuses, work):
    (work / "negatives.tsv").write_text(table(links()[:5], ["protein_a", "protein_b"]))
    message = refuses(*train("--nonedges", "negatives.tsv"))
    assert all(word in message for word in ("not interacting", "5 that are edges"))


@pytest.mark.parametrize("form", ["gzip", "windows", "lower case", "spaces", "csv", "duplicates", "no header", "loops"])
def test_the_forms_that_files_have_mean_the_same(command_line, work, monkeypatch, trained, form):
    monkeypatch.chdir(work)
    text = (work / "edges.tsv").read_text().replace("protein_a\tprotein_b", "Protein_A\tProtein_B")
    rows = text.splitlines(keepends=True)
    turned = ["\t".join(reversed(row.strip().split("\t"))) + "\n" for row in rows[1:]]
    changed = {
        "gzip": gzip.compress(text.encode()),
        "windows": text.replace("\n", "\r\n").encode(),
        "lower case": text.replace(rows[0], rows[0].lower()).encode(),
        "spaces": text.replace("\t", " ").encode(),
        "csv": text.replace("\t", ",").encode(),
        "duplicates": "".join([*rows, *turned, *rows[1:9]]).encode(),
        "no header": "".join(rows[1:]).encode(),
        "loops": "".join([*rows, *(f"{name}\t{name}\n" for name in NAMES[:5])]).encode(),
    }
    path = work / ("edges.txt.gz" if form == "gzip" else "edges.txt")
    path.write_bytes(changed[form])
    outcome = command_line(*train(edges=path.name))
    assert outcome.status == 0, outcome
    plain = trained["pairs"]
    names = ("predictions.parquet", "members.parquet")
    assert all(pl.read_parquet(work / "model" / name).equals(pl.read_parquet(plain / name)) for name in names)
    found = findings(work / "model")
    assert found.get("repeated links", {}).get("count", 0) == (len(turned) + 8 if form == "duplicates" else 0)
    assert found.get("self-loops", {}).get("count", 0) == (5 if form == "loops" else 0)
