import datetime as dt
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from primase.bio import dicom
from primase.bio.dicom import is_dicom
from primase.bio.images import image_header, read_image
from primase.errors import ReadError

RNG = np.random.default_rng(1)
PATIENT = "Mustermann^Erika"


def write(path, pixels, *, stored=None, interpretation="MONOCHROME2", frames=None, **more):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.PatientName = PATIENT
    data.PatientBirthDate = dt.date(1950, 1, 1).strftime("%Y%m%d")
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    if pixels is not None:
        colour = interpretation == "RGB"
        shape = pixels.shape[1:] if frames else pixels.shape
        data.Rows, data.Columns = shape[:2]
        data.SamplesPerPixel = 3 if colour else 1
        if colour:
            data.PlanarConfiguration = 0
        data.PhotometricInterpretation = interpretation
        data.BitsAllocated = 8 * pixels.dtype.itemsize
        data.BitsStored = stored or data.BitsAllocated
        data.HighBit = data.BitsStored - 1
        data.PixelRepresentation = int(pixels.dtype.kind == "i")
        if frames:
            data.NumberOfFrames = frames
        data.PixelData = pixels.tobytes()
    for name, value in more.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def test_eight_bits_are_read_as_they_are(tmp_path):
    pixels = RNG.integers(0, 256, (8, 10), dtype=np.uint8)
    path = write(tmp_path / "a.dcm", pixels)
    found = read_image(path)
    assert found.dtype == np.uint8
    assert np.array_equal(found, pixels)
    header = image_header(path)
    assert (header.kind, header.height, header.width, header.colour, header.bits) == ("DICOM", 8, 10, False, 8)


def test_inverted_images_are_turned_round(tmp_path):
    pixels = RNG.integers(0, 256, (8, 10), dtype=np.uint8)
    found = read_image(write(tmp_path / "a.dcm", pixels, interpretation="MONOCHROME1"))
    assert np.array_equal(found, 255 - pixels)


def test_twelve_stored_bits_fill_the_range(tmp_path):
    pixels = np.array([[0, 1, 2048, 4095]], dtype=np.uint16)
    found = read_image(write(tmp_path / "a.dcm", pixels, stored=12))
    assert found.dtype == np.uint16
    assert np.array_equal(found, np.rint(pixels / 4095 * 65535))


def windowed(values, centre, width, top):
    """Write C.11.2.1.2.1 of the standard, case by case."""
    low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    inner = ((values - (centre - 0.5)) / (width - 1) + 0.5) * top
    return np.where(values <= low, 0, np.where(values > high, top, inner))


def test_rescale_and_window_follow_the_standard(tmp_path):
    stored = RNG.integers(0, 4096, (20, 20), dtype=np.uint16)
    path = write(
        tmp_path / "ct.dcm",
        stored,
        stored=12,
        RescaleSlope=2,
        RescaleIntercept=-1024,
        WindowCenter=[40, 600],
        WindowWidth=[400, 1600],
    )
    expected = windowed(stored * 2.0 - 1024, 40, 400, 65535)
    assert np.abs(read_image(path).astype(float) - expected).max() <= 1


def test_signed_values_keep_their_order(tmp_path):
    stored = np.array([[-2048, -1, 0, 2047]], dtype=np.int16)
    found = read_image(write(tmp_path / "a.dcm", stored, stored=12, RescaleSlope=1, RescaleIntercept=0))
    assert found[0, 0] == 0
    assert found[0, -1] == 65535
    assert (np.diff(found[0].astype(int)) > 0).all()


def test_sigmoid_and_exact_windows(tmp_path):
    stored = np.array([[0, 100, 200]], dtype=np.uint16)
    window = {"WindowCenter": 100, "WindowWidth": 100, "stored": 12}
    sigmoid = read_image(write(tmp_path / "s.dcm", stored, VOILUTFunction="SIGMOID", **window))
    assert sigmoid[0, 1] == pytest.approx(65535 / 2, abs=1)
    assert sigmoid[0, 2] == pytest.approx(65535 / (1 + np.exp(-4)), abs=1)
    exact = read_image(write(tmp_path / "e.dcm", stored, VOILUTFunction="LINEAR_EXACT", **window))
    assert exact[0, 1] == pytest.approx(65535 / 2, abs=1)
    assert exact[0].tolist()[::2] == [0, 65535]


def test_colour_and_frames(tmp_path):
    colour = RNG.integers(0, 256, (6, 7, 3), dtype=np.uint8)
    path = write(tmp_path / "c.dcm", colour, interpretation="RGB")
    assert np.array_equal(read_image(path), colour)
    assert image_header(path).colour
    frames = RNG.integers(0, 256, (3, 6, 7), dtype=np.uint8)
    path = write(tmp_path / "f.dcm", frames, frames=3)
    assert image_header(path).pages == 3
    assert np.array_equal(read_image(path, 2), frames[2])


