"""What is particular about expression embedding, end to end; what every application must do is in tests/contract."""

import importlib
import json
import re

import anndata
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from primase.apps.expression import datasets
from primase.apps.expression.profiles import Profiles
from primase.apps.expression.simulator import simulate
from primase.apps.expression_embedding import generating, pages, realness
from primase.apps.expression_embedding.app import APP
from primase.apps.expression_embedding.axes import MOST_VALUES
from primase.apps.expression_embedding.generating import embedding_of
from primase.apps.expression_embedding.pages import STAGE
from primase.apps.workflow import Labelled
from primase.configuration import configure
from primase.data.examples import Examples
from primase.data.splits import Partition
from primase.data.tasks import Task
from primase.errors import ConfigurationError, InputError
from primase.events import Progress, silent

primase = importlib.import_module("primase")  # the rooms above are not imported from here

FACTORS = 4
SMALL = {"latent": FACTORS, "epochs": 20, "patience": 20, "hidden": (128,)}
COHORTS = ("basal", "luminal", "normal")


def canonical(first, second):
    """Compute canonical correlations, the largest first."""
    bases = [np.linalg.qr(one - one.mean(axis=0))[0] for one in (first, second)]
    return np.linalg.svd(bases[0].T @ bases[1])[1]


@pytest.fixture(scope="module", autouse=True)
def few_trees():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(realness, "TREES", 30)
        yield


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    return folder, simulate(folder, 400, 3).facts


@pytest.fixture(scope="module")
def run(simulated, tmp_path_factory):
    folder, _ = simulated
    heard = []
    found = primase.train(
        APP.name,
        table=folder / "expression.tsv",
        group_column="patient",
        label_column=("subtype",),
        out=tmp_path_factory.mktemp("run") / "model",
        listener=heard.append,
        **SMALL,
    )
    assert any(isinstance(event, Progress) and event.stage == STAGE for event in heard)
    return found


@pytest.fixture(scope="module")
def model(run):
    return primase.load(run.path)


def columns(table, prefix):
    return table.select(pl.col(f"^{prefix}_.*$")).to_numpy()


@pytest.fixture(scope="module")
def embedded(model, simulated, tmp_path_factory):
    out = tmp_path_factory.mktemp("embedded") / "embedding.parquet"
    assert model.embed(out, simulated[0] / "expression.tsv") == 400
    return pl.read_parquet(out)


# What was planted


def test_the_factors_are_found_again_in_samples_that_were_not_trained_on(run, simulated, embedded):
    members = pl.read_parquet(run.path / "members.parquet")
    test = members.filter(pl.col("part") == "test").select("id")
    both = test.join(embedded, on="id").join(pl.read_csv(simulated[0] / "factors.tsv", separator="\t"), on="id")
    assert len(both) >= 30
    assert canonical(columns(both, "latent"), columns(both, "factor")).min() >= 0.95


def test_the_network_reconstructs_what_lines_cannot(run):
    network = run.metrics["test"]["macro_r2"]["value"]
    baselines = {name: figures["macro_r2"]["value"] for name, figures in run.metrics["baselines"].items()}
    assert {"PCA", "factor analysis", "mean"} <= set(baselines)
    assert network > max(baselines.values()) + 0.05
    assert abs(baselines["mean"]) < 0.1


def test_the_genes_of_each_factor_drive_its_latent_number(model, simulated, embedded, tmp_path):
    folder, facts = simulated
    few = tmp_path / "few.tsv"
    few.write_text("\n".join((folder / "expression.tsv").read_text().splitlines()[:21]) + "\n")
    found = model.explain(few, tmp_path / "why")
    assert (tmp_path / "why" / "latent_genes.parquet").exists()
    assert found.check.completeness_error < 0.05 * found.check.score_range
    assert abs(found.check.randomised_agreement) < found.check.agreement
    truth = embedded.join(pl.read_csv(folder / "factors.tsv", separator="\t"), on="id")
    together = np.abs(np.corrcoef(columns(truth, "latent").T, columns(truth, "factor").T)[:FACTORS, FACTORS:])
    for method, rows in found.table.partition_by("method", as_dict=True).items():
        sizes = rows.group_by("target", "feature").agg(pl.col("value").abs().mean())
        for factor in range(FACTORS):
            target = f"latent_{together[:, factor].argmax() + 1}"
            own = sizes.filter((pl.col("target") == target) & pl.col("feature").str.starts_with("LM"))
            planted = [facts["landmarks"][gene] == f"factor_{factor + 1}" for gene in own["feature"]]
            assert roc_auc_score(planted, own["value"]) >= 0.95, (method, factor)


