"""Enzyme identification: all the ways to hand over proteins, what their answers mean, what is homologous."""

import gzip
import importlib
import json
import re

import numpy as np
import polars as pl
import pytest

from primase.apps.discovery import applications
from primase.apps.enzyme_identification.answers import understand
from primase.apps.enzyme_identification.encoding import ProteinEncoder
from primase.bio.fasta import read_fasta
from primase.bio.genbank import read_proteins
from primase.configuration import configure
from primase.data.fetch import fetch
from primase.data.splits import PARTS
from primase.data.tasks import Task
from primase.errors import InputError, SourceError
from primase.events import silent

# A test stands beside its application but looks at it from above, which no module of the application may.
primase = importlib.import_module("primase")
pipeline = importlib.import_module("primase.pipeline")

APP = applications()["enzyme-identification"]
ENZYME = ("non-enzyme", "enzyme")
SMALL = {"epochs": 2, "members": 1, "batch_size": 32, "learning_rate": 0.01, "hidden": (16, 8)}


@pytest.fixture(scope="module")
def simulated(rehearse):
    return rehearse("enzyme-identification").folder


@pytest.fixture(scope="module")
def records(simulated):
    """Give ids, sequences and answers of the simulated proteins."""
    rows = [
        (record.id, record.sequence, answer)
        for name, answer in (("positives", "enzyme"), ("negatives", "non-enzyme"))
        for record in read_fasta(simulated / f"{name}.fa")
    ]
    return pl.DataFrame(rows, schema=["id", "sequence", "target"], orient="row")


def read(task=None, **settings):
    return APP.load().read(configure(APP.configuration, settings), task, silent)


def known(labelled):
    """Lay out what was read as a table, whatever its order."""
    labels = np.array(labelled.task.labels, dtype=object)
    return pl.DataFrame(
        {
            "id": labelled.examples.ids.tolist(),
            "domains": labelled.examples.inputs.domain_texts().tolist(),
            "answer": labels[labelled.examples.targets].tolist(),
        }
    ).sort("id")


def table(path, columns):
    pl.DataFrame(columns).write_csv(path, separator="\t" if path.suffix == ".tsv" else ",")
    return path


# Ways to hand over proteins


@pytest.fixture(scope="module")
def expected(simulated):
    pair = {name: simulated / f"{name}.fa" for name in ("positives", "negatives")}
    return known(read(**pair, profiles=simulated / "profiles.hmm"))


def test_a_pair_of_fasta_files(expected, records):
    assert expected["id"].to_list() == sorted(records["id"])
    merged = expected.join(records, on="id")
    assert merged["answer"].equals(merged["target"], check_names=False)
    deciding = expected["domains"].str.contains("Deciding")
    assert (deciding == (expected["answer"] == "enzyme")).mean() > 0.98


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda name, sequence: f">{name}\n{sequence.lower()}\n", id="lower case"),
        pytest.param(lambda name, sequence: f">{name}\r\n{sequence}\r\n", id="Windows line ends"),
        pytest.param(lambda name, sequence: f">{name}\n{sequence}*\n", id="stop at the end"),
        pytest.param(lambda name, sequence: f">{name}\n{sequence}\n\n", id="blank lines"),
        pytest.param(lambda name, sequence: f">{name}\n{sequence[:30]}\n{sequence[30:]}\n", id="several lines"),
        pytest.param(lambda name, sequence: f">{name} kinase > 3 OS=Yeast\n{sequence}\n", id="descriptions"),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_fasta_as_people_write_it(simulated, records, expected, tmp_path, write, packed):
    settings = {"profiles": simulated / "profiles.hmm"}
    for word, answer in (("positives", "enzyme"), ("negatives", "non-enzyme")):
        own = records.filter(pl.col("target") == answer)
        text = "".join(write(name, sequence) for name, sequence, _ in own.iter_rows()).encode()
        settings[word] = tmp_path / word
        settings[word].write_bytes(gzip.compress(text) if packed else text)
    assert known(read(**settings)).equals(expected)


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "csv.gz", "tsv.gz"])
def test_a_table_of_sequences(simulated, records, expected, tmp_path, ending):
    path = tmp_path / f"proteins.{ending}"
    renamed = records.rename({"id": "entry", "sequence": "residues", "target": "function"}).sample(
        fraction=1, shuffle=True, seed=0
    )
    if ending == "parquet":
        renamed.write_parquet(path)
    else:
        text = renamed.write_csv(separator="," if ending.startswith("csv") else "\t").encode()
        path.write_bytes(gzip.compress(text) if ending.endswith("gz") else text)
    columns = {"id_column": "entry", "sequence_column": "residues", "target_column": "function"}
    assert known(read(table=path, profiles=simulated / "profiles.hmm", **columns)).equals(expected)