def test_a_file_without_pixels_is_named(tmp_path):
    path = write(tmp_path / "report.dcm", None)
    with pytest.raises(ReadError, match="no pixel data") as raised:
        read_image(path)
    assert str(path) in str(raised.value)


def test_a_file_without_ending_is_known_by_its_content(tmp_path):
    path = write(tmp_path / "IM0001", RNG.integers(0, 256, (8, 10), dtype=np.uint8))
    assert is_dicom(path)
    assert read_image(path).shape == (8, 10)
    (tmp_path / "README").write_text("no image")
    assert not is_dicom(tmp_path / "README")


def test_nothing_of_the_patient_gets_into_messages_or_warnings(tmp_path):
    pixels = RNG.integers(0, 256, (8, 10), dtype=np.uint8)
    path = write(tmp_path / "a.dcm", pixels, PatientID="secret-id")
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])  # the pixels are cut off
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(ReadError) as raised:
            read_image(path)
    told = str(raised.value) + "".join(str(warning.message) for warning in caught)
    told += repr(raised.value.__cause__) + str(raised.value.__suppress_context__ or raised.value.__context__)
    assert "Mustermann" not in told
    assert "secret-id" not in told


def test_what_a_decoder_complains_of_is_not_repeated(tmp_path, monkeypatch):
    path = write(tmp_path / "a.dcm", RNG.integers(0, 256, (8, 10), dtype=np.uint8))

    def complain(*arguments, **options):
        raise RuntimeError(PATIENT)

    monkeypatch.setattr(dicom, "pixel_array", complain)
    with pytest.raises(ReadError, match="cannot be decoded") as raised:
        read_image(path)
    assert PATIENT not in str(raised.value)
    assert raised.value.__suppress_context__


def test_names_and_dates_are_not_even_kept(tmp_path, monkeypatch):
    path = write(tmp_path / "a.dcm", RNG.integers(0, 256, (8, 10), dtype=np.uint8))
    kept = []
    original = pydicom.dcmread
    monkeypatch.setattr(pydicom, "dcmread", lambda *a, **k: kept.append(original(*a, **k)) or kept[-1])
    read_image(path)
    image_header(path)
    assert len(kept) == 2
    assert not any("Patient" in element.keyword for data in kept for element in data)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_real_files_agree_with_pydicom(name):
    path = pydicom.data.get_testdata_file(name, download=False)
    data = pydicom.dcmread(path)
    found = read_image(Path(path)).astype(float)
    shown = pydicom.pixels.apply_voi_lut(pydicom.pixels.apply_modality_lut(data.pixel_array, data), data)
    assert np.corrcoef(found.ravel(), shown.ravel().astype(float))[0, 1] > 0.9999


def item(**elements):
    found = Dataset()
    for name, value in elements.items():
        setattr(found, name, value)
    return found


@pytest.mark.parametrize("shared", [True, False])
def test_frames_of_enhanced_files_have_windows_of_their_own(tmp_path, monkeypatch, shared):
    frames = RNG.integers(0, 4096, (3, 6, 7), dtype=np.uint16)
    windows = [(40, 400), (600, 1600), (-500, 900)]
    rescale = item(RescaleSlope=2, RescaleIntercept=-1024, RescaleType="HU")
    each = [
        item(
            FrameVOILUTSequence=[item(WindowCenter=centre, WindowWidth=width)],
            FrameContentSequence=[item(FrameAcquisitionDateTime="20200101", FrameComments=PATIENT)],
            **({} if shared else {"PixelValueTransformationSequence": [rescale]}),
        )
        for centre, width in windows
    ]
    more = {"PerFrameFunctionalGroupsSequence": each}
    if shared:
        own = item(
            PixelValueTransformationSequence=[rescale], FrameVOILUTSequence=[item(WindowCenter=1, WindowWidth=2)]
        )
        more["SharedFunctionalGroupsSequence"] = [own]
    path = write(tmp_path / "e.dcm", frames, frames=3, stored=12, **more)
    kept = []
    original = pydicom.dcmread
    monkeypatch.setattr(pydicom, "dcmread", lambda *a, **k: kept.append(original(*a, **k)) or kept[-1])
    for frame, (centre, width) in enumerate(windows):
        expected = windowed(frames[frame] * 2.0 - 1024, centre, width, 65535)
        assert np.abs(read_image(path, frame).astype(float) - expected).max() <= 1
    assert PATIENT not in "".join(map(str, kept))


def test_maps_of_floating_point_are_refused_by_name(tmp_path):
    path = write(tmp_path / "a.dcm", RNG.integers(0, 256, (8, 10), dtype=np.uint8))
    data = pydicom.dcmread(path)
    del data.PixelData, data.BitsStored, data.HighBit, data.PixelRepresentation
    data.BitsAllocated = 32
    data.FloatPixelData = RNG.random((8, 10)).astype(np.float32).tobytes()
    data.save_as(path, enforce_file_format=True)
    for look in (image_header, read_image):
        with pytest.raises(ReadError, match="FloatPixelData"):
            look(path)