def test_the_label_that_was_not_seen_is_judged_and_the_samples_too(run):
    insights = run.metrics["insights"]
    label = insights["subtype by nearest neighbours"]
    assert label["network"]["low"] < label["network"]["value"] < label["network"]["high"]
    assert label["difference"]["value"] == pytest.approx(label["network"]["value"] - label["PCA"]["value"])
    made = insights["samples generated by the network"]
    assert 0.5 < made["forest_auroc"]["value"] <= insights["Gaussians on PCA scores"]["forest_auroc"]["value"] + 0.1
    assert made["relative_distance"]["value"] > 0.5, "nothing was copied"
    assert insights["latent space"]["active_dimensions"]["value"] == FACTORS
    page = (run.path / "report.html").read_text()
    assert "reconstructs better than principal components" in page
    assert "A map of the samples" in page


# What is written


def test_reconstructions_are_on_the_scale_of_the_file(model, run, simulated, tmp_path):
    model.reconstruct(simulated[0] / "expression.tsv", tmp_path / "again.parquet")
    written = pl.read_parquet(tmp_path / "again.parquet")
    real = pl.read_csv(simulated[0] / "expression.tsv", separator="\t")
    genes = written.columns[1:]
    logs = [np.log2(table.select(genes).to_numpy().astype(float) + 1) for table in (real, written)]
    left = ((logs[0] - logs[1]) ** 2).sum(axis=0) / ((logs[0] - logs[0].mean(axis=0)) ** 2).sum(axis=0)
    assert np.mean(1 - left) == pytest.approx(run.metrics["test"]["macro_r2"]["value"], abs=0.1)
    assert written["id"].to_list() == real["id"].to_list()


def test_the_order_of_genes_and_the_other_orientation_do_not_matter(model, simulated, embedded, tmp_path):
    table = pl.read_csv(simulated[0] / "expression.tsv", separator="\t").head(30)
    genes = [name for name in table.columns if name[:2] in {"LM", "TG"}]
    turned = table.select("id", *genes[::-1])
    turned.write_csv(tmp_path / "turned.csv")
    model.embed(tmp_path / "turned.tsv", tmp_path / "turned.csv")
    again = pl.read_csv(tmp_path / "turned.tsv", separator="\t")
    np.testing.assert_allclose(columns(again, "latent"), columns(embedded.head(30), "latent"), atol=1e-4)


def test_a_missing_gene_is_named_and_tolerated_on_request(model, simulated, tmp_path):
    table = pl.read_csv(simulated[0] / "expression.tsv", separator="\t").head(5).drop("TG7")
    table.write_csv(tmp_path / "less.csv")
    with pytest.raises(InputError, match="TG7"):
        model.embed(tmp_path / "out.csv", tmp_path / "less.csv")
    assert model.embed(tmp_path / "out.csv", tmp_path / "less.csv", missing_genes="mean") == 5


