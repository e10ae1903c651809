"""What was planted must be found."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from primase import pipeline
from primase.apps.signal_peptide.app import APP
from primase.configuration import configure
from primase.insight.features import ABLATION


def test_the_planted_core_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "simulated"
    pipeline.simulate(APP, folder, count=400, seed=1)
    settings = {
        "positives": folder / "positives.fa",
        "negatives": folder / "negatives.fa",
        "epochs": 30,
        "batch_size": 32,
        "learning_rate": 0.01,
    }
    run = pipeline.train(APP, configure(APP.configuration, settings), tmp_path / "model")
    assert run.test["auroc"].value > 0.9
    explained = run.model.explain(folder / "positives.fa", tmp_path / "explained").of(ABLATION)
    effect = explained.filter(pl.col("target") == "signal peptide").group_by("feature").agg(pl.col("value").mean())
    strongest = effect.sort("value", descending=True)["feature"].head(5)
    assert set(strongest) == set("LAVFI")
