"""Bad expression profiles: one message that names what is wrong and where; and good ones work, however they lie."""

import gzip

import anndata
import numpy as np
import pandas as pd
import polars as pl
import pytest

INFERENCE = "expression-inference"
GENES = ["TP53", "EGFR", "MYC", "ESR1", "GATA3", "CDK4", "KRT5", "KRT14", "AGR2", "FOXA1", "XBP1", "TFF1"]
LANDMARKS = GENES[:4]
SAMPLES = [f"tumour_{number:02}" for number in range(60)]
SMALL = ["--epochs", "2", "--members", "1", "--hidden", "8"]


def counts():
    generator = np.random.default_rng(0)
    programmes = generator.normal(size=(len(SAMPLES), 3))
    return np.rint(2 ** (6 + programmes @ generator.normal(size=(3, len(GENES))))).astype(int)


def table(rows=None, genes=GENES, samples=SAMPLES):
    values = counts() if rows is None else rows
    lines = ["\t".join(["sample", "patient", *genes])]
    lines += [
        "\t".join([name, f"patient_{place // 2}", *map(str, row)])
        for place, (name, row) in enumerate(zip(samples, values, strict=True))
    ]
    return "\n".join(lines) + "\n"


def turned(text):
    """Lay a table with genes in rows."""
    rows = [line.split("\t") for line in text.splitlines()]
    kept = [[row[0], *row[2:]] for row in rows]
    return "\n".join("\t".join(column) for column in zip(*kept, strict=True)) + "\n"


def replaced(text, line, cell, value):
    """Put a value in a cell of a table, both counted from 1."""
    rows = [row.split("\t") for row in text.splitlines()]
    rows[line - 1][cell - 1] = value
    return "\n".join("\t".join(row) for row in rows) + "\n"


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "expression.tsv").write_text(table())
    (folder / "landmarks.txt").write_text("\n".join(LANDMARKS) + "\n")
    # anndata cannot write the texts of pandas 3 yet.
    names, genes = (pd.Index(texts, dtype=object) for texts in (SAMPLES, GENES))
    obs = pd.DataFrame({"cohort": pd.Series(["A", "B"] * 30, index=names, dtype=object)}, index=names)
    texts = {"symbol": pd.Series(GENES, index=genes, dtype=object)}
    for name, columns in (("expression", {}), ("symbols", texts)):
        var = pd.DataFrame(columns, index=genes)
        data = anndata.AnnData(counts().astype(np.float32), obs=obs, var=var, layers={"counts": counts()})
        data.write_h5ad(folder / f"{name}.h5ad")
    return folder


def train(*words, file="--table expression.tsv", landmarks="landmarks.txt", out="model"):
    return ["train", INFERENCE, *file.split(), "--landmarks", landmarks, *words, *SMALL, "--out", out]


def write(work, text, name="expression.tsv"):
    (work / name).write_text(text)


# Tables


def test_the_wrong_orientation(refuses, work):
    message = refuses(*train("--orientation", "genes-in-rows"))
    assert all(word in message for word in ("landmarks.txt", "tumour_00", "--orientation"))


def test_no_landmark_present(refuses, work):
    write(work, "BRCA1\nBRCA2\n", "others.txt")
    message = refuses(*train(landmarks="others.txt"))
    assert all(word in message for word in ("others.txt", "BRCA1", "TP53"))


def test_a_sample_named_twice(refuses, work):
    write(work, table(samples=[*SAMPLES[:-1], "tumour_03"]))
    message = refuses(*train())
    assert all(word in message for word in ("expression.tsv", "tumour_03"))


def test_a_missing_value(refuses, work):
    write(work, replaced(table(), 5, 4, "NA"))
    message = refuses(*train())
    assert all(word in message for word in ("expression.tsv", "EGFR", "--missing mean"))
    assert "tumour_03" in message or "line 5" in message


def test_text_among_numbers(refuses, work):
    write(work, replaced(table(), 7, 6, "high"))
    message = refuses(*train())
    assert all(word in message for word in ("expression.tsv", "line 7", "ESR1", "high"))


def test_negative_counts(refuses, work):
    write(work, replaced(table(), 3, 5, "-4"))
    message = refuses(*train("--scale", "raw"))
    assert all(word in message for word in ("expression.tsv", "MYC", "-4"))


def test_nothing_but_constant_targets(refuses, work):
    values = counts()
    values[:, len(LANDMARKS) :] = 7
    write(work, table(values))
    assert "vary" in refuses(*train()) or "constant" in refuses(*train())


