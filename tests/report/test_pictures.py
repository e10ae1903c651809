"""Pictures in the report: whole inside the page, escaped around, and maps laid over them."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from primase.report.figures.overlay import overlaid
from primase.report.page import render_page
from primase.report.sections import PictureGrid, PictureRow, Section, picture_address

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)
COLOUR = np.stack([GREY, GREY[::-1], GREY * 2], axis=2)


@pytest.mark.parametrize("pixels", [GREY, COLOUR])
def test_a_picture_in_the_page_is_the_picture(pixels: np.ndarray) -> None:
    row = PictureRow("<script>alert(1)</script>", [pixels, pixels], ["left & right", "b"])
    grid = PictureGrid(["<b>low</b>", "truth"], [row], "A & B", "two pictures")
    page = render_page("Title", "", [Section("Pictures", [grid])], version="0")
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(found) == 2
    read = np.asarray(Image.open(io.BytesIO(base64.b64decode(found[0]))))
    np.testing.assert_array_equal(read, pixels)
    assert "<script>alert" not in page
    assert "&lt;b&gt;low" in page
    assert "left &amp; right" in page


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="8-bit grey or colour"):
        picture_address(GREY.astype(np.float32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pictures under"):
        PictureGrid(["one"], [PictureRow("", [GREY, GREY])], "", "")
    with pytest.raises(ValueError, match="notes below"):
        PictureRow("", [GREY, GREY], ["one"])


def test_a_map_colours_what_speaks_for_and_against() -> None:
    pixels = np.full((40, 60), 128, dtype=np.uint8)
    heat = np.zeros((4, 6))
    heat[0, 0], heat[3, 5] = 1.0, -1.0
    laid = overlaid(pixels, heat)
    assert laid.shape == (40, 60, 3)
    warm, cold, none = laid[0, 0].astype(int), laid[-1, -1].astype(int), laid[20, 30].astype(int)
    assert warm[0] - warm[2] > 80
    assert cold[2] - cold[0] > 80
    np.testing.assert_array_equal(none, [128, 128, 128])


def test_an_empty_map_leaves_the_picture_grey() -> None:
    np.testing.assert_array_equal(overlaid(GREY, np.zeros((2, 2))), np.repeat(GREY[..., None], 3, axis=2))
    with pytest.raises(ValueError, match="finite"):
        overlaid(GREY, np.full((2, 2), np.nan))
