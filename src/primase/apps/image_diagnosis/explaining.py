"""Where in an image the diagnosis comes from: whatever the recipe, from grey levels to log-odds in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, cast, final

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional

from primase.apps.image_diagnosis.configuration import Method
from primase.apps.image_diagnosis.encoding import DiagnosisEncoder, diagnosis_encoder
from primase.apps.image_diagnosis.model import FrozenFeatures, FrozenNetwork, ImageNetwork, ImageReader
from primase.apps.images.pictures import Pictures
from primase.data.examples import Examples, evenly_spread
from primase.events import Listener, silent
from primase.insight.attribution import SCHEMA, Attribution, SelfCheck, rank_correlation
from primase.insight.controls import mean_of_defined, randomised
from primase.insight.saliency import (
    Compared,
    Heat,
    ImageScore,
    cells,
    differences,
    grad_cam,
    integrated_gradients,
    occlusion,
)
from primase.predictor.predictor import Predictor

GRID: Final = 7
"""Tables have so many rows and columns of cells for an image."""

COMPARED: Final = 4
"""With so many other images each is compared."""

STEPS: Final = 96
"""Of integrated gradients, in all."""

ROUGH: Final = 8
"""The same where networks that know nothing are asked, whose shares need not add up."""

CONTROLS: Final = 3
"""So many such networks are asked."""

CHECKED: Final = 12
"""So many images are explained in other ways, too, to see how far the maps can be trusted."""

COARSE: Final = 8
"""Grad-CAM of frozen features takes all maps whose cells are so many pixels wide, or wider: finer ones see edges."""

FINE: Final = 28
"""Grad-CAM of the small network takes the last map with so many cells along each side."""

THUMBNAIL: Final = 16
"""Images are alike if they are with so many pixels along each side."""

USUAL: Final[Method] = "integrated-gradients"

ASKED: Final = "explained by"
"""The covariate in which the chosen method travels with the images."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Heatmaps:
    """Images, and where in them what speaks for a label lies.

    Parameters
    ----------
    images
        As the network reads them: grey levels, (images, 1 or 3, height, width).
    labels
        The label that is explained, of each image.
    heat
        What each pixel contributes to its log-odds; only ratios within an image have a meaning with Grad-CAM.
    alone
        How many images had no other to be compared with, but themselves, blurred.
    check
        How far the maps can be trusted; None where that was not asked.
    """

    images: Shaped[np.ndarray, "images channels height width"]
    labels: Int[np.ndarray, "images"]
    heat: Heat
    method: Method
    alone: int = 0
    check: SelfCheck | None = None

    def pixels(self, row: int) -> Shaped[np.ndarray, "height width *three"]:
        """Return one image as it is shown."""
        image = self.images[row]
        return np.ascontiguousarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, 2))


