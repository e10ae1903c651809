"""Where in an image the answer comes from: maps of what speaks for it, computed in three ways.

All take a score of images and labels, such as the log-odds of a diagnosis, and return a number per pixel, positive
where the image speaks for the label. "Speaks for it" needs something to compare with: the edge of a lung adds to the
score of every radiograph, whether anything is wrong with the lung or not. All methods therefore take other images, see
:class:`Compared`; best are such as have another answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, final

import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerAttribution, LayerGradCam
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from primase.events import Listener, Progress, silent

SaliencyMethod = Literal["grad-cam", "occlusion", "integrated-gradients"]
ImageScore = Callable[[Tensor, Tensor], Tensor]
"""Of images (batch, channels, height, width) and the labels asked about (batch,): a number for each."""

Images = Float[Tensor, "images channels height width"]
Heat = Float[np.ndarray, "images height width"]

STEPS: Final = 32
WINDOWS: Final = 7
"""Pieces along each side that are covered one after the other."""

REACH: Final = 0.16
"""A piece ends softly at so large a share of the side from its middle: neighbours overlap by half."""

BLUR: Final = 8
"""The spread of the blur is so many times smaller than the image."""

SMOOTHING: Final = 14
"""Gradients of single pixels are noise; they are spread over this part of the side, half a cell of a 7 x 7 grid."""

_AT_ONCE: Final = 16


@final
@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What each image is compared with.

    Parameters
    ----------
    pool
        Images, prepared as those that are explained.
    rows
        Which of them each image is compared with; a row of -1 stands for the image itself, blurred.
    """

    pool: Images
    rows: Int[np.ndarray, "images references"]

    def baselines(self, images: Images, part: slice) -> list[Images]:
        """Return what some images are compared with, one after the other."""
        # Where there are too few to compare with, the same ones stand there several times.
        rows = torch.from_numpy(np.unique(self.rows[part], axis=1))
        smooth = blurred(images) if bool((rows < 0).any()) else images
        found = []
        for column in rows.T:
            others = self.pool[column.clamp(min=0)] if len(self.pool) else images
            found.append(torch.where((column >= 0)[:, None, None, None], others, smooth))
        return found


def grad_cam(
    score: ImageScore,
    layers: Sequence[nn.Module],
    images: Images,
    labels: Int[Tensor, "images"],
    *,
    compared: Compared | None = None,
    listener: Listener = silent,
) -> Heat:
    """Weigh each map of features by how far the score rises with it (Selvaraju et al. 2017).

    Quick, and as coarse as the maps. What speaks against the label is kept, with its sign.

    Parameters
    ----------
    layers
        Modules whose outputs are the maps; those of several are averaged.
    compared
        From each map that of the images compared with is taken off; None for plain Grad-CAM.

    Returns
    -------
    Brought from the size of the maps to that of the images, bilinear.
    """

    def mapped(some: Images, own: Tensor) -> Tensor:
        maps = []
        for layer in layers:
            found = LayerGradCam(score, layer).attribute(some, additional_forward_args=(own,)).detach()
            # A cell of a coarse map stands for more pixels than one of a fine map, and has its value once for all.
            share = found[0].numel() / some[0, 0].numel()
            maps.append(share * LayerAttribution.interpolate(found, tuple(some.shape[-2:]), "bilinear")[:, 0])
        return torch.stack(maps).mean(dim=0)

    def attribute(some: Images, own: Tensor, part: slice) -> Tensor:
        found = mapped(some, own)
        if compared is None:
            return found
        others = [mapped(other, own) for other in compared.baselines(some, part)]
        return found - torch.stack(others).mean(dim=0)

    return _in_blocks(attribute, images, labels, listener)


def occlusion(
    score: ImageScore,
    images: Images,
    labels: Int[Tensor, "images"],
    *,
    compared: Compared | None = None,
    windows: int = WINDOWS,
    listener: Listener = silent,
) -> Heat:
    """Cover one piece of the image after the other, and see how far the score falls (Zeiler and Fergus 2014).

    Nothing but the score is asked, so that it holds for any network. A piece is covered with the same piece of other
    images (Zintgraf et al. 2017), with soft edges: a patch of grey, or a blurred one, would itself be something to see,
    and on a radiograph it looks like an opacity.

    Parameters
    ----------
    compared
        The images that pieces are taken from; None for the image itself, blurred (Fong and Vedaldi 2017).
    windows
        So many pieces along each side.

    Returns
    -------
    Brought from pieces to pixels, bilinear.
    """
    pieces = _pieces(windows, *images.shape[-2:])

    def attribute(some: Images, own: Tensor, part: slice) -> Tensor:
        fallen = torch.zeros(len(some), windows * windows)
        baselines = _baselines(some, part, compared)
        with torch.inference_mode():
            whole = score(some, own)
            for other in baselines:
                for number, piece in enumerate(pieces):
                    fallen[:, number] += (whole - score(some + piece * (other - some), own)) / len(baselines)
        grid = fallen.reshape(-1, 1, windows, windows)
        return nn.functional.interpolate(grid, tuple(some.shape[-2:]), mode="bilinear")[:, 0]

    return _in_blocks(attribute, images, labels, listener)