def test_a_table_of_domain_lists(simulated):
    labelled = read(table=simulated / "domains.tsv")
    written = pl.read_csv(simulated / "domains.tsv", separator="\t")
    lists = [";".join(sorted(cell.split(";"))) for cell in written["domains"]]
    expected = written.with_columns(pl.Series("domains", lists)).rename({"target": "answer"}).sort("id")
    assert known(labelled).equals(expected)
    assert labelled.examples.inputs.sequences is None


def test_domain_lists_are_sets(tmp_path):
    path = table(
        tmp_path / "t.tsv", {"domains": [" Kinase ;SH2;Kinase", "", ";", "SH2"], "target": ["y", "n", "n", "y"]}
    )
    assert known(read(table=path))["domains"].to_list() == ["Kinase;SH2", "", "", "SH2"]


def test_rows_without_an_id_column_are_numbered(tmp_path):
    path = table(tmp_path / "t.tsv", {"domains": ["A", "B"], "target": ["y", "n"]})
    assert read(table=path).examples.ids.tolist() == ["row-1", "row-2"]


def test_given_parts(simulated, records, tmp_path):
    parts = np.random.default_rng(0).choice(PARTS, size=len(records), p=[0.6, 0.2, 0.2])
    settings = {"profiles": simulated / "profiles.hmm"}
    for name, word in zip(PARTS, ("table", "validation_table", "test_table"), strict=True):
        settings[word] = tmp_path / f"{name}.csv"
        records.filter(pl.Series(parts == name)).write_csv(settings[word])
    audited = pipeline.audit(APP, configure(APP.configuration, settings))
    assert audited.partition.policy == "given"
    part_of = dict(zip(records["id"], parts, strict=True))
    for name in PARTS:
        ids = audited.labelled.examples.ids[audited.partition.part(name)]
        assert {part_of[each] for each in ids} == {name}


def test_a_given_test_part_as_fasta(simulated):
    pair = {name: simulated / f"{name}.fa" for name in ("positives", "negatives")}
    test = {f"test_{name}": path for name, path in pair.items()}
    audited = pipeline.audit(
        APP, configure(APP.configuration, {**pair, **test, "profiles": simulated / "profiles.hmm"})
    )
    assert audited.partition.policy == "given"
    assert audited.partition.sizes["test"] == 300
    findings = {finding.finding: finding for finding in audited.findings}
    assert findings["twins across the split"].severity == "warning"
    assert findings["twins across the split"].count > 200
    assert findings["near-identical sequences across the split"].count > 200
    assert findings["repeated ids"].count == 300


def test_a_group_column_is_kept_together(simulated, records, tmp_path):
    path = tmp_path / "t.csv"
    grouped = records.with_columns(organism=pl.Series([f"organism-{row % 40}" for row in range(len(records))]))
    grouped.write_csv(path)
    settings = {"table": path, "profiles": simulated / "profiles.hmm", "group_column": "organism"}
    audited = pipeline.audit(APP, configure(APP.configuration, settings))
    organism = dict(zip(grouped["id"], grouped["organism"], strict=True))
    names = audited.partition.names(len(records))
    for each in set(grouped["organism"]):
        members = [organism[name] == each for name in audited.labelled.examples.ids]
        assert len(set(names[members])) == 1, each


def test_domain_lists_and_sequences_do_not_mix(simulated, records, tmp_path):
    records.write_csv(tmp_path / "test.csv")
    with pytest.raises(InputError, match="some parts hold domain lists and others hold sequences"):
        read(table=simulated / "domains.tsv", test_table=tmp_path / "test.csv", profiles=simulated / "profiles.hmm")


# Answers


