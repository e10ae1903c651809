"""Images as a column of examples: in files or arrays, decoded one at a time when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, final

import numpy as np
from jaxtyping import Integer, Shaped

from primase.apps.images.summaries import Summaries
from primase.bio.image_pixels import ImageHeader, Pixels, as_pixels, where
from primase.bio.images import image_header, read_image
from primase.data.examples import Indices

Places = Integer[np.ndarray, "images"]


class PictureStore(Protocol):
    """Where images are; any thread may ask."""

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    @property
    def summaries(self) -> Summaries | None:
        """Return what was measured of each image when it was first decoded; None if that has not been."""
        ...

    @property
    def prepared(self) -> Sequence[Prepared]:
        """Return all images at each of the sizes that they were brought to when they were first decoded."""
        ...

    def pixels(self, row: int) -> Pixels:
        """Decode one image."""
        ...

    def header(self, row: int) -> ImageHeader:
        """Tell size, colour and format of one image."""
        ...

    def where(self, row: int) -> str:
        """Name one image for messages."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Preparation:
    """How images are brought to the size of a network.

    Parameters
    ----------
    size
        Height and width in pixels.
    colour
        Three channels if true (grey is repeated), else one.
    intensity
        ``"auto"``, ``"range"`` or ``"stretch"``: how 16 bit and floating point become 8 bit.
    keep_shape
        Whether the sides keep their ratio, with black borders around, or both are stretched to the size.
    """

    size: tuple[int, int]
    colour: bool
    intensity: str = "auto"
    keep_shape: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one prepared image."""
        return (*self.size, 3) if self.colour else self.size


@final
@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Images of a store that were brought to the size of a network when they were first decoded."""

    preparation: Preparation
    images: Shaped[np.ndarray, "images height width *three"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class FilePictures:
    """Images in files.

    Parameters
    ----------
    paths
        The file of each image.
    pages
        The page of each image; -1 where the file has one only.
    headers
        What each file says of its image, if that was read already.
    """

    paths: Sequence[Path]
    pages: Places
    headers: Sequence[ImageHeader] | None = None
    summaries: Summaries | None = None
    prepared: Sequence[Prepared] = ()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.paths)

    def page(self, row: int) -> int | None:
        """Return the page of an image, None where the file has one only."""
        page = int(self.pages[row])
        return None if page < 0 else page

    def pixels(self, row: int) -> Pixels:
        """Decode one image."""
        return read_image(self.paths[row], self.page(row))

    def header(self, row: int) -> ImageHeader:
        """Tell size, colour and format of one image."""
        return self.headers[row] if self.headers is not None else image_header(self.paths[row], self.page(row))

    def where(self, row: int) -> str:
        """Name one image for messages."""
        return where(self.paths[row], self.page(row))


@final
@dataclass(frozen=True, slots=True, eq=False)
class ArrayPictures:
    """Images in memory, or in one memory-mapped array.

    Parameters
    ----------
    images
        An array of all, (images, height, width) or (images, height, width, 3), or a sequence of arrays of any sizes.
    name
        Where they come from, for messages.
    """

    images: Shaped[np.ndarray, "images height width *three"] | Sequence[Pixels]
    name: str = "array"
    summaries: Summaries | None = None
    prepared: Sequence[Prepared] = ()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def pixels(self, row: int) -> Pixels:
        """Return one image."""
        return as_pixels(np.asarray(self.images[row]), self.where(row))

    def header(self, row: int) -> ImageHeader:
        """Tell size, colour and depth of one image."""
        image = self.images[row]
        colour = image.ndim == 3 and image.shape[2] > 2
        return ImageHeader("array", image.shape[0], image.shape[1], colour, 8 * image.dtype.itemsize)

    def where(self, row: int) -> str:
        """Name one image for messages."""
        return f"{self.name}, image {row}"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Images of any sizes, decoded on demand and never all in memory.

    Parameters
    ----------
    stores
        Where they are.
    store_of, row_of
        For each image the number of its store, and its row in it.
    """

    stores: tuple[PictureStore, ...]
    store_of: Places
    row_of: Places

    @classmethod
    def whole(cls, store: PictureStore) -> Pictures:
        """Take all images of one store."""
        return cls((store,), np.zeros(len(store), dtype=np.int64), np.arange(len(store)))

    @classmethod
    def of_files(cls, paths: Sequence[Path]) -> Pictures:
        """Take images in files, of each the first page."""
        return cls.whole(FilePictures(list(paths), np.full(len(paths), -1, dtype=np.int64)))

    @classmethod
    def of_arrays(cls, arrays: Sequence[Pixels], name: str = "array") -> Pictures:
        """Take images in memory."""
        return cls.whole(ArrayPictures(list(arrays), name))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.row_of)

    def take(self, indices: Indices) -> Pictures:
        """Return the images at these positions, in this order; nothing is decoded."""
        return Pictures(self.stores, self.store_of[indices], self.row_of[indices])

    @classmethod
    def concatenate(cls, blocks: Sequence[Pictures]) -> Pictures:
        """Join images, in this order; blocks of one store go on sharing it."""
        number_of: dict[int, int] = {}
        stores: list[PictureStore] = []
        for block in blocks:
            for store in block.stores:
                if number_of.setdefault(id(store), len(stores)) == len(stores):
                    stores.append(store)
        numbers = [np.array([number_of[id(store)] for store in block.stores], dtype=np.int64) for block in blocks]
        nothing = np.empty(0, dtype=np.int64)
        store_of = [nothing, *(own[block.store_of] for own, block in zip(numbers, blocks, strict=True) if len(block))]
        return cls(tuple(stores), np.concatenate(store_of), np.concatenate([nothing, *(b.row_of for b in blocks)]))

    def pixels(self, index: int) -> Pixels:
        """Decode one image.

        Returns
        -------
        As in its file: uint8, uint16 or float32, grey (height, width) or colour (height, width, 3).

        Raises
        ------
        ReadError
            If the file cannot be read as an image.
        """
        return self.stores[int(self.store_of[index])].pixels(int(self.row_of[index]))

    def header(self, index: int) -> ImageHeader:
        """Tell size, colour, depth and format of one image without decoding it."""
        return self.stores[int(self.store_of[index])].header(int(self.row_of[index]))

    def where(self, index: int) -> str:
        """Name one image for messages: its file, and its page where there are several."""
        return self.stores[int(self.store_of[index])].where(int(self.row_of[index]))

    def by_store(self) -> list[tuple[PictureStore, Indices]]:
        """List the stores that hold some of these images, and the positions of those."""
        found = [(store, np.flatnonzero(self.store_of == number)) for number, store in enumerate(self.stores)]
        return [(store, positions) for store, positions in found if len(positions)]
