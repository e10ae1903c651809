"""What expression embedding shows: how good the embedding and the new samples are, what each dimension is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float
from sklearn.manifold import TSNE

from primase.apps.expression.profiles import Profiles
from primase.apps.expression_embedding.choosing import order_of_variance
from primase.apps.expression_embedding.encoding import ProfileEncoder, profile_encoder
from primase.apps.expression_embedding.explaining import decoder_effects
from primase.apps.expression_embedding.generating import drawn_samples, embedding_of, latent_name
from primase.apps.expression_embedding.labels import MOST_KNOWN, LabelFigures, label_figures, units_of
from primase.apps.expression_embedding.learning import vae
from primase.apps.expression_embedding.realness import GAUSSIANS, NETWORK, REAL, Maker, Real, gaussians, realness
from primase.apps.expression_embedding.rivals import PCA_NAME, FittedLinear, components_rival
from primase.data.examples import Examples
from primase.data.splits import Part
from primase.data.tasks import Task
from primase.evaluation.intervals import Interval, Units
from primase.evaluation.values import Draw, value_figures
from primase.events import Listener, Progress
from primase.predictor.predictor import Predictor
from primase.report.figures import scatter
from primase.report.figures.heatmap import heatmap
from primase.report.run import Insights
from primase.report.sections import Block, Callout, Paragraph, Section, Table

MAPPED: Final = 2_000
"""So many samples are laid out on the map: more take minutes."""
DRAWN_DIMENSIONS: Final = 12
GENES_PER_DIMENSION: Final = 6
MOST_COLUMNS: Final = 28
ACTIVE: Final = 0.01
"""A dimension is active whose means vary by more than this share of its prior's variance (Burda et al. 2016)."""
STAGE: Final = "insights"


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Both:
    """The embedding of each part, by the network and by principal components of the same size."""

    network: Mapping[str, Float[np.ndarray, "samples latent"]]
    pca: Mapping[str, Float[np.ndarray, "samples latent"]]
    linear: FittedLinear


def insights(predictor: Predictor[Profiles], parts: Mapping[Part, Examples[Profiles]], listener: Listener) -> Insights:
    """Judge the embedding and the new samples beside principal components, and draw both."""
    own = profile_encoder(predictor.encoder)
    stages = 4
    listener(Progress(STAGE, 0, stages, "the embedding"))
    linear = components_rival(own.scaler, own.latent).fit_to(parts["train"].inputs)
    both = _Both(
        {part: embedding_of(predictor, parts[part].inputs) for part in ("train", "test")},
        {part: linear.embedding(parts[part].inputs) for part in ("train", "test")},
        linear,
    )
    labels = {name: label_figures(name, parts, both.network, both.pca) for name in own.label_columns}
    known = {name: found for name, found in labels.items() if found is not None}
    listener(Progress(STAGE, 1, stages, "new samples"))
    real = _realness(predictor, own, parts, linear)
    listener(Progress(STAGE, 2, stages, "latent numbers"))
    sections = [
        _embedding(predictor, parts["test"], both, known),
        _real_section(own, real),
        _dimensions(predictor, own, parts["test"], both),
    ]
    listener(Progress(STAGE, 3, stages, "the map"))
    sections.append(_maps(own, parts["test"], both))
    listener(Progress(STAGE, stages, stages))
    figures: dict[str, Mapping[str, Interval]] = {
        f"{name} by nearest neighbours": {
            "network": found.network,
            PCA_NAME: found.pca,
            "difference": found.difference,
            "majority": found.majority,
        }
        for name, found in known.items()
    }
    figures |= {f"samples {name}" if name == NETWORK else name: found for name, found in real.items()}
    figures["latent space"] = {"active_dimensions": Interval.undefined(float(_active(predictor, both).sum()))}
    return Insights(sections, figures)


# The embedding


