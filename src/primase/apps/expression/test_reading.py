import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from primase.apps.expression.configuration import ExpressionConfiguration, ExpressionData
from primase.apps.expression.profiles import Profiles
from primase.apps.expression.reading import read_profiles, stream_profiles
from primase.bio.expression import is_raw
from primase.configuration import configure
from primase.errors import ConfigurationError, InputError
from primase.events import Notice

GENES = ["TP53", "BRCA1", "ESR1", "GATA3", "MYC", "EGFR"]
SAMPLES = [f"TCGA-0{number}" for number in range(8)]
RAW = np.round(np.random.default_rng(0).gamma(1, 100, (8, 6)), 2)
LOG = np.log2(RAW + 1)


def frame(values=RAW, samples=SAMPLES, genes=GENES):
    return pd.DataFrame(values, index=pd.Index(list(samples), dtype=object), columns=list(genes))


def write(path, table):
    table.to_csv(path)
    return path


def words(names):
    # as objects: anndata 0.12 cannot write the words of pandas 3
    return pd.Index(np.array(list(names), dtype=object), dtype=object)


def write_h5ad(path, values=RAW, genes=GENES, samples=SAMPLES):
    matrix = values if sparse.issparse(values) else values.astype(np.float32)
    obs, var = pd.DataFrame(index=words(samples)), pd.DataFrame(index=words(genes))
    ad.AnnData(X=matrix, obs=obs, var=var).write_h5ad(path)
    return path


def findings(read):
    return {finding.finding: finding for finding in read.findings}


PATIENTS = ["p1", "p1", "p2", "p3", "p4", "p4", "p5", "p6"]


# What is read


@pytest.mark.parametrize("form", ["table", "turned", "parquet", "h5ad"])
def test_every_form_gives_the_same_profiles(tmp_path, form):
    if form == "h5ad":
        data = ExpressionData(h5ad=write_h5ad(tmp_path / "a.h5ad"))
    elif form == "parquet":
        frame().to_parquet(tmp_path / "a.parquet")
        data = ExpressionData(table=tmp_path / "a.parquet")
    else:
        data = ExpressionData(table=write(tmp_path / "a.csv", frame().T if form == "turned" else frame()))
    read = read_profiles(data)
    assert read.ids.tolist() == SAMPLES
    assert read.profiles.genes == tuple(GENES)
    assert is_raw(read.profiles.store)
    np.testing.assert_allclose(read.profiles.values(), LOG, rtol=1e-5)
    if form != "h5ad":
        assert "--orientation" in findings(read)["orientation"].text


def test_the_scale_is_guessed_said_and_overridden(tmp_path):
    raw, log = write(tmp_path / "raw.csv", frame()), write(tmp_path / "log.csv", frame(LOG))
    assert "say --scale log" in findings(read_profiles(ExpressionData(table=raw)))["scale"].text
    guessed = read_profiles(ExpressionData(table=log))
    assert not is_raw(guessed.profiles.store)
    assert "say --scale raw" in findings(guessed)["scale"].text
    np.testing.assert_allclose(guessed.profiles.values(), LOG, rtol=1e-5)
    said = read_profiles(ExpressionData(table=log, scale="raw"))
    np.testing.assert_allclose(said.profiles.values(), np.log2(LOG + 1), rtol=1e-5)
    said = read_profiles(ExpressionData(table=raw, scale="log"))
    np.testing.assert_allclose(said.profiles.values(), RAW, rtol=1e-5)


def test_groups_labels_and_other_words(tmp_path):
    table = frame().assign(patient=PATIENTS, er=[0, 1] * 4, batch=list("aabbaabb"))
    data = ExpressionData(table=write(tmp_path / "a.csv", table), group_column="patient", label_column=("er",))
    read = read_profiles(data)
    assert read.profiles.genes == tuple(GENES)
    assert read.annotations["er"].tolist() == ["0", "1"] * 4
    group = read.groups["patient"]
    assert group[0] == group[1] != group[2]
    assert "batch" in findings(read)["columns of words"].text
    whole = read.examples()
    assert whole.targets.shape == (8, 0)
    assert whole.covariates["batch"].tolist() == list("aabbaabb")


def test_a_sample_without_a_group_stands_alone(tmp_path):
    table = frame().assign(patient=["p1", "", "", "p1", "p2", "p3", "p4", "p5"])
    read = read_profiles(ExpressionData(table=write(tmp_path / "a.csv", table), group_column="patient"))
    group = read.groups["patient"]
    assert group[0] == group[3]
    assert len({*group.tolist()}) == 7
    assert findings(read)["samples without a group"].count == 2