def labels_of(answers, question="enzyme", task=None):
    understood = understand(
        answers, question, task, where="here", places=[f"here, row {row + 1}" for row in range(len(answers))]
    )
    names = [understood.task.labels[target] if target >= 0 else None for target in understood.targets]
    return understood, names


def test_ec_numbers_ask_whether_it_is_an_enzyme():
    cells = ["1.1.1.1", "", "EC 2.7.11.1", "EC:3.4.-.-", "no", "4.2.1.n3", "1.1.1.1; 2.7.1.1", "-"]
    understood, names = labels_of(cells)
    assert understood.task == Task("binary", ENZYME)
    assert names == ["enzyme", "non-enzyme", "enzyme", "enzyme", "non-enzyme", "enzyme", "enzyme", "non-enzyme"]


def test_ec_numbers_ask_for_the_main_class():
    cells = ["1.1.1.1", "", "EC 2.7.11.1", "7.1.1.-", "1.1.1.1 1.2.3.4", "1.1.1.1,2.7.1.1"]
    understood, names = labels_of(cells, "main-class")
    assert understood.task == Task("multiclass", ("not an enzyme", "EC 1", "EC 2", "EC 7"))
    assert names == ["EC 1", "not an enzyme", "EC 2", "EC 7", "EC 1", None]
    assert {finding.finding: finding.count for finding in understood.findings} == {
        "no EC number": 1,
        "several main classes": 1,
        "no answer": 1,
    }


@pytest.mark.parametrize("wrong", ["8.1.1.1", "1.1.1.1.1", "enzyme", "1.1.1.1;kinase"])
def test_what_is_no_ec_number_among_them_is_named(wrong):
    with pytest.raises(InputError, match=rf"here, row 3: .*no EC number.*{re.escape(wrong)}"):
        labels_of(["1.1.1.1", "", wrong])


@pytest.mark.parametrize(
    ("answers", "labels"),
    [
        (["yes", "no"], ("no", "yes")),
        (["1", "0"], ("0", "1")),
        (["True", "False"], ("False", "True")),
        (["enzyme", "non-enzyme"], ENZYME),
        (["positive", "negative"], ("negative", "positive")),
        (["b", "a"], ("a", "b")),
        (["zinc", "none", "iron"], ("none", "iron", "zinc")),
    ],
)
def test_the_negative_label_comes_first(answers, labels):
    understood, names = labels_of(answers)
    assert understood.task.labels == labels
    assert names == answers


def test_an_empty_cell_among_names_is_unknown():
    understood, names = labels_of(["yes", "", "no", " "])
    assert names == ["yes", None, "no", None]
    assert [finding.count for finding in understood.findings] == [2]


@pytest.mark.parametrize(
    ("answers", "question", "message"),
    [
        (["yes", "yes"], "enzyme", "here: there is one class only. Found: yes"),
        (["", ""], "enzyme", "here: no example has an answer"),
        (["1.1.1.1", "2.1.1.1"], "enzyme", "one class only"),
        ([str(number) for number in range(200)], "enzyme", "too many different answers to be classes"),
        (["yes", "no"], "main-class", "main classes are read from EC numbers"),
    ],
)
def test_answers_that_nothing_can_be_learned_from(answers, question, message):
    with pytest.raises(InputError, match=re.escape(message)):
        labels_of(answers, question)


def test_labels_of_a_trained_model():
    task = Task("binary", ENZYME)
    assert labels_of(["yes", "0", "enzyme"], task=task)[1] == ["enzyme", "non-enzyme", "enzyme"]
    assert labels_of(["1.1.1.1", "2.1.1.1"], task=task)[1] == ["enzyme", "enzyme"]
    with pytest.raises(InputError, match=r"here, row 2: a label that the model was not trained on\. Found: perhaps"):
        labels_of(["yes", "perhaps"], task=task)


@pytest.fixture(scope="module")
def ec_table(simulated, tmp_path_factory):
    """Give each deciding family a main class, and some proteins two."""
    lines = pl.read_csv(simulated / "domains.tsv", separator="\t")
    classes = [re.findall(r"Deciding_(\d)", cell) for cell in lines["domains"]]
    numbers = [f"{min(int(found[0]), 3)}.1.1.1" if found else "" for found in classes]
    numbers[:4] = ["1.1.1.1;2.1.1.1"] * 4
    path = tmp_path_factory.mktemp("ec") / "ec.tsv"
    lines.with_columns(pl.Series("target", numbers)).write_csv(path, separator="\t")
    return path