def _embedding(
    predictor: Predictor[Profiles],
    test: Examples[Profiles],
    both: _Both,
    labels: Mapping[str, LabelFigures],
) -> Section:
    truth = test.inputs.values()
    own, answers = profile_encoder(predictor.encoder), (predictor.answers(test.inputs), both.linear.answers(test))
    network, pca = (_r2(predictor.task, truth, values) for values in answers)
    told = own.condition_column if own.conditions else ""
    blocks: list[Block] = [_verdict(network, pca, both.network["test"].shape[1], told)]
    if labels:
        rows = [
            [
                name,
                found.levels,
                found.samples,
                str(found.network),
                str(found.pca),
                str(found.difference),
                f"{found.majority.value:.3f}",
            ]
            for name, found in labels.items()
        ]
        header = ["Label", "Kinds", "Test samples", "Network", PCA_NAME, "Difference", "Most frequent kind"]
        caption = "Share of test samples whose five nearest neighbours in train mostly have the same label."
        blocks.append(Table(header, rows, caption, _label_note(labels, test, told, len(both.network["train"]))))
    else:
        blocks.append(Paragraph("Name columns with --label-column to see what the embedding tells of them."))
    return Section("What the few numbers keep", blocks)


def _label_note(labels: Iterable[str], test: Examples[Profiles], told: str, known: int) -> str:
    said = "No label was seen in training"
    said += f", except {told}, which the network is told of every sample." if told in labels else "."
    said += (
        " Distances are Euclidean in the latent numbers, as they are written by primase embed. Differences are paired; "
        f"an interval that holds 0 decides nothing. {units_of(test).statement}"
    )
    if known > MOST_KNOWN:
        said += f" Neighbours are sought among {MOST_KNOWN:,} samples of train at most, evenly spread."
    return said


def _verdict(network: float, pca: float, dimensions: int, told: str = "") -> Block:
    """Say in plain words which of the two reconstructs better, and whether one is told more than the other."""
    said = f"With {dimensions:,} numbers per sample the network explains {_percent(network)} of the variance of a gene "
    said += f"in unseen samples, in the mean over genes; principal components explain {_percent(pca)}."
    if told:
        said += f" The network is told the {told} of each of these samples, and principal components are not."
    if network >= pca + 0.005:
        return Callout("good", "The network reconstructs better than principal components", said)
    if network > pca - 0.005:
        title = "The network reconstructs no better than principal components"
        said += " Where all that matters is the reconstruction, PCA does as well, and is simpler."
        return Callout("finding", title, said)
    said += " Use PCA for reconstruction. More samples, or fewer dimensions, may change this."
    return Callout("warning", "Principal components reconstruct better than the network", said)


def _r2(task: Task, truth: Float[np.ndarray, "samples genes"], values: Float[np.ndarray, "samples genes"]) -> float:
    """Average the R² of the genes that vary, as all figures are computed."""
    return value_figures(task, truth, values, Draw(Units.examples(len(truth)), 0, seed=0)).mean("r2")


# New samples


def _realness(
    predictor: Predictor[Profiles],
    own: ProfileEncoder,
    parts: Mapping[Part, Examples[Profiles]],
    linear: FittedLinear,
) -> dict[str, dict[str, Interval]]:
    conditioned = bool(own.conditions)
    groups = tuple(
        own.numbers(parts[part].inputs.condition, len(parts[part]))
        if conditioned
        else np.zeros(len(parts[part]), dtype=np.int64)
        for part in ("train", "test")
    )
    train, test = parts["train"].inputs, parts["test"].inputs
    real = Real.of(train, test, (groups[0], groups[1]), own.scaler.scaled, units_of(parts["test"]))
    makers: dict[str, Maker] = {
        NETWORK: lambda asked, seed: drawn_samples(predictor, asked, seed=seed),
        GAUSSIANS: gaussians(linear, real),
    }
    return realness(real, makers, conditioned=conditioned)


def _real_section(own: ProfileEncoder, found: Mapping[str, Mapping[str, Interval]]) -> Section:
    names = {
        "forest_auroc": "Told from real (AUROC)",
        "relative_distance": "Distance",
        "trained_on_generated_accuracy": "Trained on them (accuracy)",
    }
    asked = [name for name in names if any(name in figures for figures in found.values())]
    rows = [
        [maker[:1].upper() + maker[1:], *(str(figures[name]) if name in figures else None for name in asked)]
        for maker, figures in ((name, found[name]) for name in (NETWORK, GAUSSIANS, REAL) if name in found)
    ]
    text = (
        "Told from real: 0.5 means that a forest of 200 trees cannot tell new samples from real test samples, 1 that "
        "it always can (five-fold cross-validation). Distance: how far the median new sample is from the nearest one "
        "of train, in units of how far a real test sample is; 1 is as it should be, far below 1 means that samples of "
        "train were copied."
    )
    if own.conditions:
        text += (
            f" Trained on them: a logistic regression learns the {own.condition_column} from as many new samples as "
            "there are in train, and is asked about real test samples; the last row is what real ones reach."
        )
    caption = "How real new samples are, beside those of Gaussians fitted to PCA scores."
    return Section(
        "How real new samples are", [Paragraph(text), Table(["Samples", *(names[one] for one in asked)], rows, caption)]
    )


