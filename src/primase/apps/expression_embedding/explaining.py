"""Which genes drive each latent number: what it changes by when one of them is at its mean of train instead.

Two methods check each other, as for any other application: exact replacement of one gene after the other, and
integrated gradients from the mean profile. Beside them stands the other direction: what the decoder makes of a gene
when a latent number rises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from primase.apps.expression.profiles import Profiles
from primase.apps.expression_embedding.choosing import order_of_variance
from primase.apps.expression_embedding.encoding import EncodedProfiles, profile_encoder, shown
from primase.apps.expression_embedding.generating import embedding_of, latent_name
from primase.apps.expression_embedding.learning import vae
from primase.apps.expression_embedding.model import ExpressionVAE
from primase.data.encoding import Batch
from primase.data.examples import Examples, Indices
from primase.data.tasks import Task
from primase.events import Listener, Notice
from primase.insight.attribution import Attribution
from primase.insight.features import ABLATION, INTEGRATED_GRADIENTS, explain_features
from primase.predictor.predictor import Predictor
from primase.report.checks import self_check
from primase.report.figures import contributions
from primase.report.sections import Block, Paragraph, Section, Table

MOST_SAMPLES: Final = 50
MOST_DIMENSIONS: Final = 10
"""So many samples and latent numbers are explained, those that vary most among the samples."""
MOST_PARTS: Final = 400_000
"""So many pairs of a gene and a latent number of a sample are looked at, one by one; more take minutes."""
SHUFFLED: Final = 2
SHOWN_VALUES: Final = 8
SHOWN_GENES: Final = 6
GENES_FILE: Final = "latent_genes.parquet"
_AT_ONCE: Final = 16


@final
@dataclass(frozen=True, slots=True, eq=False)
class ExplainedDimensions:
    """What drives some latent numbers.

    Parameters
    ----------
    attribution
        Per sample, latent number and gene.
    genes
        Per latent number and gene: ``target``, ``feature``, ``mean_effect`` (the mean size of the contributions),
        ``decoder_effect`` (the change of the gene when the latent number rises by one standard deviation).
    """

    attribution: Attribution
    genes: pl.DataFrame

    def write(self, folder: Path) -> None:
        """Write the table of genes into a folder."""
        self.genes.write_parquet(folder / GENES_FILE)


@final
class LatentOf(nn.Module):
    """The encoder of which single genes can be taken out: a weight of 0 puts the mean of train in their place.

    The principal components are weights like all others here, so that a control can shuffle them too.
    """

    reference: Tensor

    def __init__(self, network: ExpressionVAE, reference: Float[Tensor, "genes"]) -> None:
        super().__init__()
        self.network = network
        self.axes = nn.Parameter(network.axes.detach().clone())
        self.register_buffer("reference", reference)

    def forward(
        self, values: Float[Tensor, "batch genes"], weights: Float[Tensor, "batch genes"], **others: Tensor
    ) -> Float[Tensor, "batch latent"]:
        """Return the mean of the latent distribution."""
        mixed = self.reference + weights * (values - self.reference)
        mean, _ = self.network.encoder(mixed, self.network.known(others, len(values)))
        found: Tensor = mean + mixed @ self.axes.T if len(self.axes) else mean
        return found


@final
@dataclass(frozen=True, slots=True, eq=False)
class WeighedProfiles:
    """Encoded profiles, each gene of which is a part of its own; a row may stand several times."""

    encoded: EncodedProfiles
    rows: Int[np.ndarray, "rows"]
    owner_names: Sequence[str]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def batch(self, indices: Indices) -> Batch:
        """Return the profiles of some rows, with weights of 1."""
        found = self.encoded.batch(self.rows[indices])
        found.pop("modelled", None)
        return {**found, "weights": torch.ones_like(found["values"])}

    def batch_owners(self, indices: Indices) -> Int[np.ndarray, "batch genes"]:
        """Return the number of each gene."""
        return np.tile(np.arange(len(self.owner_names)), (len(indices), 1))


def explain_dimensions(
    predictor: Predictor[Profiles], examples: Examples[Profiles], listener: Listener
) -> ExplainedDimensions:
    """Attribute latent numbers of samples to genes, by the first network."""
    own = profile_encoder(predictor.encoder)
    asked, dimensions = _affordable(predictor, examples, listener)
    reference = torch.from_numpy(own.scaler.scaled(own.scaler.means[None])[0])
    names = tuple(latent_name(place) for place in range(own.latent))
    network = LatentOf(vae(predictor.members[0]), reference)
    latent = replace(predictor, task=Task("regression", names), members=(network,))
    rows = np.tile(np.arange(len(asked)), len(dimensions))
    parts = WeighedProfiles(own.encode(asked.inputs), rows, own.genes)
    found = explain_features(
        latent,
        parts,
        asked.ids[rows].tolist(),
        np.repeat(dimensions, len(asked)),
        shuffled=SHUFFLED,
        examples_at_once=_AT_ONCE,
        listener=listener,
    )
    return ExplainedDimensions(found, _genes(predictor, found, examples, dimensions))


def explanation(found: ExplainedDimensions) -> list[Section]:
    """Show which genes drive the first latent numbers of the first samples, and over all samples."""
    blocks: list[Block] = [
        Paragraph(
            "The contribution of a gene is how far a latent number falls when the gene is at its mean of train instead "
            "of what was measured, all others being as they are. Genes that go up and down together share what they "
            "say, whichever of them is the cause."
        )
    ]
    targets = found.genes["target"].unique(maintain_order=True).to_list()
    rows = [
        [
            target,
            shown(_strongest(found, target, "mean_effect")),
            shown(_strongest(found, target, "decoder_effect")),
        ]
        for target in targets
    ]
    header = ["Dimension", "Genes that drive it", "Genes that it moves"]
    note = "Driven: by the mean size of their contributions. Moved: by what the decoder makes of them; strongest first."
    blocks.append(Table(header, rows, "The explained dimensions, over all explained samples.", note))
    table = found.attribution.of(ABLATION)
    pairs = table.select("id", "target").unique(maintain_order=True).rows()[:SHOWN_VALUES]
    for name, target in pairs:
        own = table.filter((table["id"] == name) & (table["target"] == target))
        blocks.append(
            contributions(
                own["feature"].to_list(),
                own["value"].to_list(),
                title=f"{name}: what drives {target}",
                quantity="contribution to the latent number",
            )
        )
    if found.attribution.check is not None:
        blocks.append(self_check(found.attribution.check, ABLATION, INTEGRATED_GRADIENTS, part="gene"))
    return [Section("Which genes drive the latent numbers", blocks)]


def _strongest(found: ExplainedDimensions, target: str, column: str) -> list[str]:
    own = found.genes.filter(found.genes["target"] == target)
    order = np.argsort(-np.abs(np.nan_to_num(own[column].to_numpy())), kind="stable")[:SHOWN_GENES]
    return [own["feature"][place] for place in order.tolist()]


def decoder_effects(
    predictor: Predictor[Profiles], examples: Examples[Profiles], dimensions: Sequence[int]
) -> Float[np.ndarray, "dimensions genes"]:
    """Measure what each gene changes by when a latent number rises by one standard deviation.

    It rises from half below to half above the mean of the samples; genes are on the modelled scale.
    """
    own, network = profile_encoder(predictor.encoder), vae(predictor.members[0]).eval()
    embedding = embedding_of(predictor, examples.inputs)
    middle, spread = embedding.mean(axis=0), embedding.std(axis=0)
    points = np.repeat(middle[None], 2 * len(dimensions), axis=0)
    for place, dimension in enumerate(dimensions):
        points[2 * place, dimension] -= spread[dimension] / 2
        points[2 * place + 1, dimension] += spread[dimension] / 2
    known = torch.zeros(len(points), network.conditions)
    if network.conditions:
        numbers = own.numbers(examples.inputs.condition, len(examples))
        known[:] = torch.from_numpy(np.bincount(numbers, minlength=network.conditions) / len(numbers)).float()
    with torch.inference_mode():
        values = own.decode(network.decode(torch.from_numpy(points).float(), known).numpy())
    return np.asarray(values[1::2] - values[::2], dtype=np.float64)


def _affordable(
    predictor: Predictor[Profiles], examples: Examples[Profiles], listener: Listener
) -> tuple[Examples[Profiles], Int[np.ndarray, "dimensions"]]:
    """Choose the latent numbers that vary most, and as many samples as take no more than minutes."""
    genes = len(profile_encoder(predictor.encoder).genes)
    dimensions = order_of_variance(embedding_of(predictor, examples.inputs))[:MOST_DIMENSIONS]
    most = int(np.clip(MOST_PARTS // (genes * len(dimensions)), 1, MOST_SAMPLES))
    if most < len(examples):
        text = f"explained are the first {most:,} of {len(examples):,} samples, one gene after the other"
        listener(Notice(text, "warning"))
    return examples.take(np.arange(min(most, len(examples)))), dimensions


def _genes(
    predictor: Predictor[Profiles],
    found: Attribution,
    examples: Examples[Profiles],
    dimensions: Int[np.ndarray, "dimensions"],
) -> pl.DataFrame:
    """Sum up the contributions of each gene, and put what the decoder makes of it beside."""
    genes = profile_encoder(predictor.encoder).genes
    effects = decoder_effects(predictor, examples, dimensions.tolist())
    decoded = pl.DataFrame(
        {
            "target": np.repeat([latent_name(one) for one in dimensions.tolist()], len(genes)),
            "feature": list(genes) * len(dimensions),
            "decoder_effect": effects.ravel(),
        }
    )
    sizes = found.of(ABLATION).group_by("target", "feature").agg(pl.col("value").abs().mean().alias("mean_effect"))
    joined = decoded.join(sizes, on=["target", "feature"], how="left", maintain_order="left")
    return joined.select("target", "feature", "mean_effect", "decoder_effect")