def _pieces(windows: int, height: int, width: int) -> Float[Tensor, "pieces height width"]:
    """Draw discs with soft edges around the middles of the cells of a grid."""
    middles = (torch.arange(windows) + 0.5) / windows
    down, across = ((torch.arange(size) + 0.5) / size for size in (height, width))
    reach = REACH * WINDOWS / windows
    far = ((down - middles[:, None]) / reach).square()[:, None, :, None]
    wide = ((across - middles[:, None]) / reach).square()[None, :, None, :]
    return torch.exp(-((far + wide) ** 2)).reshape(-1, height, width)


def integrated_gradients(
    score: ImageScore,
    images: Images,
    labels: Int[Tensor, "images"],
    *,
    compared: Compared | None = None,
    steps: int = STEPS,
    listener: Listener = silent,
) -> Heat:
    """Share the difference of the score from that of other images out among the pixels.

    Sundararajan et al. 2017; with several images to compare with, the mean over them is known as expected gradients
    (Erion et al. 2021). The shares of an image add up to the difference, as closely as there are steps; they are then
    smoothed a little, which keeps their sum.

    Parameters
    ----------
    compared
        The images to start from; None for the image itself, blurred (Sturmfels et al. 2020).
    steps
        In all; each of several images to start from has its part of them.
    """

    def attribute(some: Images, own: Tensor, part: slice) -> Tensor:
        baselines = _baselines(some, part, compared)
        shares = [
            IntegratedGradients(score)
            .attribute(
                some,
                baselines=other,
                additional_forward_args=(own,),
                n_steps=max(steps // len(baselines), 1),
                internal_batch_size=max(_AT_ONCE, len(some)),
            )
            .detach()
            .sum(dim=1)
            for other in baselines
        ]
        spread = min(some.shape[-2:]) / SMOOTHING
        mean = torch.stack(shares).mean(dim=0).numpy()
        return torch.from_numpy(gaussian_filter(mean, (0, spread, spread), mode="reflect"))

    return _in_blocks(attribute, images, labels, listener)


def differences(
    score: ImageScore, images: Images, labels: Int[Tensor, "images"], compared: Compared | None = None
) -> Float[np.ndarray, "images"]:
    """Compute what integrated gradients should add up to: by how much scores differ from those compared with."""
    found = np.empty(len(images))
    with torch.inference_mode():
        for start in range(0, len(images), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            some, own = images[part], labels[part]
            others = [score(other, own) for other in _baselines(some, part, compared)]
            found[part] = (score(some, own) - torch.stack(others).mean(dim=0)).numpy()
    return found


def _baselines(some: Images, part: slice, compared: Compared | None) -> list[Images]:
    return [blurred(some)] if compared is None else compared.baselines(some, part)


def blurred(images: Images) -> Images:
    """Blur images so far that only the coarsest shapes are left."""
    spread = min(images.shape[-2:]) / BLUR
    smooth = gaussian_filter(images.numpy(), (0, 0, spread, spread), mode="reflect")
    return torch.from_numpy(smooth)


def cells(heat: Heat, grid: int) -> Float[np.ndarray, "images grid grid"]:
    """Average maps over the cells of a coarse grid, as tables show them.

    Examples
    --------
    >>> cells(np.arange(16.0).reshape(1, 4, 4), 2)[0].tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    pooled = nn.functional.adaptive_avg_pool2d(torch.from_numpy(np.ascontiguousarray(heat))[:, None], grid)
    return np.asarray(pooled[:, 0].numpy())


def _in_blocks(
    attribute: Callable[[Images, Tensor, slice], Tensor],
    images: Images,
    labels: Int[Tensor, "images"],
    listener: Listener,
) -> Heat:
    heat = np.empty((len(images), *images.shape[-2:]))
    for start in range(0, len(images), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        heat[part] = attribute(images[part], labels[part], part).double().numpy()
        listener(Progress("explain", min(start + _AT_ONCE, len(images)), len(images), "images"))
    return heat
