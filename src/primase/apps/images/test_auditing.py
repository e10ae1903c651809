import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from primase.apps.images.auditing import area_under_curve, audit_images, kinship
from primase.apps.images.configuration import ImageData
from primase.apps.images.measuring import measured
from primase.apps.images.pictures import FilePictures, Pictures
from primase.apps.images.probes import Metadata, image_probes
from primase.apps.images.reading import read_pictures
from primase.apps.images.summaries import fingerprint
from primase.data.examples import Examples
from primase.data.splits import Partition
from primase.data.tasks import Task

TASK = Task("binary", ("no", "yes"))
COUNT = 80


def scene(seed, size=(48, 48)):
    rng = np.random.default_rng(seed)
    rough = Image.fromarray(rng.uniform(0, 255, (8, 8)).astype(np.float32)).resize(size[::-1], Image.Resampling.BICUBIC)
    return np.clip(np.asarray(rough) + rng.normal(0, 5, size), 0, 255).astype(np.uint8)


def examples(arrays, targets=None, **more):
    count = len(arrays)
    targets = np.arange(count) % 2 if targets is None else targets
    ids = np.array([f"image {number}" for number in range(count)], dtype=object)
    return Examples(ids=ids, inputs=Pictures.of_arrays(arrays), targets=targets, **more)


def halves(count):
    half = count // 2
    return Partition(np.arange(half), np.arange(0), np.arange(half, count), "random", np.arange(count))


def audit(given, task=TASK, partition=None):
    return {found.finding: found for found in audit_images(given, task, partition)}


def test_ordinary_images_raise_no_warning():
    given = examples([scene(seed) for seed in range(COUNT)])
    found = audit(given, partition=halves(COUNT))
    assert [each.finding for each in found.values() if each.severity == "warning"] == []
    assert found["copies across the split"].count == 0


def test_copies_of_train_images_in_test_are_found_and_set_apart():
    arrays = [scene(seed) for seed in range(COUNT)]
    arrays[50] = np.asarray(Image.fromarray(arrays[3]).resize((31, 29)))
    arrays[60] = arrays[7][:, ::-1]
    given = examples(arrays)
    partition = halves(COUNT)
    assert "copies across the split" not in audit(given, partition=partition)
    kin = kinship(given, partition)
    assert "2 of 40 test images look like a copy" in kin.finding.text
    assert kin.relation == "sharing a picture with train"
    assert np.flatnonzero(kin.related).tolist() == [10, 20]
    assert kin.finding.count == 2
    assert kin.rest in kin.subsets
    assert kinship(examples([scene(seed) for seed in range(COUNT)]), partition) is None