def test_annotations_stand_in_a_table_of_their_own(tmp_path):
    samples = pd.DataFrame({"sample": [*SAMPLES[:0:-1], "other"], "patient": [*PATIENTS[:0:-1], "p9"]})
    samples.to_csv(tmp_path / "samples.csv", index=False)
    data = ExpressionData(
        table=write(tmp_path / "a.csv", frame().T), samples=tmp_path / "samples.csv", group_column="patient"
    )
    read = read_profiles(data)
    assert read.annotations["patient"].tolist() == ["", *PATIENTS[1:]]
    assert findings(read)["samples without annotation"].count == 1
    # The same for AnnData, whose obs need not have the column then.
    data = ExpressionData(
        h5ad=write_h5ad(tmp_path / "a.h5ad"), samples=tmp_path / "samples.csv", label_column=("patient",)
    )
    assert read_profiles(data).annotations["patient"].tolist() == ["", *PATIENTS[1:]]


def test_a_table_of_other_samples_is_refused(tmp_path):
    pd.DataFrame({"sample": ["x", "y"], "patient": ["1", "2"]}).to_csv(tmp_path / "samples.csv", index=False)
    data = ExpressionData(table=write(tmp_path / "a.csv", frame()), samples=tmp_path / "samples.csv")
    with pytest.raises(InputError, match=r"describes other samples.*--id-column"):
        read_profiles(data)
    pd.DataFrame({"sample": [SAMPLES[0]] * 2, "patient": ["1", "2"]}).to_csv(tmp_path / "samples.csv", index=False)
    with pytest.raises(InputError, match="line 3: a sample is described twice"):
        read_profiles(data)


def test_parts_given_apart_are_read_by_the_names_of_genes(tmp_path):
    train = write(tmp_path / "train.csv", frame().iloc[:4])
    other = frame().iloc[4:6][[*reversed(GENES)]].assign(ABL1=3.0)
    data = ExpressionData(
        table=train,
        validation_table=write(tmp_path / "validation.csv", other),
        test_table=write(tmp_path / "test.csv", frame().iloc[6:].T),
    )
    read = read_profiles(data)
    assert read.parts.tolist() == ["train"] * 4 + ["validation"] * 2 + ["test"] * 2
    assert read.profiles.genes == tuple(GENES)
    np.testing.assert_allclose(read.profiles.values(), LOG, rtol=1e-5)
    assert findings(read)["genes not in all parts"].count == 1


def test_one_sample_in_two_parts_is_refused(tmp_path):
    data = ExpressionData(
        table=write(tmp_path / "a.csv", frame().iloc[:5]), test_table=write(tmp_path / "b.csv", frame().iloc[4:])
    )
    with pytest.raises(InputError, match=r"b\.csv: a sample name stands twice.*TCGA-04.*a\.csv"):
        read_profiles(data)


def test_parts_without_a_common_gene_are_refused(tmp_path):
    other = frame(RAW, [f"x{number}" for number in range(8)], [f"ABC{number}" for number in range(6)])
    data = ExpressionData(table=write(tmp_path / "a.csv", frame()), test_table=write(tmp_path / "b.csv", other))
    with pytest.raises(InputError, match="no gene in common"):
        read_profiles(data)


# What is odd


def test_what_is_odd_is_found(tmp_path):
    table = frame().assign(BATCH=1.0, age=range(8))
    table.insert(0, "TP53_again", RAW[:, 0])
    table = table.rename(columns={"TP53_again": "TP53"})
    read = read_profiles(ExpressionData(table=write(tmp_path / "a.csv", table)))
    found = findings(read)
    assert "added" in found["repeated genes"].text
    assert found["constant genes"].count == 1
    assert found["columns that may be no genes"].count == 2
    values = read.profiles.only(["TP53"]).values()[:, 0]
    np.testing.assert_allclose(values, np.log2(2 * RAW[:, 0] + 1), rtol=1e-5)
    assert findings(read_profiles(ExpressionData(table=write(tmp_path / "b.csv", frame(LOG - 5)))))["negative values"]


def test_missing_values_are_refused_or_reported(tmp_path):
    values = RAW.copy()
    values[3, 2] = values[5, 1] = np.nan
    path = write(tmp_path / "a.csv", frame(values))
    with pytest.raises(
        InputError, match=r"line 5, sample 'TCGA-03', gene 'ESR1': 2 values are missing.*--missing mean"
    ):
        read_profiles(ExpressionData(table=path))
    read = read_profiles(ExpressionData(table=path, missing="mean"))
    finding = findings(read)["missing values"]
    assert (finding.count, finding.severity) == (2, "warning")
    assert np.argwhere(np.isnan(read.profiles.values())).tolist() == [[3, 2], [5, 1]]