# Dimensions


def _active(predictor: Predictor[Profiles], both: _Both) -> np.ndarray:
    spread = vae(predictor.members[0]).spread.numpy()
    return np.asarray(both.network["train"].var(axis=0) > ACTIVE * spread**2)


def _dimensions(predictor: Predictor[Profiles], own: ProfileEncoder, test: Examples[Profiles], both: _Both) -> Section:
    active = int(_active(predictor, both).sum())
    order = order_of_variance(both.network["train"])[:DRAWN_DIMENSIONS]
    effects = decoder_effects(predictor, test, order.tolist())
    per_dimension = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :GENES_PER_DIMENSION]
    columns = [*dict.fromkeys(per_dimension[:, :3].ravel().tolist())][:MOST_COLUMNS]
    text = (
        f"{active:,} of {own.latent:,} dimensions are active: the samples differ along them. Drawn are the "
        f"{len(order)} along which they differ most, and the genes that change most when the number rises by one "
        "standard deviation and all others stay at their mean. Training begins at principal components that are turned "
        "so that each is about few genes."
    )
    figure = heatmap(
        effects[:, columns],
        [latent_name(one) for one in order.tolist()],
        [own.genes[column] for column in columns],
        title="What the decoder makes of a gene (columns) when a latent number (rows) rises",
        quantity="change of the gene" + (f" in {own.value_scale}" if own.value_scale else ""),
    )
    rows = [
        [
            latent_name(dimension),
            f"{both.network['train'][:, dimension].std():.2f}",
            ", ".join(_signed(own.genes[gene], effects[row, gene]) for gene in per_dimension[row].tolist()),
        ]
        for row, dimension in enumerate(order.tolist())
    ]
    table = Table(
        ["Dimension", "Standard deviation", "Genes that it moves most"],
        rows,
        "The dimensions along which samples differ most.",
        "primase explain says which genes drive them, sample by sample.",
    )
    return Section("What the latent numbers are about", [Paragraph(text), figure, table])


def _signed(gene: str, change: float) -> str:
    sign = "\N{MINUS SIGN}" if change < 0 else "+"
    return f"{gene} {sign}{abs(change):.2f}"


# Maps


def _maps(own: ProfileEncoder, test: Examples[Profiles], both: _Both) -> Section:
    chosen = np.sort(np.random.default_rng(0).permutation(len(test))[:MAPPED])
    column = next(iter([*own.label_columns, *([own.condition_column] if own.conditions else [])]), None)
    groups = None
    if column is not None and column in test.covariates:
        groups = [str(word) or "not known" for word in test.covariates[column][chosen].tolist()]
    drawn = "test samples" if len(chosen) == len(test) else f"of {len(test):,} test samples"
    text = (
        f"Each dot is one of {len(chosen):,} {drawn}; what is alike lies together (t-SNE: near is alike, far says "
        "little). The first map is of the latent numbers of the network, the second of as many principal components."
    )
    blocks: list[Block] = [Paragraph(text + (f" Colours are {column}." if groups else ""))]
    axes = ("first coordinate of the map", "second coordinate of the map")
    titles = {
        "Test samples in the latent space of the network": both.network,
        "Test samples by principal components": both.pca,
    }
    for title, embedding in titles.items():
        points = plane(embedding["test"][chosen])
        blocks.append(scatter(points, groups, title=title, axes=axes))
    return Section("A map of the samples", blocks)


def plane(embedding: Float[np.ndarray, "samples latent"]) -> Float[np.ndarray, "samples 2"]:
    """Lay points out so that neighbours stay neighbours; the same each time."""
    if len(embedding) < 4 or embedding.shape[1] < 2:
        padded = np.zeros((len(embedding), 2))
        padded[:, : min(2, embedding.shape[1])] = embedding[:, :2]
        return padded
    perplexity = min(30.0, (len(embedding) - 1) / 3)
    return np.asarray(
        TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1).fit_transform(embedding), dtype=np.float64
    )


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