def test_patients_on_both_sides():
    patient = np.arange(COUNT) % 50
    given = examples([scene(seed) for seed in range(COUNT)], groups={"patient": patient})
    kin = kinship(given, halves(COUNT))
    assert kin.related.sum() == kin.finding.count == 30
    assert kin.finding.severity == "warning"
    assert "30 of 40 test images share their patient" in kin.finding.text
    assert "copy" not in kin.finding.text
    assert kin.relation == "sharing a patient with train"
    apart = examples([scene(seed) for seed in range(COUNT)], groups={"patient": np.arange(COUNT) // 2})
    assert audit(apart, partition=halves(COUNT))["patient on both sides of the split"].severity == "info"


def test_kin_of_both_kinds_are_warned_of_once():
    arrays = [scene(seed) for seed in range(COUNT)]
    arrays[50], arrays[60] = arrays[3], arrays[7]
    patient = np.arange(COUNT)
    patient[50], patient[70] = patient[3], patient[9]
    given = examples(arrays, groups={"patient": patient})
    warnings = [one.finding for one in audit(given, partition=halves(COUNT)).values() if one.severity == "warning"]
    assert warnings == []
    kin = kinship(given, halves(COUNT))
    assert np.flatnonzero(kin.related).tolist() == [10, 20, 30]
    assert kin.relation == "sharing a patient or picture with train"
    for said in ("2 of 40 test images share their patient", "2 of 40 test images look like", "true of 3."):
        assert said in kin.finding.text


def test_image_size_that_tells_the_class():
    arrays = [scene(seed, (48, 48) if seed % 2 else (40, 60)) for seed in range(COUNT)]
    found = audit(examples(arrays))["file properties that give a class away"]
    assert "height tells yes (AUROC 1.00)" in found.text


def test_burnt_in_borders_and_corners_that_tell_the_class():
    def marked(seed):
        image = scene(seed).copy()
        if seed % 2:
            image[:4] = 0
        return image

    found = audit(examples([marked(seed) for seed in range(COUNT)]))
    assert found["borders of one value"].count == COUNT // 2
    assert "border top tells yes" in found["borders or corners that give a class away"].text

    def lettered(seed):
        image = scene(seed).copy()
        if seed % 2:
            image[:6, -6:] = np.indices((6, 6)).sum(axis=0) % 2 * 255
        return image

    found = audit(examples([lettered(seed) for seed in range(COUNT)]))
    assert "detail top right tells yes" in found["borders or corners that give a class away"].text
    assert "borders of one value" not in found


def test_brightness_and_columns_that_tell_the_class():
    arrays = [np.clip(scene(seed) * (0.3 if seed % 2 else 1.0), 0, 255).astype(np.uint8) for seed in range(COUNT)]
    source = np.array(["ward" if number % 2 else "clinic" for number in range(COUNT)], dtype=object)
    age = np.array([str(20 + number) for number in range(COUNT)], dtype=object)
    found = audit(examples(arrays, covariates={"source": source, "age": age}))
    assert "brightness that gives a class away" in found
    assert "yes confounded with source" in found
    assert "yes confounded with age" not in found


def test_giveaways_are_looked_for_in_train_alone():
    given = examples([scene(seed, (48, 48) if seed % 2 or seed < 20 else (40, 60)) for seed in range(COUNT)])
    partition = Partition(np.arange(20), np.arange(0), np.arange(20, COUNT), "random", np.arange(COUNT))
    assert "file properties that give a class away" in audit(given)
    assert "file properties that give a class away" not in audit(given, partition=partition)


def test_masks_and_blank_images():
    arrays = [scene(seed) for seed in range(COUNT)]
    arrays[4] = np.where(arrays[4] > 100, 255, 0).astype(np.uint8)
    arrays[5] = np.full((48, 48), 9, dtype=np.uint8)
    arrays[6] = np.dstack([arrays[4], arrays[4] // 2, arrays[4]])
    found = audit(examples(arrays))
    assert found["masks among the images"].count == 2
    assert "image 4" in found["masks among the images"].text
    assert found["blank images"].count == 1


def test_several_labels_and_none():
    arrays = [scene(seed, (48, 48) if seed % 2 else (40, 60)) for seed in range(COUNT)]
    targets = np.stack([np.arange(COUNT) % 2, np.arange(COUNT) // 2 % 2], axis=1).astype(np.int8)
    targets[0] = -1
    found = audit(examples(arrays, targets), Task("multilabel", ("a", "b")))
    assert "height tells a" in found["file properties that give a class away"].text
    assert "tells b" not in found["file properties that give a class away"].text
    audit(examples(arrays, np.empty((COUNT, 0), dtype=np.float32)), Task("regression", ("psnr",)))


@pytest.mark.parametrize("seed", range(5))
def test_area_under_curve_agrees_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    values, positive = rng.integers(0, 9, 50).astype(float), rng.random(50) < 0.4
    assert area_under_curve(values, positive) == pytest.approx(roc_auc_score(positive, values))


def test_fingerprints_are_of_pixels_not_of_files(tmp_path):
    Image.fromarray(scene(1)).save(tmp_path / "a.png", compress_level=1)
    Image.fromarray(scene(1)).save(tmp_path / "b.bmp")
    Image.fromarray(scene(2)).save(tmp_path / "c.png")
    prints = measured(Pictures.of_files(sorted(tmp_path.iterdir()))).fingerprints
    assert prints[0] == prints[1] != prints[2]
    assert fingerprint(scene(1)) == prints[0]
    assert fingerprint(scene(1).astype(np.uint16)) != prints[0]
    assert fingerprint(scene(1).reshape(-1, 1)) != prints[0]


def test_what_was_measured_is_not_measured_again(tmp_path, monkeypatch):
    for number in range(3):
        Image.fromarray(scene(number)).save(tmp_path / f"{number}.png")
    read = read_pictures(ImageData(images=tmp_path), labelled=False)

    def refuse(self, row):
        raise AssertionError

    again = measured(Pictures.of_files(sorted(tmp_path.iterdir())))
    monkeypatch.setattr(FilePictures, "pixels", refuse)
    found = measured(read.pictures.take(np.array([2, 0])))
    assert np.array_equal(found.measures, again.measures[[2, 0]])
    assert np.array_equal(found.thumbnails, again.thumbnails[[2, 0]])


def test_probes_see_what_there_is():
    plain = examples([scene(seed) for seed in range(COUNT)])
    assert [probe.name for probe in image_probes(plain)] == ["mean and spread of intensity", "borders and corners"]
    sized = [scene(seed, (48, 48) if seed % 2 else (40, 60)) for seed in range(COUNT)]
    source = np.array(["ward" if number % 2 else "clinic" for number in range(COUNT)], dtype=object)
    given = examples(sized, covariates={"source": source})
    probes = {probe.name: probe for probe in image_probes(given)}
    assert list(probes) == ["image size", "mean and spread of intensity", "borders and corners", "metadata"]
    for name in ("image size", "metadata"):
        fitted = probes[name].fit(TASK, given.take(np.arange(40)), given.take(np.arange(40, 60)))
        answers = fitted.answers(given.take(np.arange(60, COUNT)))
        assert roc_auc_score(given.targets[60:], answers[:, 1]) == 1.0


def test_metadata_has_the_same_columns_everywhere():
    words = np.array(["a", "b", "", "a"] * 20, dtype=object)
    numbers = np.array(["1.5", "", "3", "4"] * 20, dtype=object)
    names = np.array([f"name {number}" for number in range(COUNT)], dtype=object)
    covariates = {"kind": words, "age": numbers, "name": names}
    given = examples([scene(seed) for seed in range(COUNT)], covariates=covariates)
    metadata = Metadata.of(given)
    table = metadata(given)
    assert table.shape == (COUNT, 3 + 2 + 2)
    assert np.isfinite(table).all()
    other = examples([scene(0)], covariates={"kind": np.array(["new"], dtype=object)})
    assert metadata(other).shape == (1, 7)