def test_new_samples_are_the_same_for_the_same_seed(model, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert model.generate(tmp_path / f"{name}.csv", count=20, seed=seed) == 20
    texts = [(tmp_path / f"{name}.csv").read_text() for name in "abc"]
    assert texts[0] == texts[1] != texts[2]
    with pytest.raises(ConfigurationError, match="no particular kind"):
        model.generate(tmp_path / "d.csv", count=2, conditions=("basal",))


@pytest.mark.parametrize("which", ["model", "told"])
def test_a_new_sample_depends_on_the_seed_and_its_place_alone(which, request, tmp_path, monkeypatch):
    monkeypatch.setattr(generating, "BLOCK", 8)
    model = request.getfixturevalue(which)
    model = getattr(model, "model", model)
    tables = []
    for count in (5, 10, 23):
        model.generate(tmp_path / f"{count}.parquet", count=count, seed=1)
        tables.append(pl.read_parquet(tmp_path / f"{count}.parquet"))
    assert [len(table) for table in tables] == [5, 10, 23]
    assert tables[0].equals(tables[1].head(5))
    assert tables[1].equals(tables[2].head(10))
    assert not tables[2][8:16].drop("id").equals(tables[2][:8].drop("id"))


# Conditions, from a file on disk


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """Write counts of three cohorts with many zeros, to an AnnData file."""
    generator = np.random.default_rng(0)
    cohorts = generator.integers(0, 3, 300)
    means = np.exp(generator.normal(1, 1.5, (3, 30)))
    depth = np.exp(generator.normal(0, 0.3, (300, 1)))
    values = generator.poisson(means[cohorts] * depth * generator.gamma(3, 1 / 3, (300, 30))).astype(np.float32)
    path = tmp_path_factory.mktemp("counts") / "counts.h5ad"
    write_h5ad(path, values, [COHORTS[number] for number in cohorts])
    return path, values, cohorts


def write_h5ad(path, values, cohorts=None):
    """Write words as objects: anndata 0.12 cannot write those of pandas 3."""
    samples, genes = (
        pd.Index(np.array([f"{word}{number}" for number in range(count)], dtype=object), dtype=object)
        for word, count in (("s", len(values)), ("G", values.shape[1]))
    )
    known = {} if cohorts is None else {"cohort": pd.Series(cohorts, index=samples, dtype=object)}
    anndata.AnnData(values, pd.DataFrame(known, index=samples), pd.DataFrame(index=genes)).write_h5ad(path)


@pytest.fixture(scope="module")
def told(counts, tmp_path_factory):
    out = tmp_path_factory.mktemp("told") / "model"
    settings = {**SMALL, "epochs": 40, "patience": 40, "latent": 5}
    words = {"scale": "raw", "condition_column": "cohort", "label_column": ("cohort",)}
    return primase.train(APP.name, h5ad=counts[0], out=out, **words, **settings)


def test_samples_of_a_condition_are_like_those_of_train(told, counts, tmp_path):
    _, values, cohorts = counts
    model = told.model
    assert model.generate(tmp_path / "new.parquet", count=500, conditions=("luminal", "basal"), seed=4) == 1000
    made = pl.read_parquet(tmp_path / "new.parquet")
    assert made.columns[:2] == ["id", "cohort"]
    genes = [f"G{number}" for number in range(30)]
    assert set(made.columns[2:]) == set(genes)
    for number in (0, 1):
        own = made.filter(pl.col("cohort") == COHORTS[number]).select(genes).to_numpy()
        real = values[cohorts == number]
        assert len(own) == 500
        assert own.min() == 0
        np.testing.assert_allclose((own == 0).mean(axis=0), (real == 0).mean(axis=0), atol=0.2)
        assert np.corrcoef(np.log2(own + 1).mean(axis=0), np.log2(real + 1).mean(axis=0))[0, 1] > 0.97
    accuracy = told.metrics["insights"]["samples generated by the network"]["trained_on_generated_accuracy"]["value"]
    assert accuracy > 0.8


def test_a_condition_must_be_known(told, counts, tmp_path):
    model = told.model
    with pytest.raises(ConfigurationError) as caught:
        model.generate(tmp_path / "new.csv", count=1, conditions=("metastatic",))
    assert caught.value.wanted == "basal, luminal, normal"
    assert model.embed(tmp_path / "e.csv", counts[0]) == 300
    write_h5ad(tmp_path / "strange.h5ad", counts[1][:4], ["metastatic"] * 4)
    with pytest.raises(InputError, match="no such cohort"):
        model.embed(tmp_path / "f.csv", tmp_path / "strange.h5ad")
    write_h5ad(tmp_path / "without.h5ad", counts[1][:4])
    with pytest.raises(InputError, match="no column 'cohort'"):
        model.embed(tmp_path / "f.csv", tmp_path / "without.h5ad")


def test_a_column_that_is_not_there_is_refused(counts, tmp_path):
    with pytest.raises(InputError, match="no column 'batch'"):
        primase.train(APP.name, h5ad=counts[0], out=tmp_path / "x", condition_column="batch")


def test_what_the_network_was_told_is_said(told, run):
    page = (told.path / "report.html").read_text()
    assert "No label was seen in training, except cohort" in page
    assert "The network is told the cohort of each of these samples, and principal components are not." in page
    page = (run.path / "report.html").read_text()
    assert "No label was seen in training." in page
    assert re.search(r"decides nothing\. Intervals are over \d+ patient", page)
    assert "principal components are not" not in page


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_condition_that_train_lacks_is_refused_before_training(part):
    words = np.array(["often"] * 8 + ["rare"], dtype=object)
    values = np.random.default_rng(0).uniform(1, 5, (9, 4)).astype(np.float32)
    inputs = Profiles.of_values(list("abcd"), values, words)
    examples = Examples(np.array([f"s{number}" for number in range(9)], dtype=object), inputs, np.empty((9, 0)))
    rows = {"train": np.arange(6), "validation": np.array([6]), "test": np.array([7])}
    rows[part] = np.append(rows[part], 8)
    partition = Partition(**rows, policy="random", units=np.arange(9))
    configuration = configure(APP.configuration, {"condition_column": "cohort"})
    task = Task("generative", inputs.genes)
    with pytest.raises(InputError, match="cohort") as caught:
        APP.load().settle(Labelled(examples, task), partition, configuration, silent)
    assert caught.value.got == "rare (samples s8)"
    assert caught.value.wanted == "those of train: often"
    assert "--split" in caught.value.advice


def test_genes_that_do_not_vary_in_the_test_do_not_count():
    truth = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    truth[:, 1] = 0.1
    truth[3, 2] = np.nan
    made = truth + 0.5
    made[3, 2] = 0
    known = np.delete(np.arange(30), 3)
    expected = [r2_score(truth[:, 0], made[:, 0]), r2_score(truth[known, 2], made[known, 2])]
    found = pages._r2(Task("generative", ("a", "b", "c")), truth, made)
    assert found == pytest.approx(np.mean(expected), rel=1e-5)


def test_a_unit_is_named_by_what_is_known_of_it():
    names = {policy: APP.load().unit_name(policy) for policy in ("group", "random", "given")}
    assert names == {"group": "group", "random": "sample", "given": "unit"}


def test_what_a_data_set_says_of_itself_is_known_without_its_files(monkeypatch):
    def refuse(listener):
        raise AssertionError

    monkeypatch.setitem(datasets.DATASETS, "simulated", refuse)
    monkeypatch.setitem(datasets.SETTINGS, "simulated", {"label_column": ("kind",)})
    configuration = configure(APP.configuration, {"dataset": "simulated", "latent": 2})
    values = np.random.default_rng(0).uniform(1, 5, (9, 4)).astype(np.float32)
    kinds = {"kind": np.array(["x"] * 9, dtype=object)}
    ids = np.array([f"s{number}" for number in range(9)], dtype=object)
    train = Examples(ids, Profiles.of_values(list("abcd"), values), np.empty((9, 0)), covariates=kinds)
    assert APP.load().fit_encoder(train, configuration, silent).label_columns == ("kind",)


def test_the_embedding_of_the_bundle_is_that_of_the_network(told, counts, tmp_path):
    model = told.model
    model.embed(tmp_path / "e.parquet", counts[0])
    configuration = configure(APP.configuration, {"h5ad": counts[0], "condition_column": "cohort"})
    (block,) = APP.load().stream(counts[0], configuration, model.predictor.encoder, silent)
    written = columns(pl.read_parquet(tmp_path / "e.parquet"), "latent")
    np.testing.assert_allclose(embedding_of(model.predictor, block.inputs), written, atol=1e-5)


# What a split may be


def test_large_files_are_judged_on_few_samples():
    workflow = APP.load()
    configuration = configure(APP.configuration, {"genes": 1000})

    class Inputs:
        columns = np.arange(2000)

        def __len__(self):
            return 1_000_000

    ids = np.broadcast_to(np.array(["x"], dtype=object), (1_000_000,))
    examples = Examples(ids, Inputs(), np.broadcast_to(np.float32(0), (1_000_000, 0)))
    shares = workflow.fractions(examples, configuration)
    assert shares.test * 1_000_000 * 1000 == pytest.approx(MOST_VALUES)


def test_what_is_said_in_metrics_can_be_read(run):
    json.dumps(run.metrics, allow_nan=False)