def test_a_constant_target_is_left_out(command_line, work, monkeypatch):
    monkeypatch.chdir(work)
    values = counts()
    values[:, -1] = 7
    write(work, table(values))
    assert command_line(*train()).status == 0
    assert "value_TFF1" not in pl.read_parquet(work / "model" / "predictions.parquet").columns


def test_a_header_alone(refuses, work):
    write(work, table().splitlines()[0] + "\n")
    assert "expression.tsv" in refuses(*train())


# AnnData


def test_a_column_that_is_not_there(refuses, work):
    message = refuses(*train("--group-column", "donor", file="--h5ad expression.h5ad"))
    assert all(word in message for word in ("expression.h5ad", "donor", "cohort"))


def test_a_layer_that_is_not_there(refuses, work):
    message = refuses(*train("--layer", "logcounts", file="--h5ad expression.h5ad"))
    assert all(word in message for word in ("expression.h5ad", "logcounts", "counts"))


def test_a_file_that_is_no_h5ad(refuses, work):
    (work / "expression.h5ad").write_text(table())
    assert "expression.h5ad" in refuses(*train(file="--h5ad expression.h5ad"))


# Good ones


@pytest.fixture
def model(command_line, work, monkeypatch):
    monkeypatch.chdir(work)
    assert command_line(*train("--group-column", "patient")).status == 0
    return work


def predicted(command_line, work, *words):
    (work / "predicted.parquet").unlink(missing_ok=True)
    outcome = command_line("predict", "model", *words, "--out", "predicted.parquet")
    assert outcome.status == 0, outcome.error
    return pl.read_parquet(work / "predicted.parquet")


def test_it_does_not_matter_how_a_table_lies(command_line, model):
    expected = predicted(command_line, model, "expression.tsv")
    assert expected.columns[:2] == ["id", "value_GATA3"]
    order = np.random.default_rng(1).permutation(len(GENES))
    write(model, table(counts()[:, order], [GENES[place] for place in order]), "shuffled.tsv")
    write(model, turned(table()), "turned.tsv")
    (model / "windows.csv.gz").write_bytes(
        gzip.compress(table().replace("\t", ",").replace("\n", "\r\n").encode(), mtime=0)
    )
    for name in ("shuffled.tsv", "turned.tsv", "windows.csv.gz", "expression.h5ad"):
        found = predicted(command_line, model, name)
        assert found["id"].to_list() == expected["id"].to_list(), name
        values = [table.select(pl.selectors.starts_with("value_")).to_numpy() for table in (found, expected)]
        np.testing.assert_allclose(*values, rtol=1e-4, err_msg=name)


def test_missing_genes_are_named_and_tolerated_on_request(refuses, command_line, model):
    kept = [0, *range(2, len(GENES))]
    write(model, table(counts()[:, kept], [GENES[place] for place in kept]), "fewer.tsv")
    message = refuses("predict", "model", "fewer.tsv", "--out", "predicted.parquet")
    assert all(word in message for word in ("fewer.tsv", "EGFR", "--missing-genes mean"))
    assert len(predicted(command_line, model, "fewer.tsv", "--missing-genes", "mean")) == len(SAMPLES)


def test_new_data_are_judged(command_line, model):
    outcome = command_line("evaluate", "model", "--table", "expression.tsv", "--out", "judged")
    assert outcome.status == 0, outcome.error
    assert (model / "judged" / "targets.parquet").exists()


def test_a_model_of_anndata_reads_tables_too(command_line, work, monkeypatch):
    monkeypatch.chdir(work)
    words = ("--gene-names", "symbol", "--layer", "counts")
    assert command_line(*train(*words, file="--h5ad symbols.h5ad")).status == 0
    expected = predicted(command_line, work, "symbols.h5ad")
    assert predicted(command_line, work, "expression.tsv").equals(expected)
    assert predicted(command_line, work, "expression.h5ad", "--gene-names", "index", "--layer", "X").equals(expected)
    outcome = command_line("evaluate", "model", "--table", "expression.tsv", "--out", "judged")
    assert outcome.status == 0, outcome.error


def test_the_other_scale_than_in_training(refuses, model):
    message = refuses("predict", "model", "expression.tsv", "--scale", "log", "--out", "predicted.parquet")
    assert all(word in message for word in ("--scale log", "--scale raw"))


def test_a_stray_negative_value_among_counts_is_warned_of(command_line, work, monkeypatch):
    monkeypatch.chdir(work)
    write(work, replaced(table(), 3, 5, "-4"))
    outcome = command_line("audit", INFERENCE, "--table", "expression.tsv", "--landmarks", "landmarks.txt")
    assert outcome.status == 0
    (line,) = [line for line in outcome.output.splitlines() if "which no logarithm is" in line]
    assert "warning" in line
    assert "MYC" in line