def test_main_classes_are_learned(ec_table, tmp_path):
    settings = {**SMALL, "epochs": 25, "patience": 25, "hidden": (64, 32), "dropout": 0.1}
    run = primase.train(APP.name, table=ec_table, answer="main-class", out=tmp_path / "model", **settings)
    assert run.metrics["task"] == "multiclass"
    assert run.metrics["test"]["accuracy"]["value"] > 0.8
    assert {"macro_auroc", "macro_f1"} <= set(run.metrics["test"])
    findings = {finding["finding"]: finding["count"] for finding in run.metrics["audit"]}
    assert findings["several main classes"] == findings["no answer"] == 4
    predictions = pl.read_parquet(run.path / "predictions.parquet")
    assert set(predictions["target"]) == {"not an enzyme", "EC 1", "EC 2", "EC 3"}
    assert len(pl.read_parquet(run.path / "members.parquet")) == 296
    assert "<script" not in (run.path / "report.html").read_text(encoding="utf-8")


def test_the_same_numbers_tell_enzymes_from_others(ec_table):
    labelled = read(table=ec_table)
    assert labelled.task == Task("binary", ENZYME)
    assert np.bincount(labelled.examples.targets).tolist() == [150, 150]


# What is homologous


def partition_of(tmp_path, domains, **settings):
    generator = np.random.default_rng(0)
    targets = np.where(generator.random(len(domains)) < 0.5, "yes", "no")
    path = table(tmp_path / "t.tsv", {"domains": domains, "target": targets})
    return pipeline.audit(APP, configure(APP.configuration, {"table": path, **settings})).partition


def test_identical_domain_sets_are_never_torn(tmp_path):
    generator = np.random.default_rng(1)
    sets = [";".join(generator.permutation([f"F{number}", f"G{number % 7}"])) for number in range(60) for _ in range(5)]
    partition = partition_of(tmp_path, sets)
    names = partition.names(len(sets)).reshape(60, 5)
    assert partition.policy == "cluster"
    assert all(len(set(row)) == 1 for row in names)
    assert len(np.unique(partition.units)) == 60


def test_one_common_domain_is_no_homology(tmp_path):
    partition = partition_of(tmp_path, [f"Common;F{number}" for number in range(100)])
    assert len(np.unique(partition.units)) == 100


def test_having_no_domain_is_no_homology(tmp_path):
    partition = partition_of(tmp_path, [""] * 50 + [f"F{number}" for number in range(50)])
    assert len(np.unique(partition.units)) == 100
    assert {partition.names(100)[row] for row in range(50)} == set(PARTS)


def test_a_random_split_tears_them(tmp_path):
    sets = [f"F{number % 20}" for number in range(200)]
    partition = partition_of(tmp_path, sets, split="random")
    assert partition.policy == "random"
    assert len(np.unique(partition.units)) == 200
    assert partition.sizes == {"train": 160, "validation": 20, "test": 20}


