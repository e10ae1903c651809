"""What expression inference shows: which landmarks speak for which genes, in the whole model and sample by sample."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import leaves_list, linkage

from primase.apps.expression.profiles import Profiles
from primase.apps.expression.scaling import ScalingMethod
from primase.apps.expression_inference.encoding import InferenceEncoder, inference_encoder
from primase.apps.expression_inference.explaining import average_slopes, best_told
from primase.apps.expression_inference.landmarks import shown
from primase.apps.expression_inference.model import InferenceNetwork
from primase.data.examples import Examples
from primase.insight.attribution import Attribution
from primase.insight.features import ABLATION, INTEGRATED_GRADIENTS
from primase.predictor.predictor import Predictor
from primase.report.checks import self_check
from primase.report.figures import contributions
from primase.report.figures.heatmap import heatmap
from primase.report.sections import Block, Figure, Paragraph, Section, Table

MAPPED_TARGETS: Final = 24
MAPPED_LANDMARKS: Final = 24
DRIVERS: Final = 5
LISTED_TARGETS: Final = 12
SHOWN_VALUES: Final = 8

_HOW: Final = (
    "The contribution of a landmark is how far the inferred value falls when the landmark is at its mean of train "
    "instead of what was measured, all others being as they are. What speaks for a high value is not "
    "therefore its cause: genes that go up and down together stand for each other."
)

_UNITS: Final[dict[ScalingMethod, tuple[str, str]]] = {
    "zscore": ("standard deviation", "standard deviations"),
    "minmax": ("range in train", "ranges in train"),
    "quantile": ("normal score", "normal scores"),
    "none": ("unit", "units"),
}
"""What one is on the scale of the network, and what several are."""


def columns(inputs: Profiles, encoder: InferenceEncoder) -> pl.DataFrame:
    """Say beside each prediction how many landmarks were missing, where any was."""
    known = ~np.isnan(inputs.only(encoder.landmarks).values())
    missing = len(encoder.landmarks) - known.sum(axis=1)
    return pl.DataFrame({"missing_landmarks": missing}) if missing.any() else pl.DataFrame()


def insights(predictor: Predictor[Profiles], train: Examples[Profiles], test: Examples[Profiles]) -> list[Section]:
    """Map the landmarks that drive the targets which are told best, and say how often bins are right."""
    own = inference_encoder(predictor.encoder)
    blocks: list[Block] = [*_map(predictor, own, test)]
    if own.bins is not None:
        blocks.append(_bins(predictor, own, train, test))
    return [Section("Which landmarks drive which genes", blocks)]


def _map(predictor: Predictor[Profiles], own: InferenceEncoder, test: Examples[Profiles]) -> list[Block]:
    targets = best_told(own)[:MAPPED_TARGETS]
    slopes = average_slopes(predictor, test, targets)
    strongest = np.sort(np.argsort(-np.abs(slopes).max(axis=0), kind="stable")[:MAPPED_LANDMARKS])
    rows, places = _alike_together(slopes[:, strongest]), _alike_together(slopes[:, strongest].T)
    drawn = slopes[np.ix_(rows, strongest[places])]
    names = [predictor.task.labels[target] for target in targets.tolist()]
    text = (
        f"How far an inferred gene rises when a landmark rises, in the mean over test samples, for the {len(names)} "
        "genes that a ridge regression on the landmarks tells best on train, and the landmarks that matter most to "
        "them. Genes that are driven alike stand together. primase explain says it sample by sample, for any gene."
    )
    figure: Figure = heatmap(
        drawn,
        [names[row] for row in rows.tolist()],
        [own.landmarks[place] for place in strongest[places].tolist()],
        title="Landmarks (columns) that drive inferred genes (rows)",
        quantity=f"{_UNITS[own.outputs.method][1]} of the gene per {_UNITS[own.inputs.method][0]} of the landmark",
    )
    return [Paragraph(text), figure, _drivers(own, names, slopes)]


def _alike_together(table: Float[np.ndarray, "rows columns"]) -> Int[np.ndarray, "rows"]:
    """Order rows so that those that are alike are neighbours."""
    if len(table) < 3:
        return np.arange(len(table))
    return np.asarray(leaves_list(linkage(table, "average", optimal_ordering=True)))


def _drivers(own: InferenceEncoder, names: list[str], slopes: Float[np.ndarray, "targets landmarks"]) -> Table:
    told = np.sort(own.predictable)[::-1]
    rows = []
    for place, name in enumerate(names[:LISTED_TARGETS]):
        order = np.argsort(-np.abs(slopes[place]), kind="stable")[:DRIVERS]
        driven = ", ".join(f"{own.landmarks[one]} {slopes[place, one]:+.2f}" for one in order.tolist())
        rows.append([name, f"{told[place]:.0%}".replace("%", " %"), driven.replace("-", "\N{MINUS SIGN}")])
    unknown = int((own.predictable < 0.05).sum())
    note = (
        f"Told: the share of the gene's variance that a ridge regression tells, cross-validated on train. Of "
        f"{unknown:,} of the {own.targets:,} targets it tells less than 5 %."
    )
    header = ["Gene", "Told by the landmarks", "Strongest landmarks and their slopes"]
    return Table(header, rows, "The genes that the landmarks tell best.", note)


def _bins(
    predictor: Predictor[Profiles], own: InferenceEncoder, train: Examples[Profiles], test: Examples[Profiles]
) -> Paragraph:
    """Say how often the likeliest bin is the right one."""
    truth = torch.from_numpy(np.asarray(own.encode_targets(test.targets), dtype=np.float32))
    known = ~torch.isnan(truth)
    batch = own.encode(test.inputs).batch(np.arange(len(test)))
    right, total = 0, max(int(known.sum()), 1)
    with torch.inference_mode():
        members = [member for member in predictor.members if isinstance(member, InferenceNetwork)]
        for start in range(0, len(test), 256):
            part = slice(start, start + 256)
            logits = sum(member.bin_logits(batch["values"][part]).float().softmax(dim=2) for member in members)
            assert isinstance(logits, torch.Tensor)
            bins = members[0].bin_of(truth[part])
            right += int(((logits.argmax(dim=2) == bins) & known[part]).sum())
    count = members[0].bins
    share, usual = (f"{part:.1%}".replace("%", " %") for part in (right / total, _fullest(own, train)))
    text = (
        f"The network was trained to tell in which of {count} bins a value lies, cut at the quantiles of train. The "
        f"likeliest bin is the right one for {share} of the test values; the fullest bin of each gene holds {usual} of "
        "its training values (mean over the genes), which is what guessing it would give. What is predicted is the "
        "mean over the bins, weighted by their probabilities."
    )
    return Paragraph(text)


def _fullest(own: InferenceEncoder, train: Examples[Profiles]) -> float:
    """Return the share of training values in the fullest bin of each target, in the mean over targets.

    Where many values are the same, such as zero, it is far above one over the number of bins.
    """
    assert own.bins is not None
    scaled = own.encode_targets(train.targets)
    shares = []
    for column, edges in zip(scaled.T, own.bins.edges, strict=True):
        known = column[~np.isnan(column)]
        if len(known):
            shares.append(np.bincount(np.searchsorted(edges, known, side="right")).max() / len(known))
    return float(np.mean(shares)) if shares else 0.0


def explanation(
    attribution: Attribution, own: InferenceEncoder, examples: Examples[Profiles], asked: list[str]
) -> list[Section]:
    """Show for the first samples which landmarks speak for a high or low value of each gene."""
    blocks: list[Block] = [Paragraph(f"{_HOW} Explained are: {shown(asked)}.")]
    quantity = f"effect on the value, in {_UNITS[own.outputs.method][1]}"
    table = attribution.of(ABLATION)
    pairs = [(name, gene) for name in examples.ids.tolist() for gene in asked][:SHOWN_VALUES]
    for name, gene in pairs:
        rows = table.filter((pl.col("id") == name) & (pl.col("target") == gene))
        blocks.append(
            contributions(
                rows["feature"].to_list(),
                rows["value"].to_list(),
                title=f"{name}: what speaks for a high or low value of {gene}",
                quantity=quantity,
            )
        )
    if attribution.check is not None:
        blocks.append(self_check(attribution.check, ABLATION, INTEGRATED_GRADIENTS, part="landmark"))
    return [Section("Sample by sample", blocks)]
