"""Which landmarks are said to drive a target, against a table in which it is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import roc_auc_score

from primase.apps.expression.profiles import Profiles
from primase.apps.expression.scaling import ScalingMethod
from primase.apps.expression_inference import pages
from primase.apps.expression_inference.configuration import InferenceNetworkSection
from primase.apps.expression_inference.encoding import InferenceEncoder, inference_encoder
from primase.apps.expression_inference.explaining import (
    ASKED,
    average_slopes,
    explain_targets,
    targets_to_explain,
    weighed,
)
from primase.apps.expression_inference.learning import build_network, fit_options
from primase.apps.expression_inference.model import InferenceNetwork
from primase.data.examples import Examples
from primase.data.tasks import Task
from primase.errors import ConfigurationError
from primase.evaluation.conformal import NoIntervals
from primase.events import Event, Notice, silent
from primase.insight.features import ABLATION
from primase.predictor.predictor import Predictor

LANDMARKS = tuple(f"L{place}" for place in range(12))
TASK = Task("regression", ("FIRST", "SECOND", "NOISE"))


def planted(samples: int = 600, seed: int = 0) -> Examples[Profiles]:
    """Make landmarks of which the first three carry the factor of the first target, the next three of the second."""
    generator = np.random.default_rng(seed)
    latent = generator.normal(size=(samples, 2))
    values = generator.normal(size=(samples, 12))
    values[:, :3] = latent[:, :1] + 0.5 * values[:, :3]
    values[:, 3:6] = latent[:, 1:] + 0.5 * values[:, 3:6]
    targets = np.stack([np.tanh(2 * latent[:, 0]), latent[:, 1] ** 2 + latent[:, 1], generator.normal(size=samples)], 1)
    ids = np.array([f"s{number}" for number in range(samples)], dtype=object)
    return Examples(ids, Profiles.of_values(LANDMARKS, values.astype(np.float32)), targets.astype(np.float32))


@pytest.fixture(scope="module")
def predictor() -> Predictor[Profiles]:
    return trained(loss="absolute", residual=True)


def trained(*, loss: str, residual: bool, scaling: ScalingMethod = "zscore") -> Predictor[Profiles]:
    data = planted()
    settings = InferenceNetworkSection(hidden=(32,), loss=loss, residual=residual, noise=0.1, dropout=0.1)
    own = InferenceEncoder.fit(data, scaling, residual=residual, bins=10 if loss == "bins" else 0)
    torch.manual_seed(0)
    network = build_network(own, settings)
    options = fit_options(own, own.encode(data.inputs), settings)
    assert options.transform is not None
    assert options.objective is not None
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    targets = torch.from_numpy(np.asarray(own.encode_targets(data.targets)))
    with torch.random.fork_rng():
        for _ in range(120):
            optimiser.zero_grad()
            batch, wanted = options.transform({"values": own.encode(data.inputs).values}, targets)
            loss_now = options.objective(network.train(), batch, wanted)
            loss_now.backward()
            optimiser.step()
    return Predictor(TASK, own, (network.eval(),), NoIntervals())


def test_the_landmarks_that_carry_the_factor_of_a_target_come_first(predictor: Predictor[Profiles]) -> None:
    new = planted(40, seed=1)
    found, asked = explain_targets(predictor, new, silent)
    table = found.of(ABLATION)
    # The landmarks tell nothing of the third, which is explained too where so few are asked.
    assert {*asked} == {*TASK.labels}
    carriers = {"FIRST": LANDMARKS[:3], "SECOND": LANDMARKS[3:6]}
    for target, names in carriers.items():
        own = table.filter(table["target"] == target)
        strength = own.with_columns(own["value"].abs()).group_by("feature").agg(pl.col("value").mean())
        truth = strength["feature"].is_in(names).to_numpy()
        assert roc_auc_score(truth, strength["value"].to_numpy()) >= 0.95
    assert found.check is not None
    assert found.check.completeness_error < 0.05
    assert abs(found.check.randomised_agreement) < 0.5 < found.check.agreement


def test_the_contribution_is_the_fall_when_a_landmark_is_at_its_mean(predictor: Predictor[Profiles]) -> None:
    new = planted(5, seed=2)
    found, _ = explain_targets(predictor, new, silent)
    table = found.of(ABLATION)
    values = new.inputs.values()
    changed = values.copy()
    encoder = predictor.encoder
    assert isinstance(encoder, InferenceEncoder)
    changed[3, 4] = encoder.inputs.means[4]
    before, after = (
        encoder.encode_targets(predictor.outputs(Profiles.of_values(LANDMARKS, one))) for one in (values, changed)
    )
    row = table.filter((table["id"] == "s3") & (table["target"] == "SECOND") & (table["feature"] == "L4"))
    assert row["value"].item() == pytest.approx(before[3, 1] - after[3, 1], abs=1e-4)


def test_weights_of_one_change_nothing(predictor: Predictor[Profiles]) -> None:
    values = predictor.encoder.encode(planted(4).inputs).batch(np.arange(4))["values"]
    whole = predictor.members[0](values=values)
    torch.testing.assert_close(weighed(predictor).members[0](values=values, weights=torch.ones_like(values)), whole)


def test_the_targets_that_are_told_best_are_explained_and_it_is_said(predictor: Predictor[Profiles]) -> None:
    heard: list[Event] = []
    many = planted(2)
    chosen = targets_to_explain(predictor, many, heard.append)
    assert chosen[:2] == ["FIRST", "SECOND"]
    ids = np.array([f"s{number}" for number in range(60_000)], dtype=object)
    wide = Profiles.of_values(LANDMARKS, np.zeros((60_000, 12), dtype=np.float32))
    few = targets_to_explain(predictor, Examples(ids, wide, np.empty((60_000, 0))), heard.append)
    assert few == ["FIRST", "SECOND"]
    assert any(isinstance(event, Notice) and "--explain-targets" in event.text for event in heard)


def test_targets_are_explained_that_are_asked_for(predictor: Predictor[Profiles]) -> None:
    new = planted(2)
    asked = {ASKED: np.full(2, "NOISE,FIRST", dtype=object)}
    found, names = explain_targets(predictor, Examples(new.ids, new.inputs, new.targets, covariates=asked), silent)
    assert names == ["NOISE", "FIRST"]
    assert found.table["target"].unique().sort().to_list() == ["FIRST", "NOISE"]
    wrong = {ASKED: np.full(2, "TP53", dtype=object)}
    with pytest.raises(ConfigurationError, match="does not infer this gene"):
        explain_targets(predictor, Examples(new.ids, new.inputs, new.targets, covariates=wrong), silent)


def test_average_slopes_are_those_of_finite_differences(predictor: Predictor[Profiles]) -> None:
    new = planted(30, seed=3)
    slopes = average_slopes(predictor, new, np.array([1, 0]))
    member = predictor.members[0].double()
    try:
        values = predictor.encoder.encode(new.inputs).batch(np.arange(30))["values"].double()
        step = torch.zeros(12, dtype=torch.float64)
        step[4] = 1e-4
        with torch.inference_mode():
            rise = (member(values=values + step) - member(values=values - step)) / 2e-4
        assert slopes[0, 4] == pytest.approx(rise[:, 1].mean().item(), abs=1e-3)
        assert slopes[1, 4] == pytest.approx(rise[:, 0].mean().item(), abs=1e-3)
    finally:
        member.float()


def test_the_report_maps_landmarks_and_genes(predictor: Predictor[Profiles]) -> None:
    (section,) = pages.insights(predictor, planted(), planted(40, seed=4))
    figure = next(block for block in section.blocks if block.element == "figure")
    for name in ("FIRST", "SECOND", "L0", "L5"):
        assert name in str(figure.svg)  # type: ignore[union-attr]  # it is a figure


@pytest.mark.parametrize(
    ("scaling", "unit", "units"),
    [
        ("zscore", "standard deviation", "standard deviations"),
        ("minmax", "range in train", "ranges in train"),
        ("none", "unit", "units"),
    ],
)
def test_figures_name_the_unit_of_the_network(
    monkeypatch: pytest.MonkeyPatch, scaling: ScalingMethod, unit: str, units: str
) -> None:
    scaled = trained(loss="absolute", residual=True, scaling=scaling)
    said: list[str] = []
    monkeypatch.setattr(pages, "heatmap", lambda *_, quantity, **__: said.append(quantity))
    monkeypatch.setattr(pages, "contributions", lambda *_, quantity, **__: said.append(quantity))
    new = planted(3, seed=6)
    pages.insights(scaled, planted(), new)
    found, asked = explain_targets(scaled, new, silent)
    pages.explanation(found, inference_encoder(scaled.encoder), new, asked)
    assert {*said} == {f"{units} of the gene per {unit} of the landmark", f"effect on the value, in {units}"}


def test_the_report_says_how_often_bins_are_right() -> None:
    with_bins = trained(loss="bins", residual=False)
    test = planted(200, seed=5)
    train = planted()
    train.targets[:, 0] = np.where(train.targets[:, 0] < 0.3, 0, train.targets[:, 0])  # most are zero
    own = InferenceEncoder.fit(train, "zscore", residual=False, bins=10)
    zeros = float((train.targets[:, 0] == 0).mean())
    (section,) = pages.insights(replace(with_bins, encoder=own), train, test)
    text = next(block.text for block in section.blocks if block.element == "paragraph" and "10 bins" in block.text)
    said = float(text.partition("holds ")[2].partition(" %")[0]) / 100
    # The bin of the zeros may reach up to the next border; the other two genes have ten equal bins.
    assert (zeros + 0.2) / 3 - 0.001 <= said <= (zeros + 0.1 + 0.2) / 3 + 0.001
    member = with_bins.members[0]
    assert isinstance(member, InferenceNetwork)
    with torch.inference_mode():
        logits = member.bin_logits(own.encode(test.inputs).values)
        right = logits.argmax(dim=2) == member.bin_of(torch.from_numpy(np.asarray(own.encode_targets(test.targets))))
    assert f"{right.float().mean().item():.1%}".replace("%", " %") in text
    assert right.float().mean() > 0.15


def test_the_page_shows_samples_one_by_one(predictor: Predictor[Profiles]) -> None:
    new = planted(3, seed=6)
    found, asked = explain_targets(predictor, new, silent)
    (section,) = pages.explanation(found, inference_encoder(predictor.encoder), new, asked)
    captions = [block.caption for block in section.blocks if block.element == "figure"]
    assert captions[0].startswith("S0: what speaks for") or captions[0].startswith("s0: what speaks for")
    assert len(captions) == 8
