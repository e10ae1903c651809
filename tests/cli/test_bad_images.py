"""Bad images: one message that names the file and what is wrong; and odd ones work, with a finding."""

import re
import shutil

import numpy as np
import pydicom
import pytest
import torch
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from primase.nn.backbones import build_backbone

SIDE = 40
PER_CLASS = 30
SMALL = ["--recipe", "scratch", "--small-size", "32", "--epochs", "1"]
SHARP = ["--scale", "2", "--width", "4", "--blocks", "1", "--epochs", "1", "--steps", "2", "--adversarial-epochs", "0"]


def picture(seed, *, bright=False, colour=False):
    shape = (SIDE, SIDE, 3) if colour else (SIDE, SIDE)
    coarse = np.random.default_rng(seed).integers(0, 120, (8, 8, 3) if colour else (8, 8)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)).reshape(shape)
    return smooth + np.uint8(100 if bright else 0)


@pytest.fixture
def work(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    for number in range(2 * PER_CLASS):
        name = ("normal", "opacity")[number % 2]
        place = folder / "images" / name / f"{number:02}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(number, bright=name == "opacity")).save(place)
    monkeypatch.chdir(folder)
    return folder


def diagnose(*words, images="images", verb="train", out="model"):
    return [verb, "image-diagnosis", "--images", images, *words, *([*SMALL, "--out", out] if verb == "train" else [])]


def refused(command_line, work, *words):
    before = sorted(work.rglob("*"))
    outcome = command_line(*words)
    assert outcome.status == 2, outcome.error
    assert sorted(work.rglob("*")) == before
    assert "Traceback" not in outcome.error
    return outcome.error


def cut(work, name="images/opacity/07.png"):
    place = work / name
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    Image.fromarray(noise).save(place)
    place.write_bytes(place.read_bytes()[: place.stat().st_size // 2])


def test_good_images_train(command_line, work):
    assert command_line(*diagnose()).status == 0
    assert (work / "model" / "report.html").exists()
    outcome = command_line("predict", "model", "images", "--out", "said.csv")
    assert outcome.status == 0, outcome.error
    assert (work / "said.csv").read_text().count("\n") == 2 * PER_CLASS + 1


@pytest.mark.parametrize("verb", ["train", "audit"])
def test_a_truncated_file_is_named(command_line, work, verb):
    cut(work)
    error = refused(command_line, work, *diagnose(verb=verb))
    assert "opacity/07.png" in error
    assert "--broken skip" in error


def test_broken_files_are_skipped_on_request(command_line, work):
    cut(work)
    (work / "images/normal/02.png").write_text("this is no image\n")
    outcome = command_line(*diagnose("--broken", "skip", verb="audit"))
    assert outcome.status == 0, outcome.error
    assert "opacity/07.png" in outcome.output + outcome.error
    assert "normal/02.png" in outcome.output + outcome.error


def test_a_text_that_is_called_an_image_is_named(command_line, work):
    (work / "images/normal/02.png").write_text("this is no image\n")
    error = refused(command_line, work, *diagnose())
    assert "normal/02.png" in error


def test_a_single_class_is_refused(command_line, work):
    shutil.rmtree(work / "images/opacity")
    error = refused(command_line, work, *diagnose())
    assert "normal" in error
    assert "class" in error


def test_an_image_of_one_pixel_is_named(command_line, work):
    Image.fromarray(np.zeros((1, 1), dtype=np.uint8)).save(work / "images/normal/02.png")
    assert "normal/02.png" in refused(command_line, work, *diagnose())
    words = ["train", "super-resolution", "--images", "images", *SHARP, "--out", "sharper"]
    assert "normal/02.png" in refused(command_line, work, *words)


def test_dicom_without_pixels_is_named_and_nobody_else(command_line, work):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = pydicom.Dataset()
    data.file_meta = meta
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.PatientName, data.PatientID = "Doe^Jane", "4711"
    data.save_as(work / "images/normal/02.dcm", enforce_file_format=True)
    error = refused(command_line, work, *diagnose())
    assert "normal/02.dcm" in error
    assert "Doe" not in error
    assert "4711" not in error


def test_grey_beside_colour_is_a_finding(command_line, work):
    for number in range(0, 20, 2):
        Image.fromarray(picture(number, colour=True)).save(work / f"images/normal/{number:02}.png")
    outcome = command_line(*diagnose(verb="audit"))
    assert outcome.status == 0, outcome.error
    assert "colour" in outcome.output + outcome.error


def test_masks_among_images_are_a_finding(command_line, work):
    for number in range(0, 6, 2):
        mask = (picture(number) > 60).astype(np.uint8) * 255
        Image.fromarray(mask).save(work / f"images/normal/{number:02}.png")
    outcome = command_line(*diagnose(verb="audit"))
    assert outcome.status == 0, outcome.error
    assert "mask" in outcome.output + outcome.error


def test_copies_across_the_split_are_a_finding(command_line, work):
    for name in ("normal", "opacity"):
        for place in sorted((work / "images" / name).iterdir())[:12]:
            (work / "test" / name).mkdir(parents=True, exist_ok=True)
            Image.open(place).resize((SIDE * 2, SIDE * 2)).save(work / "test" / name / f"copy-{place.stem}.jpg")
    outcome = command_line(*diagnose("--test-images", "test", verb="audit"))
    assert outcome.status == 0, outcome.error
    said = re.search(r"(\d+) of 24 test images look like a copy", " ".join((outcome.output + outcome.error).split()))
    # Some of those that were copied are drawn for validation.
    assert said
    assert int(said[1]) >= 18


def test_weights_of_another_network_are_named_by_their_first_keys(command_line, work):
    torch.save(build_backbone("resnet18").state_dict(), work / "resnet18.pth")
    words = ["--recipe", "fine-tune", "--weights", "resnet18.pth", "--image-size", "32", "--epochs", "1"]
    error = refused(command_line, work, "train", "image-diagnosis", "--images", "images", *words, "--out", "model")
    assert "resnet18.pth" in error
    assert "conv1.weight" in error


def test_a_file_that_executes_something_is_not_loaded(command_line, work):
    class Evil:
        def __reduce__(self):
            return (open, (str(work / "was-run"), "w"))

    torch.save({"weight": Evil()}, work / "evil.pth")
    words = ["--recipe", "fine-tune", "--weights", "evil.pth", "--image-size", "32", "--epochs", "1"]
    error = refused(command_line, work, "train", "image-diagnosis", "--images", "images", *words, "--out", "model")
    assert "evil.pth" in error
    assert not (work / "was-run").exists()


def test_an_empty_folder_is_named(command_line, work):
    (work / "empty").mkdir()
    assert "empty" in refused(command_line, work, *diagnose(images="empty"))


def test_a_table_that_names_a_missing_file_says_its_line(command_line, work):
    rows = [f"{place.relative_to(work)},{place.parent.name}" for place in sorted((work / "images").rglob("*.png"))]
    rows[4] = "images/normal/absent.png,normal"
    (work / "images.csv").write_text("\n".join(["image,target", *rows]) + "\n")
    error = refused(command_line, work, "train", "image-diagnosis", "--table", "images.csv", *SMALL, "--out", "model")
    assert "images.csv" in error
    assert "6" in error
    assert "absent.png" in error
