import numpy as np
import pytest

from primase.apps.images.pictures import ArrayPictures, Pictures
from primase.errors import ReadError


def picture(value, size=(4, 5)):
    return np.full(size, value, dtype=np.uint8)


def test_taking_and_joining_keep_order():
    first = Pictures.of_arrays([picture(value, (4, 5 + value)) for value in range(4)])
    second = Pictures.whole(ArrayPictures(np.stack([picture(10 + value) for value in range(3)])))
    both = Pictures.concatenate([first.take(np.array([3, 1])), second, first.take(np.array([0]))])
    assert [int(both.pixels(index)[0, 0]) for index in range(len(both))] == [3, 1, 10, 11, 12, 0]
    assert len(both.stores) == 2
    assert both.pixels(0).shape == (4, 8)
    chosen = both.take(np.array([5, 2]))
    assert [int(chosen.pixels(index)[0, 0]) for index in range(2)] == [0, 10]
    assert len(Pictures.concatenate([])) == 0


def test_headers_and_places():
    pictures = Pictures.of_arrays([np.zeros((4, 5, 3), dtype=np.uint16)], "field")
    header = pictures.header(0)
    assert (header.height, header.width, header.colour, header.bits) == (4, 5, True, 16)
    assert pictures.where(0) == "field, image 0"
    with pytest.raises(ReadError, match="field, image 0"):
        Pictures.of_arrays([np.zeros((4, 5), dtype=np.int32)], "field").pixels(0)
