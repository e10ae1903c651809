import io
import subprocess
import sys
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from primase.bio.image_pixels import as_pixels
from primase.bio.images import image_header, image_headers, is_image_name, read_image, write_image
from primase.errors import InputError, ReadError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 17), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (12, 17, 3), dtype=np.uint8)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("ending", [".png", ".bmp", ".tif", ".webp", ".PNG"])
@pytest.mark.parametrize("array", [GREY, COLOUR], ids=["grey", "colour"])
def test_reads_what_pillow_wrote(tmp_path, ending, array):
    path = save(tmp_path / f"a{ending}", array, **({"lossless": True} if ending == ".webp" else {}))
    found = read_image(path)
    if ending == ".webp" and array.ndim == 2:  # WebP knows colour only
        array = np.repeat(array[:, :, None], 3, axis=2)
    assert found.dtype == np.uint8
    assert np.array_equal(found, array)
    header = image_header(path)
    assert (header.height, header.width, header.colour, header.bits) == (12, 17, array.ndim == 3, 8)
    assert header.size_bytes == path.stat().st_size


def test_reads_jpeg_as_pillow_does(tmp_path):
    path = save(tmp_path / "a.jpeg", COLOUR, quality=90)
    assert np.array_equal(read_image(path), np.asarray(Image.open(path)))