@pytest.mark.parametrize(
    ("value", "scale", "said"),
    [
        (-1.5, "raw", r"gene 'ESR1': 1 values are negative.*Found: -1\.5.*--scale log"),
        (np.inf, "auto", "gene 'ESR1': a value is infinite"),
        (-np.inf, "log", "a value is infinite.*pseudocount"),
    ],
)
def test_impossible_values_are_named(tmp_path, value, scale, said):
    values = RAW.copy()
    values[3, 2] = value
    path = write(tmp_path / "a.csv", frame(values))
    with pytest.raises(InputError, match=said):
        read_profiles(ExpressionData(table=path, scale=scale))


def test_samples_and_genes_that_changed_places_are_a_finding(tmp_path):
    path = write_h5ad(tmp_path / "a.h5ad", RAW.T, SAMPLES, GENES)
    finding = findings(read_profiles(ExpressionData(h5ad=path)))["samples and genes swapped"]
    assert finding.severity == "warning"


# What does not fit


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "there is no input"),
        ({"dataset": "nothing"}, "holds no expression profiles.*breast-cancer-expression"),
        ({"table": "a.csv", "layer": "counts"}, "only AnnData files have layers"),
        ({"table": "a.csv", "gene_names": "symbol"}, "--gene-names"),
        ({"h5ad": "a.h5ad", "orientation": "genes-in-rows"}, "samples are always in obs"),
        ({"table": "a.csv", "label_column": ("er",)}, "there is no column 'er'.*--samples"),
        ({"table": "a.csv", "group_column": "patient"}, "there is no column 'patient'.*--group-column"),
        ({"h5ad": "a.h5ad", "label_column": ("er",)}, "obs has no column 'er'"),
        ({"h5ad": "a.h5ad", "layer": "counts"}, "no layer 'counts'"),
    ],
)
def test_settings_that_do_not_fit_are_said(tmp_path, settings, said):
    write(tmp_path / "a.csv", frame())
    write_h5ad(tmp_path / "a.h5ad")
    paths = {name: tmp_path / value for name, value in settings.items() if name in {"table", "h5ad"}}
    with pytest.raises(InputError, match=said):
        read_profiles(ExpressionData(**{**settings, **paths}))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"h5ad": "a", "table": "b"}, "give one input"),
        ({"h5ad": "a", "test_table": "b"}, "--test-table needs --table"),
        ({"table": "a", "validation_h5ad": "b"}, "--validation-h5ad needs --h5ad"),
        ({"dataset": "a", "test_h5ad": "b"}, "no other parts"),
    ],
)
def test_ambiguous_words_are_refused(settings, said):
    with pytest.raises(ConfigurationError, match=said):
        configure(ExpressionConfiguration, settings)
    assert configure(ExpressionConfiguration, {"h5ad": "a", "group_column": "patient"}).data.group_column == "patient"


# What is streamed


def stream(path, genes=GENES, *, raw=True, missing_genes="refuse", **settings):
    heard = []
    blocks = list(
        stream_profiles(path, ExpressionData(**settings), genes, heard.append, raw=raw, missing_genes=missing_genes)
    )
    return blocks, [event.text for event in heard if isinstance(event, Notice)]


@pytest.mark.parametrize("form", ["a.csv", "turned.csv", "a.parquet", "a.h5ad", "sparse.h5ad"])
def test_genes_come_in_the_models_order_whatever_that_of_the_file(tmp_path, form, monkeypatch):
    monkeypatch.setattr("primase.apps.expression.reading._BLOCK_SAMPLES", 3)
    order = [4, 0, 5, 2, 1, 3]
    table = frame(RAW[:, order], genes=[GENES[place] for place in order]).assign(XYZ1=1.0)
    path = tmp_path / form
    if form.endswith("h5ad"):
        values = table.to_numpy(np.float32)
        write_h5ad(path, sparse.csr_matrix(values) if form == "sparse.h5ad" else values, [*table.columns])
    elif form.endswith("parquet"):
        table.to_parquet(path)
    else:
        write(path, table.T if form == "turned.csv" else table)
    blocks, heard = stream(path, GENES[:5])
    assert [len(block) for block in blocks] == [3, 3, 2]
    assert not heard
    assert isinstance(blocks[0].inputs, Profiles)
    assert blocks[0].inputs.genes == tuple(GENES[:5])
    np.testing.assert_allclose(np.concatenate([block.inputs.values() for block in blocks]), LOG[:, :5], rtol=1e-5)
    assert np.concatenate([block.ids for block in blocks]).tolist() == SAMPLES


