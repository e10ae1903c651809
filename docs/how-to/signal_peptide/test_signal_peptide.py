"""What was planted must be found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from primase.insight.features import ABLATION


def test_the_planted_core_is_found(
    rehearse: Callable[[str], Any], train_once: Callable[[str], Any], tmp_path: Path
) -> None:
    run = train_once("signal-peptide")  # on what the simulator wrote, which `rehearse` names
    assert run.test["auroc"].value > 0.9
    positives = rehearse("signal-peptide").folder / "positives.fa"
    explained = run.model.explain(positives, tmp_path / "explained").of(ABLATION)
    effect = explained.filter(pl.col("target") == "signal peptide").group_by("feature").agg(pl.col("value").mean())
    strongest = effect.sort("value", descending=True)["feature"].head(5)
    assert set(strongest) == set("LAVFI")
