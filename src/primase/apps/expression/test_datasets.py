import gzip
import pickle
import re

import numpy as np
import pandas as pd
import pytest

from primase.apps.expression.configuration import ExpressionConfiguration, ExpressionData
from primase.apps.expression.datasets import (
    DATASETS,
    OESTROGEN_RECEPTOR,
    SETTINGS,
    SIMULATED,
    with_own_settings,
    write_barcodes,
    write_studies,
)
from primase.apps.expression.landmarks_l1000 import LANDMARKS
from primase.apps.expression.reading import read_profiles
from primase.apps.expression.sources import BREAST_CANCER, SOURCES, TCGA_BRCA, TCGA_MIRNA
from primase.bio.expression import is_raw
from primase.configuration import options
from primase.data.mirror import MirrorFolder
from primase.data.words import INPUT_WORDS


def test_every_registered_set_can_be_read():
    assert {*DATASETS} == {*SETTINGS} == {source.name for source in SOURCES} | {SIMULATED}
    known = options(ExpressionConfiguration)
    for name in DATASETS:
        settings = SETTINGS[name]
        assert settings.keys() <= known.keys() - (INPUT_WORDS - {"samples"})
        resolved = with_own_settings(ExpressionData(dataset=name))
        assert all(getattr(resolved, setting) == value for setting, value in settings.items())
    assert with_own_settings(ExpressionData(dataset=SIMULATED, group_column="batch")).group_column == "batch"


def study(path, names, status, seed):
    """Write a table of the layout of SurvSet."""
    values = np.random.default_rng(seed).normal(size=(len(status), len(names)))
    table = pd.DataFrame(values, columns=pd.Index([f"num_HS_{name}" for name in names], dtype=object))
    table.insert(0, "pid", pd.Series([f"t{number}" for number in range(len(status))], dtype=object))
    table.insert(1, "num_age", 50.0)
    column = {"gse1992": "fac_er_positive", "gse4335": "fac_er_status", "gse3143": "num_erlev"}[path.stem]
    if column == "num_erlev":
        table[column] = [float(one) for one in status]
    else:
        kinds = pd.Index(sorted({*status}), dtype=object)
        table[column] = pd.Categorical.from_codes([kinds.get_loc(one) for one in status], categories=kinds)
    table.columns = table.columns.astype(object)
    path.write_bytes(pickle.dumps(table, 5))
    return table


def test_the_studies_become_one_table_of_the_genes_they_share(tmp_path):
    tables = {
        "gse1992": study(tmp_path / "gse1992.pickle", ["TP53", "MYC", "ESR1"], ["1", "0", "missing"], 0),
        "gse4335": study(tmp_path / "gse4335.pickle", ["ESR1", "KIT", "MYC"], ["na", "1", "0"], 1),
        "gse3143": study(tmp_path / "gse3143.pickle", ["MYC", "ESR1"], ["0", "1", "3"], 2),
    }
    write_studies(tmp_path / "all.tsv", {name: tmp_path / f"{name}.pickle" for name in tables})
    read = read_profiles(
        ExpressionData(table=tmp_path / "all.tsv", **{**SETTINGS[BREAST_CANCER.name], "orientation": "samples-in-rows"})
    )
    assert read.profiles.genes == ("ESR1", "MYC")
    assert read.ids[[0, 5, 8]].tolist() == ["gse1992_t0", "gse4335_t2", "gse3143_t2"]
    assert read.annotations[OESTROGEN_RECEPTOR].tolist() == [
        *("positive", "negative", ""),
        *("", "positive", "negative"),
        *("negative", "positive", "positive"),
    ]
    expected = np.concatenate([table[["num_HS_ESR1", "num_HS_MYC"]].to_numpy() for table in tables.values()])
    np.testing.assert_allclose(read.profiles.values(), expected, rtol=1e-4)
    assert read.annotations["study"].tolist() == ["GSE1992"] * 3 + ["GSE4335"] * 3 + ["GSE3143"] * 3


def test_the_matrix_of_tybalt_is_read_with_its_patients(tmp_path):
    names = ["TCGA-02-0047-01", "TCGA-02-0047-11", "TCGA-06-0125-02"]
    lines = ["\tRPS4Y1\tXIST\tKRT5", *(f"{name}\t0.678\t0.289\t1.0" for name in names)]
    matrix = tmp_path / "pancan_scaled_zeroone_rnaseq.tsv.gz"
    matrix.write_bytes(gzip.compress("\n".join(lines).encode()))
    write_barcodes(matrix, tmp_path / "samples.tsv")
    data = ExpressionData(table=matrix, samples=tmp_path / "samples.tsv", **SETTINGS["tcga-tybalt"])
    read = read_profiles(data)
    assert read.ids.tolist() == names
    assert read.annotations["patient"].tolist() == ["TCGA-02-0047", "TCGA-02-0047", "TCGA-06-0125"]
    assert read.annotations["sample_type"].tolist() == ["01", "11", "02"]
    assert read.groups["patient"].tolist() == [0, 0, 1]
    assert not is_raw(read.profiles.store)
    np.testing.assert_allclose(read.profiles.values()[0], [0.678, 0.289, 1.0], rtol=1e-6)


def test_the_landmarks_are_a_list_of_symbols():
    assert len(LANDMARKS) == len({*LANDMARKS}) == 943
    assert [*LANDMARKS] == sorted(LANDMARKS)
    assert all(re.fullmatch(r"[A-Z][A-Z0-9-]+", name) for name in LANDMARKS)


def test_the_simulated_set_is_always_the_same():
    first, second = (read_profiles(ExpressionData(dataset=SIMULATED)) for _ in range(2))
    np.testing.assert_array_equal(first.profiles.values(), second.profiles.values())
    assert first.groups.keys() == {"patient"}


@pytest.mark.parametrize(
    ("source", "samples", "genes", "groups"),
    [(BREAST_CANCER, 397, 7106, None), (TCGA_MIRNA, 10_893, 680, 10_153), (TCGA_BRCA, 1218, 909, 1097)],
)
def test_the_registered_sets_are_what_they_say(mirror, source, samples, genes, groups):
    found = MirrorFolder(mirror)
    if any(found.find(file) is None for file in source.files):
        pytest.skip(f"PRIMASE_MIRROR does not hold {source.name}")
    read = read_profiles(ExpressionData(dataset=source.name))
    assert (len(read.profiles), len(read.profiles.genes)) == (samples, genes)
    assert groups == (len({*read.groups["patient"].tolist()}) if read.groups else None)
    assert is_raw(read.profiles.store) == (source is not BREAST_CANCER)
    assert len({*LANDMARKS} & {*read.profiles.genes}) == {397: 710, 10_893: 0, 1218: 39}[samples]