def test_genes_that_a_file_lacks_are_named_and_tolerated_on_request(tmp_path):
    path = write(tmp_path / "a.csv", frame())
    with pytest.raises(InputError, match=r"2 of the 8 genes.*Found: without ABL1, KIT.*--missing-genes mean"):
        stream(path, [*GENES, "ABL1", "KIT"])
    (block,), heard = stream(path, ["ABL1", *GENES], missing_genes="mean")
    assert "1 of the 7 genes" in heard[0]
    assert np.isnan(block.inputs.values()[:, 0]).all()
    np.testing.assert_allclose(block.inputs.values()[:, 1:], LOG, rtol=1e-5)
    with pytest.raises(InputError, match="2 of the 2 genes"):
        stream(path, ["ABL1", "KIT"], missing_genes="mean")


def test_genes_and_samples_that_changed_places_are_said(tmp_path):
    path = write(tmp_path / "a.csv", frame())
    with pytest.raises(InputError, match="changed places"):
        stream(path, GENES, orientation="genes-in-rows")


def test_impossible_values_are_named_in_a_stream(tmp_path):
    values = RAW.copy()
    values[6, 3] = -0.5
    path = write(tmp_path / "a.csv", frame(values))
    with pytest.raises(InputError, match=r"line 8, sample 'TCGA-06', gene 'GATA3': a value is negative.*-0.5"):
        stream(path)
    values[6, 3] = np.nan
    path = write(tmp_path / "b.csv", frame(values))
    with pytest.raises(InputError, match=r"line 8.*a value is missing.*--missing mean"):
        stream(path)
    stream(path, [gene for gene in GENES if gene != "GATA3"])
    (block,), _ = stream(path, missing="mean")
    assert np.isnan(block.inputs.values()).sum() == 1


def test_another_scale_than_in_training_is_doubted(tmp_path):
    values = np.random.default_rng(0).gamma(1, 100, (40, 6))
    names = [f"TCGA-{number}" for number in range(40)]
    raw = write(tmp_path / "raw.csv", frame(values, names))
    log = write(tmp_path / "log.csv", frame(np.log2(values + 1), names))
    for path, as_raw, expected in ((raw, True, 0), (log, False, 0), (raw, False, 1), (log, True, 1)):
        assert len(stream(path, raw=as_raw)[1]) == expected


def test_a_part_on_another_scale_than_train_is_a_finding(tmp_path):
    values = np.random.default_rng(0).gamma(1, 100, (90, 6))
    raw, log, more = (
        write(tmp_path / f"{word}.csv", frame(part, [f"{word}{number}" for number in range(30)]))
        for word, part in (("raw", values[:30]), ("log", np.log2(values[30:60] + 1)), ("more", values[60:]))
    )
    finding = findings(read_profiles(ExpressionData(table=raw, validation_table=more, test_table=log)))["another scale"]
    assert (finding.count, finding.severity) == (30, "warning")
    assert "log.csv looks like logarithms" in finding.text
    assert "train has raw values" in finding.text
    said = ExpressionData(table=raw, validation_table=more, test_table=log, scale="raw")
    for data in (said, ExpressionData(table=raw, test_table=more)):
        assert "another scale" not in findings(read_profiles(data))


def test_new_samples_are_read_on_the_scale_of_the_model_and_doubted(tmp_path):
    values = np.random.default_rng(0).gamma(1, 100, (40, 6))
    names = [f"TCGA-{number}" for number in range(40)]
    raw = write(tmp_path / "raw.csv", frame(values, names))
    log = write(tmp_path / "log.csv", frame(np.log2(values + 1), names))
    for path, learned, doubted in ((raw, True, 0), (log, False, 0), (raw, False, 1), (log, True, 1)):
        read = read_profiles(ExpressionData(table=path), learned_raw=learned)
        assert is_raw(read.profiles.store) is learned
        assert ("another scale" in findings(read)) is bool(doubted)
        assert "as in training" in findings(read)["scale"].text
    read = read_profiles(ExpressionData(table=raw, scale="raw"), learned_raw=False)
    assert is_raw(read.profiles.store)
    assert "another scale" not in findings(read)


def test_a_large_table_stays_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "primase.apps.expression.files.read_file.__kwdefaults__", {"known_genes": (), "limit_bytes": 50}
    )
    monkeypatch.setenv("PRIMASE_CACHE", str(tmp_path / "cache"))
    for name, table in (("a.csv", frame()), ("b.csv", frame().T)):
        read = read_profiles(ExpressionData(table=write(tmp_path / name, table)))
        assert type(read.profiles.store.matrix).__name__ == "FileMatrix"
        np.testing.assert_allclose(read.profiles.values(), LOG, rtol=1e-5)