@settings(max_examples=25, deadline=None)
@given(
    values=arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    colour=st.booleans(),
    ending=st.sampled_from([".png", ".tif"]),
)
def test_sixteen_bit_survives_a_round_trip(tmp_path_factory, values, colour, ending):
    pixels = np.stack([values, values[::-1], values // 2], axis=2) if colour else values
    path = tmp_path_factory.mktemp("deep") / f"a{ending}"
    write_image(path, pixels)
    found = read_image(path)
    assert found.dtype == np.uint16
    assert np.array_equal(found, pixels)
    assert image_header(path).bits == 16
    assert image_header(path).colour == colour
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_floating_point_survives_tiff_and_is_refused_for_png(tmp_path):
    pixels = RNG.normal(size=(8, 9)).astype(np.float32)
    write_image(tmp_path / "a.tif", pixels)
    assert np.array_equal(read_image(tmp_path / "a.tif"), pixels)
    with pytest.raises(InputError, match="cannot be written so"):
        write_image(tmp_path / "a.png", pixels)
    assert [child.name for child in tmp_path.iterdir()] == ["a.tif"]


def test_sixteen_bit_colour_is_not_cut_to_eight(tmp_path):
    pixels = RNG.integers(0, 65536, (5, 6, 3), dtype=np.uint16)
    path = tmp_path / "deep.png"
    path.write_bytes(imagecodecs.png_encode(pixels))
    assert np.array_equal(read_image(path), pixels)


def test_transparency_is_laid_on_white(tmp_path):
    alpha = np.zeros((4, 4), dtype=np.uint8)
    alpha[:2] = 255
    rgba = np.dstack([np.full((4, 4, 3), 10, dtype=np.uint8), alpha])
    found = read_image(save(tmp_path / "a.png", rgba))
    assert found.shape == (4, 4, 3)
    assert (found[:2] == 10).all()
    assert (found[2:] == 255).all()
    grey = read_image(save(tmp_path / "b.png", np.dstack([np.full((4, 4), 10, dtype=np.uint8), alpha])))
    assert grey.shape == (4, 4)
    assert (grey[2:] == 255).all()


def test_palettes_and_one_bit_are_expanded(tmp_path):
    Image.fromarray(COLOUR).quantize(256).save(tmp_path / "palette.png")
    expected = np.asarray(Image.open(tmp_path / "palette.png").convert("RGB"))
    assert np.array_equal(read_image(tmp_path / "palette.png"), expected)
    Image.fromarray(GREY > 100).save(tmp_path / "bit.png")
    assert np.array_equal(read_image(tmp_path / "bit.png"), np.where(GREY > 100, 255, 0))
    assert read_image(tmp_path / "bit.png").dtype == np.uint8


def test_a_moving_image_gives_its_first_frame(tmp_path):
    frames = [Image.fromarray(np.full((6, 6), value, dtype=np.uint8)) for value in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (read_image(tmp_path / "a.gif") == 10).all()
    assert image_header(tmp_path / "a.gif").pages == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_honoured(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path, exif=exif)
    shown = read_image(path)
    header = image_header(path)
    assert shown.shape == (header.height, header.width)
    tiff = tmp_path / "a.tif"
    tifffile.imwrite(tiff, GREY, extratags=[(274, "H", 1, orientation, True)])
    assert np.array_equal(read_image(tiff), shown)
    assert (image_header(tiff).height, image_header(tiff).width) == shown.shape
    if orientation == 6:  # to be turned to the right
        assert np.array_equal(shown, np.rot90(GREY, -1))


def test_pages_of_tiff(tmp_path):
    stack = RNG.integers(0, 65536, (4, 6, 7), dtype=np.uint16)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, stack, photometric="minisblack")
    assert image_header(path).pages == 4
    for page in range(4):
        assert np.array_equal(read_image(path, page), stack[page])
    assert np.array_equal(read_image(path), stack[0])
    with pytest.raises(ReadError, match="no such page"):
        read_image(path, 4)
    assert read_image(save(tmp_path / "one.png", GREY), 0).shape == GREY.shape
    with pytest.raises(ReadError, match="one page only"):
        read_image(tmp_path / "one.png", 1)


def test_tiff_with_channels_apart_and_white_is_zero(tmp_path):
    apart = tmp_path / "apart.tif"
    tifffile.imwrite(apart, np.moveaxis(COLOUR, 2, 0), photometric="rgb", planarconfig="separate")
    assert np.array_equal(read_image(apart), COLOUR)
    inverted = tmp_path / "inverted.tif"
    tifffile.imwrite(inverted, GREY, photometric="miniswhite")
    assert np.array_equal(read_image(inverted), 255 - GREY)


@pytest.mark.parametrize("dtype", [np.uint32, np.int16, np.int32, np.complex64])
def test_other_pixels_are_refused_by_name(tmp_path, dtype):
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, np.zeros((5, 5), dtype=dtype))
    with pytest.raises(ReadError, match=np.dtype(dtype).name):
        read_image(path)


def test_wider_floating_point_is_narrowed_and_nan_refused():
    assert as_pixels(np.ones((2, 2)), "x").dtype == np.float32
    with pytest.raises(ReadError, match="not numbers"):
        as_pixels(np.full((2, 2), np.nan), "x")
    with pytest.raises(ReadError, match="another shape"):
        as_pixels(np.zeros((2, 2, 5), dtype=np.uint8), "x")


def test_a_truncated_png_is_named(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (60, 60), dtype=np.uint8)).save(buffer, "PNG")
    path = tmp_path / "cut.png"
    path.write_bytes(buffer.getvalue()[:900])
    assert image_header(path).height == 60  # its beginning is whole
    with pytest.raises(ReadError, match="damaged or cut off") as raised:
        read_image(path)
    assert raised.value.where == str(path)


@pytest.mark.parametrize("length", [0, 4, 10, 40, 200])
@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".gif", ".bmp", ".dcm"])
def test_any_beginning_of_a_file_gives_a_clear_error(tmp_path, ending, length):
    whole = tmp_path / f"whole{ending}"
    if ending == ".dcm":
        whole.write_bytes(b"\0" * 128 + b"DICM" + bytes(range(100)))
    else:
        save(whole, RNG.integers(0, 256, (30, 30), dtype=np.uint8))
    path = tmp_path / f"cut{ending}"
    path.write_bytes(whole.read_bytes()[:length])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns before it gives up
        with pytest.raises(ReadError) as raised:
            read_image(path)
    assert raised.value.where == str(path)


