"""What the generator learns from: every crop of every training image, in each of its eight flips and turns."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final, final

import numpy as np
from jaxtyping import Float, Int
from torch.utils.data import Sampler

from primase.apps.images.pictures import Pictures
from primase.apps.super_resolution.encoding import LEAST_LEARNED_SIDE, PictureEncoder, Plane, planes_of, stacked, zoomed
from primase.data.encoding import Batch
from primase.data.examples import Indices
from primase.errors import InputError

ORIENTATIONS: Final = 8
IN_MEMORY_BYTES: Final = 2**30
"""Planes that take more than this are kept in a temporary file."""
VALIDATION_CROPS: Final = 64
VALIDATION_PATCH: Final = 48
READERS: Final = 4


@final
@dataclass(frozen=True, slots=True, eq=False)
class PlanePairs:
    """Planes of all images, one after the other: of low resolution, and sharp.

    Parameters
    ----------
    low, sharp
        All pixels in a row; the sharp ones are scale x scale times as many.
    starts
        Where each plane begins in ``low``.
    sizes
        Height and width of each plane of low resolution.
    noise
        Standard deviation of the noise of each plane, which is drawn anew for each crop; planes themselves have none.
    """

    low: Float[np.ndarray, "pixels"]
    sharp: Float[np.ndarray, "more_pixels"]
    starts: Int[np.ndarray, "planes"]
    sizes: Int[np.ndarray, "planes 2"]
    noise: Float[np.ndarray, "planes"]
    scale: int

    @classmethod
    def of(cls, encoder: PictureEncoder, pictures: Pictures, zooms: Sequence[float] = (1.0,)) -> PlanePairs:
        """Read all images, each at all sizes, and make those of low resolution."""
        sizes = plane_sizes(encoder, pictures, zooms)
        areas = sizes.prod(axis=1)
        total = int(areas.sum())
        noise = np.zeros(len(sizes), dtype=np.float32)
        room = (_room(total), _room(total * encoder.scale**2))
        found = cls(*room, np.cumsum(areas) - areas, sizes, noise, encoder.scale)

        def read(index: int) -> list[tuple[Plane, Plane, float]]:
            pairs = [encoder.clean_pair(pictures, index, zoom) for zoom in zooms]
            return [
                (*own, encoder.noise_of(pair, bounds))
                for pair, bounds in pairs
                for own in planes_of(pair, encoder.colour, bounds)
            ]

        with ThreadPoolExecutor(READERS) as pool:
            # Some at a time, as all that a pool has done waits in memory to be fetched.
            every, few = range(len(pictures)), 4 * READERS
            some = (pool.map(read, every[start : start + few]) for start in every[::few])
            read_planes = chain.from_iterable(chain.from_iterable(some))
            for number, (small, large, noise[number]) in enumerate(read_planes):
                low, sharp = found.plane(number)
                low[:], sharp[:] = small, large
        return found

    def plane(self, number: int) -> tuple[Plane, Plane]:
        """Return views of one plane, of low resolution and sharp."""
        start, (height, width), scale = int(self.starts[number]), self.sizes[number].tolist(), self.scale
        low = self.low[start : start + height * width].reshape(height, width)
        sharp = self.sharp[start * scale**2 : (start + height * width) * scale**2]
        return low, sharp.reshape(height * scale, width * scale)


def plane_sizes(
    encoder: PictureEncoder, pictures: Pictures, zooms: Sequence[float] = (1.0,)
) -> Int[np.ndarray, "planes 2"]:
    """List the sizes of the planes of low resolution, image by image, without decoding any."""
    headers = [pictures.header(index) for index in range(len(pictures))]
    channels = [3 if header.colour and encoder.colour == "channels" else 1 for header in headers]
    sides = [
        [side if zoom == 1.0 else zoomed(side, zoom, encoder.scale) for side in (header.height, header.width)]
        for header in headers
        for zoom in zooms
    ]
    sizes = np.array(sides, dtype=np.int64).reshape(-1, 2)
    return np.repeat(sizes // encoder.scale, np.repeat(channels, len(zooms)), axis=0)


def _room(pixels: int) -> Float[np.ndarray, "pixels"]:
    """Make room for planes: in memory, or in a temporary file that is gone when nobody needs it any more."""
    if 4 * pixels <= IN_MEMORY_BYTES:
        return np.empty(pixels, dtype=np.float32)
    with tempfile.TemporaryFile() as file:
        # The map keeps the file alive.
        return np.memmap(file, dtype=np.float32, mode="w+", shape=(pixels,))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """All crops of some planes, by number: each place where one fits, times eight flips and turns; or some of them.

    Parameters
    ----------
    patch
        The side of a crop, in pixels of low resolution.
    before
        How many places the planes before each one have, and at the end how many there are in all.
    chosen
        Numbers of crops to which the positions refer; None where positions are numbers.
    """

    planes: PlanePairs
    patch: int
    before: Int[np.ndarray, "planes_and_end"]
    chosen: Int[np.ndarray, "crops"] | None = None
    largest_batch: int = 16

    @classmethod
    def all_of(cls, planes: PlanePairs, patch: int) -> Crops:
        """Give a number to each crop; planes in which none fits have none, and where it fits in none it is smaller.

        Raises
        ------
        InputError
            If all images are too small to learn anything from.
        """
        side = side_of(planes.sizes, patch, planes.scale)
        return cls(planes, side, np.concatenate([[0], np.cumsum(_places(planes.sizes, side))]))

    def some(self, count: int) -> Crops:
        """Choose crops to validate on: spread evenly over all places, and neither flipped nor turned."""
        places = np.linspace(0, int(self.before[-1]) - 1, count).round().astype(np.int64)
        return replace(self, chosen=np.unique(places) * ORIENTATIONS)

    def __len__(self) -> int:
        """Return the number of crops."""
        return int(self.before[-1]) * ORIENTATIONS if self.chosen is None else len(self.chosen)

    def batch(self, indices: Indices) -> Batch:
        """Cut crops out: ``low``, shape (batch, 1, patch, patch), and ``sharp``, each side scale times as long."""
        numbers = indices if self.chosen is None else self.chosen[indices]
        # The same crops have the same noise, so that nothing depends on what was drawn before.
        generator = np.random.default_rng(numbers)
        crops = [self._crop(int(number), generator) for number in numbers]
        return {"low": stacked([low for low, _ in crops]), "sharp": stacked([sharp for _, sharp in crops])}

    def _crop(self, number: int, generator: np.random.Generator) -> tuple[Plane, Plane]:
        place, orientation = divmod(number, ORIENTATIONS)
        plane = int(np.searchsorted(self.before, place, side="right")) - 1
        low, sharp = self.planes.plane(plane)
        noise = float(self.planes.noise[plane])
        row, column = divmod(place - int(self.before[plane]), low.shape[1] - self.patch + 1)
        found = []
        for pixels, times in ((low, 1), (sharp, self.planes.scale)):
            rows, columns = (slice(first * times, (first + self.patch) * times) for first in (row, column))
            found.append(turned(pixels[rows, columns], orientation))
        small, large = found
        if noise:
            small = small + np.float32(noise) * generator.standard_normal(small.shape, dtype=np.float32)
        return small, large


def side_of(sizes: Int[np.ndarray, "planes 2"], patch: int, scale: int) -> int:
    """Choose the side of crops: as wanted, or as large as the largest plane allows.

    Raises
    ------
    InputError
        If all images are too small to learn anything from.
    """
    largest = int(sizes.min(axis=1).max(initial=0))
    if largest < LEAST_LEARNED_SIDE:
        what = "all images are too small to learn from"
        wanted = f"at least {LEAST_LEARNED_SIDE * scale}, which are {LEAST_LEARNED_SIDE} at the low resolution"
        raise InputError(what, got=f"{largest * scale} pixels on the shorter side at most", wanted=wanted)
    return min(patch, largest)


def crop_count(sizes: Int[np.ndarray, "planes 2"], patch: int, scale: int) -> int:
    """Count the crops of planes of these sizes, as :class:`Crops` numbers them."""
    return int(_places(sizes, side_of(sizes, patch, scale)).sum()) * ORIENTATIONS


def _places(sizes: Int[np.ndarray, "planes 2"], side: int) -> Int[np.ndarray, "planes"]:
    """Count the places of each plane where a crop fits."""
    return np.asarray((sizes - side + 1).clip(min=0).prod(axis=1))


def turned(plane: Plane, orientation: int) -> Plane:
    """Turn a plane by quarters, and mirror it in the second half of the eight orientations."""
    mirrored = plane[:, ::-1] if orientation >= ORIENTATIONS // 2 else plane
    return np.rot90(mirrored, orientation % 4)


@final
class DrawnBatches(Sampler[Indices]):
    """Batches of positions drawn with replacement, of which an epoch has as many as one likes.

    What an epoch draws is a function of the seed and its number, so that an interrupted run goes on with the same.
    """

    def __init__(self, count: int, batch_size: int, batches: int, seed: int) -> None:
        self.count = count
        self.batch_size = batch_size
        self.batches = batches
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose draws come next; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return self.batches

    def __iter__(self) -> Iterator[Indices]:
        """Yield the positions of each batch."""
        generator = np.random.default_rng([self.seed, self.epoch])
        for _ in range(self.batches):
            yield generator.integers(self.count, size=self.batch_size)