def test_similar_sequences_are_never_torn(simulated, records, tmp_path):
    generator = np.random.default_rng(0)
    rows = []
    for name, sequence, target in records.sample(60, seed=1).iter_rows():
        letters = np.array(list(sequence))
        for copy in range(3):
            mutated = letters.copy()
            mutated[generator.choice(len(letters), size=len(letters) // 50)] = "A"
            rows.append((f"{name}.{copy}", "".join(mutated), target))
    pl.DataFrame(rows, schema=["id", "sequence", "target"], orient="row").write_csv(tmp_path / "t.csv")
    settings = {"table": tmp_path / "t.csv", "profiles": simulated / "profiles.hmm"}
    audited = pipeline.audit(APP, configure(APP.configuration, settings))
    names = audited.partition.names(180).reshape(60, 3)
    assert all(len(set(row)) == 1 for row in names)
    findings = {finding.finding: finding.count for finding in audited.findings}
    assert findings["near-identical sequences across the split"] == 0


# Honest answers


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory):
    """Train on names that a page must not believe."""
    folder = tmp_path_factory.mktemp("hostile")
    names = [f"<script>alert({number})</script>" for number in range(12)]
    generator = np.random.default_rng(0)
    chosen = [[str(name) for name in generator.choice(names, size=3, replace=False)] for _ in range(150)]
    targets = ["<b>yes</b>" if names[0] in families else "<i>no</i>" for families in chosen]
    columns = {"id": [f"<img src=x>{row}" for row in range(150)], "domains": [";".join(row) for row in chosen]}
    path = table(folder / "t.tsv", {**columns, "target": targets})
    return path, primase.train(APP.name, table=path, out=folder / "model", **{**SMALL, "split": "random"})


def test_a_report_believes_no_name(hostile_run, tmp_path):
    path, run = hostile_run
    run.model.explain(path, tmp_path / "why")
    for page in (run.path / "report.html", tmp_path / "why" / "report.html"):
        text = page.read_text(encoding="utf-8")
        assert "&lt;script&gt;alert(" in text
        assert not re.search(r"<script|<img src=x|<b>yes|<i>no", text)


def test_a_protein_about_which_nothing_is_known_is_marked(hostile_run, tmp_path):
    _, run = hostile_run
    path = table(
        tmp_path / "new.tsv", {"id": ["x", "y", "z"], "domains": ["<script>alert(1)</script>", "Unheard_of", ""]}
    )
    answers = run.model.predict(path)
    assert answers["evidence"].n_unique() == 2
    assert answers["evidence"][1] == answers["evidence"][2] != answers["evidence"][0]
    assert answers["domains"].to_list() == ["<script>alert(1)</script>", "Unheard_of", ""]
    assert answers["id"].to_list() == ["x", "y", "z"]


def test_figures_of_proteins_without_a_known_domain_stand_apart(tmp_path):
    generator = np.random.default_rng(0)
    sets = ["" if row % 3 == 0 else f"F{generator.integers(10)}" for row in range(300)]
    targets = ["yes" if "F1" in text or generator.random() < 0.3 else "no" for text in sets]
    path = table(tmp_path / "t.tsv", {"domains": sets, "target": targets})
    run = primase.train(APP.name, table=path, out=tmp_path / "model", **{**SMALL, "split": "random"})
    assert any("no known domain" in name for name in run.metrics["subsets"])
    findings = {finding["finding"]: finding for finding in run.metrics["audit"]}
    assert findings["proteins without any domain"]["count"] == 100
    assert findings["proteins without any domain"]["severity"] == "warning"


# Real data


@pytest.fixture
def real(mirror, monkeypatch, tmp_path):
    """Fetch a data set from the mirror alone."""
    monkeypatch.setenv("PRIMASE_CACHE", str(tmp_path / "cache"))

    def fetched(name):
        (source,) = [source for source in APP.sources if source.name == name]
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("primase.data.fetch.download", _refuse)
                patch.setattr("primase.data.fetch.take_from_package", _refuse)
                return fetch(source)
        except SourceError:
            return pytest.skip(f"{name} is not in the mirror {mirror}")

    return fetched


def _refuse(*_, **__):
    what = "the mirror alone is looked in"
    raise SourceError(what)


@pytest.mark.slow
def test_the_paper_s_set_leaks_on_its_random_split(real):
    real("enzyme-pfam")
    settings = {"dataset": "enzyme-pfam", "split": "random"}
    audited = pipeline.audit(APP, configure(APP.configuration, settings))
    assert len(audited.labelled.examples) == 44_336
    findings = {finding.finding: finding for finding in audited.findings}
    assert findings["proteins without any domain"].count == 3_796
    twins = findings["twins across the split"]
    assert twins.severity == "warning"
    assert twins.count / audited.partition.sizes["test"] == pytest.approx(0.67, abs=0.08)
    clustered = pipeline.audit(APP, configure(APP.configuration, {**settings, "split": "cluster"}))
    rest = {finding.finding: finding for finding in clustered.findings}["twins across the split"]
    fingerprints = clustered.fingerprints[clustered.partition.test]
    assert rest.count == (fingerprints == "").sum()
    assert clustered.partition.sizes["test"] == pytest.approx(4_434, abs=50)


@pytest.mark.slow
def test_yeast_with_the_registered_profiles(real, tmp_path):
    real("pfam-subset")
    (archive,) = real("yeast-proteome").values()
    proteins = [protein for protein, _ in zip(read_proteins(archive), range(200), strict=False)]
    columns = {
        "id": [protein.locus_tag for protein in proteins],
        "sequence": [protein.translation for protein in proteins],
        "ec": [";".join(protein.ec_numbers) for protein in proteins],
    }
    path = table(tmp_path / "yeast.csv", columns)
    run = primase.train(APP.name, table=path, target_column="ec", out=tmp_path / "model", **SMALL)
    assert sum(run.metrics["split"]["sizes"].values()) == 200
    state = json.loads((run.path / "bundle.json").read_text(encoding="utf-8"))["task"]
    assert tuple(state["labels"]) == ENZYME
    answers = run.model.predict(path)
    assert answers["domains"].str.len_chars().gt(0).sum() > 20


def test_zero_and_one_as_tables_write_them_are_no_ec_numbers():
    understood, names = labels_of(["1.0", "0.0", "1.0", ""])
    assert understood.task.labels == ("0.0", "1.0")
    assert names == ["1.0", "0.0", "1.0", None]


def test_rows_without_ids_may_be_numbered_alike_in_two_parts(tmp_path):
    train = table(tmp_path / "train.tsv", {"domains": ["A", "B", "A", "B"] * 10, "target": ["y", "n"] * 20})
    test = table(tmp_path / "test.tsv", {"domains": ["B", "A"], "target": ["n", "y"]})
    ids = read(table=train, test_table=test).examples.ids.tolist()
    assert (ids[1], ids[-1]) == ("train-row-2", "test-row-2")


def test_a_table_of_dna_is_refused(tmp_path):
    cells = {"sequence": ["ACGTTGCAACGGTATCGA" * 5] * 4, "target": ["y", "n"] * 2}
    with pytest.raises(InputError, match=r"t\.tsv, column sequence: the sequences look like DNA"):
        read(table=table(tmp_path / "t.tsv", cells))


def test_an_answer_that_cannot_be_read_is_named_by_file_and_line(tmp_path):
    path = table(tmp_path / "t.tsv", {"domains": ["A", "B", "C"], "target": ["1.1.1.1", "", "what"]})
    with pytest.raises(InputError, match=r"t\.tsv, line 4: an answer is no EC number"):
        read(table=path)


def test_groups_stay_together_whatever_the_policy(tmp_path):
    cells = {"domains": ["A", "B"] * 100, "target": ["y", "n"] * 100, "patient": [str(row // 4) for row in range(200)]}
    settings = {"table": table(tmp_path / "t.tsv", cells), "group_column": "patient", "split": "random"}
    partition = pipeline.audit(APP, configure(APP.configuration, settings)).partition
    parts = partition.names(200).reshape(-1, 4)
    assert (parts == parts[:, :1]).all()


def test_a_group_column_needs_a_table(simulated):
    pair = {name: simulated / f"{name}.fa" for name in ("positives", "negatives")}
    with pytest.raises(InputError, match="--group-column names a column of --table"):
        configure(APP.configuration, {**pair, "group_column": "patient"})


def test_one_sequence_with_two_answers_is_named(simulated, records, tmp_path):
    doubled = pl.concat(
        [records, records.head(2).with_columns(id="again-" + pl.col("id"), target=pl.lit("non-enzyme"))]
    )
    doubled.write_csv(tmp_path / "t.csv")
    settings = {"table": tmp_path / "t.csv", "profiles": simulated / "profiles.hmm"}
    findings = {
        finding.finding: finding for finding in pipeline.audit(APP, configure(APP.configuration, settings)).findings
    }
    assert findings["conflicting sequences"].count == 2
    assert f"{records['id'][0]} and again-{records['id'][0]}" in findings["conflicting sequences"].text


def test_a_model_of_sequences_says_what_it_misses_in_domain_lists(simulated, tmp_path):
    lists = table(tmp_path / "t.tsv", {"id": ["a"], "domains": ["Deciding_1"]})
    heard = []
    encoder = ProteinEncoder(("Deciding_1",), profiles={"file": "profiles.hmm", "sha256": "0"})
    blocks = list(APP.load().stream(lists, configure(APP.configuration, {}), encoder, heard.append))
    assert [len(block) for block in blocks] == [1]
    assert any("usual length and composition" in event.text for event in heard)