@pytest.mark.parametrize("ending", [".png", ".tif", ".jpg", ".dcm"])
def test_a_text_file_is_no_image_whatever_its_name(tmp_path, ending):
    path = tmp_path / f"notes{ending}"
    path.write_text("these are notes\n" * 20)
    with pytest.raises(ReadError, match="this is no ") as raised:
        image_header(path)
    assert str(path) in str(raised.value)


def test_a_name_does_not_mislead(tmp_path):
    save(tmp_path / "a.png", GREY)
    (tmp_path / "a.png").rename(tmp_path / "a.tif")
    assert np.array_equal(read_image(tmp_path / "a.tif"), GREY)


def test_absent_files_and_folders(tmp_path):
    with pytest.raises(ReadError, match="does not exist"):
        read_image(tmp_path / "no.png")
    with pytest.raises(ReadError, match="folder"):
        read_image(tmp_path)


def written(kind):
    buffer = io.BytesIO()
    if kind == ".deep.png":
        return imagecodecs.png_encode(COLOUR.astype(np.uint16) * 200)
    if kind == ".dcm":
        return Path(pydicom.data.get_testdata_file("CT_small.dcm", download=False)).read_bytes()
    if kind == ".stack.tif":
        tifffile.imwrite(buffer, np.stack([GREY] * 3).astype(np.float32), photometric="minisblack", compression="zlib")
    else:
        Image.fromarray(COLOUR).save(buffer, {".jpg": "JPEG", ".tif": "TIFF"}.get(kind, kind[1:].upper()))
    return buffer.getvalue()


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from([".png", ".jpg", ".bmp", ".gif", ".webp", ".tif", ".deep.png", ".stack.tif", ".dcm"]),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8),
    length=st.integers(1, 5000),
)
def test_damage_gives_an_image_or_a_clear_error(tmp_path_factory, kind, changes, length):
    content = bytearray(written(kind))
    for place, value in changes:
        content[place % min(len(content), 400)] = value
    path = tmp_path_factory.mktemp("damaged") / f"a{kind}"
    path.write_bytes(bytes(content[:length]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for look in (image_header, read_image):
            try:
                look(path)
            except ReadError as error:
                assert error.where.startswith(str(path))  # noqa: PT017 - either is right


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "bomb.png", GREY)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(ReadError, match="too many pixels"):
        image_header(path)


def test_a_large_image_gives_no_warning(tmp_path):
    path = save(tmp_path / "large.png", GREY)
    program = (
        "import sys, pathlib; from PIL import Image; from primase.bio.images import read_image;"
        "Image.MAX_IMAGE_PIXELS = 150; print(read_image(pathlib.Path(sys.argv[1])).shape)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(GREY.shape)
    assert "Warning" not in done.stderr


def test_pages_are_looked_for_once_per_file(tmp_path, monkeypatch):
    stack = RNG.integers(0, 256, (30, 6, 7), dtype=np.uint8)
    path = tmp_path / "stack.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in stack:  # each with a smaller copy, which is no page
            writer.write(page, photometric="minisblack")
            writer.write(page[::2, ::2], photometric="minisblack", subfiletype=1)
    made = []
    original = tifffile.TiffPage.__init__

    def counted(self, *arguments, **options):
        made.append(1)
        original(self, *arguments, **options)

    monkeypatch.setattr(tifffile.TiffPage, "__init__", counted)
    for number, page in enumerate(stack):
        assert np.array_equal(read_image(path, number), page)
    assert len(made) < 5 * len(stack)
    assert [header.pages for header in image_headers(path)] == [30] * 30
    tifffile.imwrite(path, stack[:2, :3], photometric="minisblack")  # another file under the same name
    assert image_header(path).pages == 2
    assert np.array_equal(read_image(path, 1), stack[1, :3])


def test_endings():
    assert all(is_image_name(Path(name)) for name in ("a.PNG", "b.JpG", "c.tiff", "d.dcm", "e.webp"))
    assert not any(is_image_name(Path(name)) for name in ("Thumbs.db", "a.txt", "png", "a.npz"))