@final
class SeenWhole(nn.Module):
    """A network of any recipe that reads prepared images, all of the same size.

    Parameters
    ----------
    member
        Of the trained model.
    encoder
        Holds the frozen network, where the member reads its features.
    """

    def __init__(self, member: nn.Module, encoder: DiagnosisEncoder) -> None:
        super().__init__()
        self.member, self.encoder = member, encoder

    @property
    def reader(self) -> ImageReader:
        """The part that turns images into maps of features."""
        if isinstance(self.member, FrozenNetwork):
            return self._frozen.reader
        return cast("ImageNetwork", self.member).reader

    @property
    def lookouts(self) -> list[nn.Module]:
        """The modules that see the maps by which an answer is explained."""
        reader = self.reader
        sizes = reader.cells(self.size)
        if isinstance(self.member, FrozenNetwork):
            coarse = [place for place in self._frozen.places if self.size >= COARSE * sizes[place]]
            return [reader.lookouts[place] for place in coarse or self._frozen.places[-1:]]
        network = cast("ImageNetwork", self.member)
        if network.reads != "small_images":
            return network.lookouts(self.size)
        # Every cell of its last map sees nearly the whole image, and nothing held what it found in its place.
        return [reader.lookouts[max(place for place, count in enumerate(sizes) if not place or count >= FINE)]]

    @property
    def _frozen(self) -> FrozenFeatures:
        assert self.encoder.frozen is not None
        return self.encoder.frozen

    @property
    def size(self) -> int:
        """Pixels along each side of what the network reads."""
        reading = self.encoder.reading
        is_small = isinstance(self.member, ImageNetwork) and self.member.reads == "small_images"
        return reading.small_size if is_small else reading.image_size

    def forward(self, prepared: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch outputs"]:
        """Compute the logits of each answer."""
        if prepared.shape[-1] != self.size:
            # Only in an ensemble; the spread of the smaller image is then a little less than 1.
            prepared = functional.interpolate(prepared, (self.size, self.size), mode="bilinear", antialias=True)
        maps = self.reader.maps(prepared)
        if isinstance(self.member, FrozenNetwork):
            frozen: Tensor = self.member(self.encoder.scaled(self._frozen.describe(maps)))
            return frozen
        return cast("ImageNetwork", self.member).head(maps)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """Prepared images, the label that is asked of each, and what they are compared with."""

    predictor: Predictor[Pictures]
    prepared: Float[Tensor, "images 3 height width"]
    labels: Int[Tensor, "images"]
    compared: Compared

    def answer(self, method: Method, listener: Listener = silent, *, steps: int = STEPS) -> Heat:
        """Compute a map for each image."""
        networks = self.networks()
        score = self.score(networks)
        given = self.prepared, self.labels
        if method == "occlusion":
            return occlusion(score, *given, compared=self.compared, listener=listener)
        if method == "integrated-gradients":
            return integrated_gradients(score, *given, compared=self.compared, steps=steps, listener=listener)
        lookouts = [lookout for network in networks for lookout in network.lookouts]
        return grad_cam(score, lookouts, *given, compared=self.compared, listener=listener)

    def networks(self) -> list[SeenWhole]:
        """Return the members, each of which reads prepared images."""
        encoder = diagnosis_encoder(self.predictor.encoder)
        return [SeenWhole(member, encoder).eval() for member in self.predictor.members]

    def score(self, networks: Sequence[SeenWhole]) -> ImageScore:
        """Return the log-odds as a function of prepared images."""
        seen = replace(self.predictor, members=tuple(networks)).scorer()
        return lambda prepared, label: seen({"prepared": prepared}, label)

    def few(self) -> _Question:
        """Ask of some images only, from the first to the last."""
        chosen = evenly_spread(len(self.labels), CHECKED)
        compared = Compared(self.compared.pool, self.compared.rows[chosen])
        return replace(self, prepared=self.prepared[chosen], labels=self.labels[chosen], compared=compared)

    def control(self, seed: int) -> _Question:
        """Ask the same network after its weights were shuffled, with one image to compare each with."""
        compared = Compared(self.compared.pool, self.compared.rows[:, :1])
        return replace(self, predictor=randomised(self.predictor, seed), compared=compared)


def heatmaps(
    predictor: Predictor[Pictures],
    pictures: Pictures,
    labels: Int[np.ndarray, "images"] | None = None,
    *,
    method: Method = USUAL,
    others: Pictures | None = None,
    check: bool = True,
    listener: Listener = silent,
) -> Heatmaps:
    """Find where in each image what speaks for a label lies.

    Each is compared with those that look most like it and of which the network does not say that label: what both have,
    such as the edge of a lung, is no reason for it. Where there is none, it is compared with itself, blurred.

    Parameters
    ----------
    labels
        The labels to explain; the most probable one of each image where None.
    others
        The images to compare with; by default those that are explained, among each other.
    check
        Whether to measure how far the maps can be trusted.
    """
    encoder = diagnosis_encoder(predictor.encoder)
    outputs = predictor.outputs(pictures)
    if labels is None:
        labels = outputs.argmax(axis=1)
    if others is not None:
        outputs = predictor.outputs(others)
    size = max((SeenWhole(member, encoder).size for member in predictor.members), default=1)
    reader = SeenWhole(predictor.members[0], encoder).reader
    images = encoder.reading.images(pictures, size=size)
    prepared = _prepared(reader, images)
    pool = prepared if others is None else _prepared(reader, encoder.reading.images(others, size=size))
    negative = outputs < (0.0 if predictor.task.is_multilabel else np.log(0.5))
    compared = Compared(pool, _alike(prepared, pool, negative[:, labels].T))
    question = _Question(predictor, prepared, torch.from_numpy(labels.astype(np.int64)), compared)
    heat = question.answer(method, listener)
    measured = _check(question, heat, method, listener) if check and len(heat) else None
    return Heatmaps(images, labels, heat, method, int((compared.rows[:, 0] < 0).sum()), measured)


def _alike(
    images: Float[Tensor, "images 3 height width"],
    pool: Float[Tensor, "pool 3 height width"],
    allowed: Bool[np.ndarray, "images pool"],
) -> Int[np.ndarray, "images references"]:
    """Choose the images that correlate best as thumbnails; as often as needed again where there are few."""
    rows = np.full((len(images), COMPARED), -1)
    own, known = (_thumbnails(some) for some in (images, pool))
    for number, (one, free) in enumerate(zip(own, allowed, strict=True)):
        likeness = np.where(free, known @ one, -np.inf) if len(known) else np.empty(0)
        best = np.argsort(-likeness, kind="stable")[: min(COMPARED, int(free.sum()))]
        if len(best):
            rows[number] = np.resize(best, COMPARED)
    return rows


def _thumbnails(images: Float[Tensor, "images 3 height width"]) -> Float[np.ndarray, "images pixels"]:
    small = functional.adaptive_avg_pool2d(images, THUMBNAIL).flatten(1).numpy()
    centred: np.ndarray = small - small.mean(axis=1, keepdims=True)
    unit: np.ndarray = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    return unit


def _check(question: _Question, heat: Heat, method: Method, listener: Listener) -> SelfCheck:
    """Compare a method with another, and with networks that know nothing, cell by cell of some images."""
    few = question.few()
    own = cells(heat[evenly_spread(len(heat), CHECKED)], GRID)
    gradients = heat if method == "integrated-gradients" else few.answer("integrated-gradients")
    asked = question if method == "integrated-gradients" else few
    expected = differences(asked.score(asked.networks()), asked.prepared, asked.labels, asked.compared)
    second = cells(gradients if method == "occlusion" else few.answer("occlusion", listener), GRID)
    controls = [cells(few.control(seed).answer(method, steps=ROUGH), GRID) for seed in range(CONTROLS)]
    return SelfCheck(
        completeness_error=float(np.abs(gradients.sum(axis=(1, 2)) - expected).max()),
        score_range=float(np.abs(expected).max()),
        agreement=rank_correlation(own.ravel(), second.ravel()),
        sign_agreement=float(np.mean(np.sign(own) == np.sign(second))),
        randomised_agreement=mean_of_defined([rank_correlation(own.ravel(), some.ravel()) for some in controls]),
    )


def _prepared(reader: ImageReader, images: Shaped[np.ndarray, "..."]) -> Float[Tensor, "images 3 height width"]:
    blocks = [
        reader.prepared(torch.from_numpy(np.ascontiguousarray(images[start : start + 64])))
        for start in range(0, len(images), 64)
    ]
    return torch.cat(blocks) if blocks else torch.empty(0, 3, *images.shape[-2:])


def attribution(found: Heatmaps, ids: Sequence[str], names: Sequence[str]) -> Attribution:
    """Lay heat out as a table: a row for each cell of a coarse grid, counted from the top left.

    Parameters
    ----------
    names
        Of the labels.
    """
    grid = min(GRID, *found.heat.shape[1:]) if len(found.heat) else GRID
    values = cells(found.heat, grid)
    places = [f"{row}:{column}" for row in range(grid) for column in range(grid)]
    chosen = np.asarray(names, dtype=object)[found.labels]
    columns = {
        "id": np.repeat(np.asarray(ids, dtype=object), grid * grid),
        "target": np.repeat(chosen, grid * grid),
        "feature": places * len(values),
        "position": list(range(grid * grid)) * len(values),
        "value": values.reshape(-1),
        "method": [found.method] * (grid * grid * len(values)),
    }
    return Attribution(pl.DataFrame(columns, schema=SCHEMA), found.check)


def method_of(examples: Examples[Pictures]) -> Method:
    """Return the method that was asked for."""
    asked = examples.covariates.get(ASKED)
    return cast("Method", str(asked[0])) if asked is not None and len(asked) else USUAL
