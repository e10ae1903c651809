import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from primase.apps.images import reading, surveying
from primase.apps.images.configuration import ImageData
from primase.apps.images.decoding import decoded
from primase.apps.images.pictures import FilePictures, Preparation
from primase.apps.images.reading import read_pictures
from primase.apps.images.streaming import stream_pictures
from primase.bio.images import read_image
from primase.data.grouping import usual_policy
from primase.data.tasks import Task
from primase.errors import ConfigurationError, InputError

SIZE = 16


def image(seed, *, size=(SIZE, SIZE), colour=False):
    shape = (*size, 3) if colour else size
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write(path, seed=0, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image(seed, **more)).save(path)
    return path


def by_class(root, *, parts=("",), classes=("NORMAL", "PNEUMONIA"), count=3):
    seed = sum(map(ord, str(root.name)))
    for part in parts:
        for name in classes:
            for number in range(count):
                seed += 1
                write(root / part / name / f"person{number}_x{seed}.png", seed)
    return root


def found(finding, read):
    return next((each for each in read.findings if each.finding == finding), None)


def read(*, labelled=True, least_size=1, preparations=(), **words):
    return read_pictures(
        ImageData(**words), labelled=labelled, least_size=least_size, preparing=lambda train: preparations
    )


def test_folders_by_class(tmp_path):
    by_class(tmp_path)
    for junk in (".DS_Store", "Thumbs.db", "NORMAL/.hidden.png", "__MACOSX/NORMAL/a.png"):
        (tmp_path / junk).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / junk).write_bytes(b"junk")
    (tmp_path / "NORMAL" / "notes.txt").write_text("notes")
    write(tmp_path / "PNEUMONIA" / "deep" / "er" / "z.PNG", 99)
    got = read(images=tmp_path)
    assert len(got.ids) == 7
    assert all("\\" not in name and not name.startswith("/") for name in got.ids)
    assert "PNEUMONIA/deep/er/z.PNG" in got.ids
    answers = got.answers(None)
    assert answers.task == Task("binary", ("NORMAL", "PNEUMONIA"))
    for name, target in zip(got.ids, answers.targets, strict=True):
        assert name.startswith(answers.task.labels[target])
    for index, name in enumerate(got.ids):
        assert np.array_equal(got.pictures.pixels(index), read_image(tmp_path / name))
    assert got.parts is None
    assert found("files that are no images", got).count == 1
    assert ".txt" in found("files that are no images", got).text


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Train", "Validation", "Test"), ("training", "dev", "testing")]
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_parts_below_the_folder(tmp_path, names, wrapped):
    root = tmp_path / "set"
    by_class(root / "chest" if wrapped else root, parts=names)
    got = read(images=root)
    assert Counter(got.parts) == {"train": 6, "validation": 6, "test": 6}
    assert len(set(got.ids)) == 18
    assert {name.removeprefix("chest/").split("/")[0] for name in got.ids[got.parts == "test"]} == {names[2]}
    assert got.answers(None).task.labels == ("NORMAL", "PNEUMONIA")


def test_parts_without_a_test_part_are_said(tmp_path):
    by_class(tmp_path, parts=("train", "val"))
    got = read(images=tmp_path)
    assert len(got.ids) == 12
    assert got.parts is None  # so that all are divided anew
    assert found("no test part", got).severity == "warning"
    assert usual_policy(got.examples()) == "random"


def test_parts_given_apart_have_ids_of_their_own(tmp_path):
    by_class(tmp_path / "a")
    by_class(tmp_path / "b")
    got = read(images=tmp_path / "a", test_images=tmp_path / "b")
    assert Counter(got.parts) == {"train": 6, "test": 6}
    assert {name.split("/")[0] for name in got.ids} == {"train", "test"}
    by_class(tmp_path / "c", parts=("train", "test"))
    with pytest.raises(ConfigurationError, match="given twice"):
        read(images=tmp_path / "c", test_images=tmp_path / "b")


def test_class_without_the_finding_comes_first(tmp_path):
    by_class(tmp_path, classes=("COVID", "NORMAL"))
    got = read(images=tmp_path).answers(None)
    assert got.task.labels == ("NORMAL", "COVID")


def test_one_class_and_no_class(tmp_path):
    by_class(tmp_path / "one", classes=("NORMAL",))
    with pytest.raises(InputError, match="one class only"):
        read(images=tmp_path / "one").answers(None)
    write(tmp_path / "none" / "a.png")
    with pytest.raises(InputError, match="no folders that name their classes"):
        read(images=tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        read(images=tmp_path / "empty")
    with pytest.raises(InputError, match="does not exist"):
        read(images=tmp_path / "absent")
    with pytest.raises(InputError, match="there is no input"):
        read()


def test_images_beside_the_classes_are_left_out_and_said(tmp_path):
    by_class(tmp_path)
    write(tmp_path / "stray.png")
    got = read(images=tmp_path)
    assert len(got.ids) == 6
    assert found("images without a class", got).count == 1


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    return path


def test_broken_files_are_named_or_skipped(tmp_path):
    by_class(tmp_path)
    first = min((tmp_path / "NORMAL").iterdir())
    cut(first)
    with pytest.raises(InputError) as raised:
        read(images=tmp_path)
    assert raised.value.where == str(first)
    (tmp_path / "PNEUMONIA" / "text.png").write_text("this is text")
    got = read(images=tmp_path, broken="skip")
    assert len(got.ids) == 5
    assert f"NORMAL/{first.name}" not in got.ids
    texts = " ".join(each.text for each in got.findings if each.finding == "broken images")
    assert "text.png" in texts
    assert first.name in texts
    for index in range(len(got.ids)):
        assert np.array_equal(got.pictures.pixels(index), read_image(tmp_path / got.ids[index]))


def test_how_many_more_are_broken_is_said(tmp_path):
    by_class(tmp_path)
    for name in "abc":
        (tmp_path / "NORMAL" / f"{name}.png").write_text("text")
    with pytest.raises(InputError, match="2 further files cannot be read either"):
        read(images=tmp_path)


def test_too_small_images(tmp_path):
    by_class(tmp_path)
    path = write(tmp_path / "NORMAL" / "dot.png", size=(1, 1))
    with pytest.raises(InputError, match="too small") as raised:
        read(images=tmp_path, least_size=8)
    assert raised.value.where == str(path)
    assert raised.value.got == "1 x 1 pixels"
    assert len(read(images=tmp_path, least_size=8, broken="skip").ids) == 6
    assert len(read(images=tmp_path).ids) == 7


def test_mixed_grey_and_colour_is_found(tmp_path):
    by_class(tmp_path)
    assert found("mixed grey and colour", read(images=tmp_path)) is None
    write(tmp_path / "NORMAL" / "colour.png", colour=True)
    assert found("mixed grey and colour", read(images=tmp_path)).count == 1


def test_pages_become_images_of_one_group(tmp_path):
    by_class(tmp_path)
    tifffile.imwrite(
        tmp_path / "NORMAL" / "stack.tif", np.stack([image(s) for s in range(4)]), photometric="minisblack"
    )
    got = read(images=tmp_path)
    pages = [name for name in got.ids if "#" in name]
    assert pages == [f"NORMAL/stack.tif#{page}" for page in range(4)]
    assert np.array_equal(got.pictures.pixels(list(got.ids).index(pages[2])), image(2))
    group = got.groups["file"]
    assert len({int(group[list(got.ids).index(name)]) for name in pages}) == 1
    assert len(np.unique(group)) == 7
    assert "page 2" in got.pictures.where(list(got.ids).index(pages[2]))


def test_a_pattern_finds_groups(tmp_path):
    by_class(tmp_path)
    write(tmp_path / "NORMAL" / "nobody.png")
    got = read(images=tmp_path, group_pattern=r"(person\d+)_")
    group = dict(zip(got.ids, got.groups["group"], strict=True))
    for one, own in group.items():
        for other, theirs in group.items():
            same = one == other or (
                "person" in one and one.split("/")[1].split("_")[0] == other.split("/")[1].split("_")[0]
            )
            assert (own == theirs) == same
    assert found("images without a group", got).count == 1
    assert found("groups in file names", got) is None
    assert found("groups in file names", read(images=tmp_path)).count == 6
    for path in (tmp_path / "NORMAL").glob("person*"):
        path.rename(path.with_name(path.name.replace("person", "image")))
    # What is left are images of a group each.
    assert found("groups in file names", read(images=tmp_path)) is None


def test_groups_are_called_as_the_user_or_the_files_call_them(tmp_path):
    for number in range(6):
        write(tmp_path / "NORMAL" / f"mouse{number // 2}_{number}.png", number)
    said = found("groups in file names", read(images=tmp_path)).text
    assert "seem to tell the mouse" in said
    assert "patient" not in said.split("--group-pattern")[0]
    got = read(images=tmp_path, group_pattern=r"(?P<mouse>mouse\d+)_")
    assert got.groups.keys() == {"mouse"}
    assert len(np.unique(got.groups["mouse"])) == 3
    write(tmp_path / "NORMAL" / "nobody.png", 9)
    left = found("images without a group", read(images=tmp_path, group_pattern=r"(mouse\d+)_"))
    assert "have no group" in left.text


def table(path, rows, columns="image,label,patient,sex"):
    path.write_text("\n".join([columns, *rows]) + "\n")
    return path


def test_tables(tmp_path):
    for number in range(4):
        write(tmp_path / "pictures" / f"i{number}.png", number)
    rows = [
        "pictures/i0.png,no,a,f",
        "pictures\\i1.png,mass,a,m",
        "pictures/i2,no,b,f",
        f"{tmp_path}/pictures/i3.png,,c,NA",
    ]
    named = table(tmp_path / "t.csv", rows)
    got = read(table=named, group_column="patient", label_column=("sex",))
    answers = got.answers(None)
    assert answers.task.labels == ("no", "mass")
    assert answers.targets.tolist() == [0, 1, 0, -1]
    assert got.groups["patient"].tolist() == [0, 0, 1, 2]
    assert got.covariates["sex"].tolist() == ["f", "m", "f", ""]
    assert "label" not in got.covariates
    assert [np.array_equal(got.pictures.pixels(row), image(row)) for row in range(4)] == [True] * 4
    below = table(tmp_path / "u.tsv", ["i0.png\tno", "i1.png\tmass"], columns="File\tDiagnosis")
    assert len(read(table=below, images=tmp_path / "pictures").ids) == 2
    with pytest.raises(InputError, match="wants"):
        read(table=below, target_column=("wants",), images=tmp_path / "pictures")
    found_column = found("further columns", read(table=named))
    assert "patient" in found_column.text


def test_a_row_that_names_no_file_is_named(tmp_path):
    write(tmp_path / "a.png")
    named = table(tmp_path / "t.csv", ["a.png,no,x,f", "b.png,yes,y,m"])
    with pytest.raises(InputError, match="does not exist") as raised:
        read(table=named)
    assert raised.value.where == f"{named}, line 3"
    assert raised.value.got == "b.png"
    got = read(table=named, broken="skip")
    assert got.ids.tolist() == ["a.png"]
    assert found("missing images", got).count == 1
    (tmp_path / "b.png").mkdir()
    with pytest.raises(InputError, match="no plain file"):
        read(table=named)


def test_an_image_named_twice_is_refused(tmp_path):
    write(tmp_path / "a.png")
    named = table(tmp_path / "t.csv", ["a.png,no,x,f", "a,yes,y,m"])
    with pytest.raises(InputError, match="stands twice") as raised:
        read(table=named)
    assert "line 2" in raised.value.got


def test_one_image_in_two_parts_is_refused(tmp_path):
    for number in range(2):
        write(tmp_path / f"i{number}.png", number)
    train = table(tmp_path / "train.csv", ["i0.png,no,x,f", "i1.png,yes,y,m"])
    test = table(tmp_path / "test.csv", ["i1.png,yes,y,m"])
    with pytest.raises(InputError, match="two images have one name"):
        read(table=train, test_table=test)


def test_several_labels(tmp_path):
    for number in range(4):
        write(tmp_path / f"i{number}.png", number)
    joined = table(
        tmp_path / "t.csv",
        ["i0.png,mass;nodule", "i1.png,No Finding", "i2.png,nodule|hernia", "i3.png,"],
        "path,labels",
    )
    answers = read(table=joined).answers(None)
    assert answers.task == Task("multilabel", ("hernia", "mass", "nodule"))
    assert answers.targets.tolist() == [[0, 1, 1], [0, 0, 0], [1, 0, 1], [-1, -1, -1]]
    columns = table(tmp_path / "u.csv", ["i0.png,1,0", "i1.png,0,", "i2.png,yes,no"], "path,mass,nodule")
    answers = read(table=columns, target_column=("mass", "nodule")).answers(None)
    assert answers.task == Task("multilabel", ("mass", "nodule"))
    assert answers.targets.tolist() == [[1, 0], [0, -1], [1, 0]]
    wrong = table(tmp_path / "v.csv", ["i0.png,1,0", "i1.png,0,perhaps"], "path,mass,nodule")
    with pytest.raises(InputError, match="neither yes nor no") as raised:
        read(table=wrong, target_column=("mass", "nodule")).answers(None)
    assert "line 3" in raised.value.where


def test_labels_of_a_trained_model(tmp_path):
    by_class(tmp_path, classes=("normal", "Pneumonia"))
    got = read(images=tmp_path)
    task = Task("binary", ("NORMAL", "PNEUMONIA"))
    answers = got.answers(task)
    assert answers.task == task
    assert [task.labels[target].lower() for target in answers.targets] == [n.split("/")[0].lower() for n in got.ids]
    with pytest.raises(InputError, match="not trained on"):
        got.answers(Task("binary", ("NORMAL", "COVID")))


def archive(path, labels=1, classes=2, **more):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 12), ("val", 4), ("test", 6)):
        arrays[f"{part}_images"] = rng.integers(0, 256, (count, 10, 10), dtype=np.uint8)
        arrays[f"{part}_labels"] = np.arange(count * labels).reshape(count, labels) % classes
    np.savez(path, **{**arrays, **more})
    return arrays


def test_archives_of_medmnist(tmp_path):
    arrays = archive(tmp_path / "pneumoniamnist.npz")
    got = read(images=tmp_path / "pneumoniamnist.npz")
    assert Counter(got.parts) == {"train": 12, "validation": 4, "test": 6}
    assert got.ids[[0, 12, 21]].tolist() == ["train_0", "val_0", "test_5"]
    answers = got.answers(None)
    assert answers.task.labels == ("normal", "pneumonia")
    assert np.array_equal(answers.targets[got.parts == "test"], arrays["test_labels"][:, 0])
    assert np.array_equal(got.pictures.pixels(13), arrays["val_images"][1])
    archive(tmp_path / "own.npz", classes=3)
    assert read(images=tmp_path / "own.npz").answers(None).task == Task("multiclass", ("0", "1", "2"))
    archive(tmp_path / "many.npz", labels=3)
    assert read(images=tmp_path / "many.npz").answers(None).task.labels == ("label_0", "label_1", "label_2")


def test_an_archive_may_be_the_test_part(tmp_path):
    archive(tmp_path / "a.npz")
    with pytest.raises(ConfigurationError, match="given twice"):
        read(images=tmp_path / "a.npz", test_images=tmp_path / "a.npz")
    one = {"test_images": np.zeros((2, 10, 10), dtype=np.uint8), "test_labels": np.array([[0], [1]])}
    np.savez(tmp_path / "b.npz", **one)
    by_class(tmp_path / "c", classes=("0", "1"))
    got = read(images=tmp_path / "c", test_images=tmp_path / "b.npz")
    assert Counter(got.parts) == {"train": 6, "test": 2}


def test_unlabelled_reading_takes_everything(tmp_path):
    write(tmp_path / "a.png")
    write(tmp_path / "deep" / "b.png")
    got = read(labelled=False, images=tmp_path)
    assert got.ids.tolist() == ["a.png", "deep/b.png"]
    assert got.labels == {}
    assert got.examples().targets.shape == (2, 0)
    assert read(labelled=False, images=tmp_path / "a.png").ids.tolist() == ["a.png"]


def test_every_file_is_decoded_once_in_all(tmp_path, monkeypatch):
    by_class(tmp_path)
    counts: Counter[Path] = Counter()
    lock = threading.Lock()
    original = FilePictures.pixels

    def counted(self, row):
        with lock:
            counts[self.paths[row]] += 1
        return original(self, row)

    monkeypatch.setattr(FilePictures, "pixels", counted)
    got = read(images=tmp_path, preparations=[Preparation((8, 8), colour=True)])
    ready = decoded(got.pictures.take(np.array([4, 1])), (8, 8), colour=True)
    assert set(counts.values()) == {1}
    assert len(counts) == 6
    other = decoded(got.pictures.take(np.array([4, 1])), (8, 8), colour=False)
    assert sum(counts.values()) == 8
    assert ready.shape == (2, 8, 8, 3)
    assert np.array_equal(ready[:, :, :, 0], other)


def test_prepared_images_survive_skipping(tmp_path):
    by_class(tmp_path)
    cut(sorted((tmp_path / "NORMAL").iterdir())[1])
    preparation = Preparation((8, 8), colour=False)
    got = read(images=tmp_path, broken="skip", preparations=[Preparation((9, 9), colour=True), preparation])
    ready = decoded(got.pictures, (8, 8), colour=False)
    for index in range(len(got.ids)):
        assert np.array_equal(ready[index], surveying.prepared(got.pictures.pixels(index), preparation))


def test_what_would_take_too_much_memory_is_not_kept(tmp_path, monkeypatch):
    by_class(tmp_path)
    monkeypatch.setattr(reading, "MOST_IN_MEMORY", 6 * 8 * 8 * 3)
    fitting, too_large = Preparation((8, 8), colour=True), Preparation((9, 9), colour=True)
    got = read(images=tmp_path, preparations=[too_large, fitting, fitting])
    assert [own.preparation for store, _ in got.pictures.by_store() for own in store.prepared] == [fitting]


def test_streaming_gives_what_reading_gives(tmp_path):
    by_class(tmp_path, count=5)
    whole = read(labelled=False, images=tmp_path)
    blocks = [*stream_pictures(tmp_path, ImageData(), block=3)]
    assert [len(block) for block in blocks] == [3, 3, 3, 1]
    assert np.concatenate([block.ids for block in blocks]).tolist() == whole.ids.tolist()
    assert np.array_equal(blocks[1].inputs.pixels(0), whole.pictures.pixels(3))
    arrays = archive(tmp_path / "a.npz")
    ids = [name for block in stream_pictures(tmp_path / "a.npz", ImageData(), block=5) for name in block.ids]
    assert ids[12] == "val_0"
    last = [*stream_pictures(tmp_path / "a.npz", ImageData(), block=5)][-1]
    assert np.array_equal(last.inputs.pixels(len(last) - 1), arrays["test_images"][-1])


def test_streaming_a_file_a_stack_and_a_table(tmp_path):
    path = write(tmp_path / "a.png", 5)
    (block,) = stream_pictures(path, ImageData())
    assert block.ids.tolist() == ["a.png"]
    stack = tmp_path / "s.tif"
    tifffile.imwrite(stack, np.stack([image(s) for s in range(5)]), photometric="minisblack")
    blocks = [*stream_pictures(stack, ImageData(), block=2)]
    assert [block.ids.tolist() for block in blocks] == [["s.tif#0", "s.tif#1"], ["s.tif#2", "s.tif#3"], ["s.tif#4"]]
    assert np.array_equal(blocks[1].inputs.pixels(1), image(3))
    named = table(tmp_path / "t.csv", ["s.tif#3,x", "a.png,y"], "image,remark")
    (block,) = stream_pictures(named, ImageData())
    assert block.ids.tolist() == ["s.tif#3", "a.png"]
    assert np.array_equal(block.inputs.pixels(0), image(3))
    assert block.covariates["remark"].tolist() == ["x", "y"]
    with pytest.raises(InputError, match="neither an image"):
        [*stream_pictures(write(tmp_path / "b.png").rename(tmp_path / "b.xyz"), ImageData())]


def test_streaming_skips_what_is_broken_and_says_so(tmp_path):
    for number in range(4):
        write(tmp_path / f"i{number}.png", number)
    cut(tmp_path / "i2.png")
    (tmp_path / "i3.png").write_text("text")
    told = []
    blocks = [*stream_pictures(tmp_path, ImageData(broken="skip"), told.append)]
    assert [name for block in blocks for name in block.ids] == ["i0.png", "i1.png"]
    assert "i2.png" in str(told)
    assert "i3.png" in str(told)
    with pytest.raises(InputError, match=r"i3\.png"):
        [*stream_pictures(tmp_path, ImageData())]


def test_a_link_to_its_own_folder_ends(tmp_path):
    by_class(tmp_path)
    (tmp_path / "NORMAL" / "round").symlink_to(tmp_path / "NORMAL")
    assert len(read(images=tmp_path).ids) == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"dataset": "x", "images": "y"}, "several at once"),
        ({"dataset": "x", "table": "y"}, "several at once"),
        ({"test_images": "y"}, "needs --images"),
        ({"test_table": "y"}, "needs --table"),
        ({"images": "y", "group_column": "patient"}, "--group-pattern"),
        ({"images": "y", "group_pattern": "("}, "no regular expression"),
        ({"images": "y", "group_pattern": "abc"}, "no brackets"),
    ],
)
def test_words_that_do_not_go_together(words, message):
    with pytest.raises(ValueError, match=message):
        ImageData(**words)


def test_columns_of_no_table_are_refused_in_training_and_told_of_later(tmp_path):
    by_class(tmp_path)
    with pytest.raises(ConfigurationError, match="there is no table") as raised:
        read(images=tmp_path, label_column=("sex", "ward"))
    assert raised.value.where == "--label-column sex,ward"
    data = ImageData(images=tmp_path, label_column=("sex",))
    told = found("columns of no table", read_pictures(data, labelled=True, trained=True))
    assert told.severity == "warning"
    assert "sex" in told.text
    assert found("columns of no table", read(images=tmp_path)) is None


def test_registered_data_sets_give_way_to_the_user(tmp_path):
    by_class(tmp_path)
    sources = {"own": lambda listener: {"images": tmp_path, "group_pattern": r"(person\d+)_"}}
    got = read_pictures(ImageData(dataset="own"), sources=sources, labelled=True)
    assert len(np.unique(got.groups["group"])) == 3
    got = read_pictures(ImageData(dataset="own", group_pattern=r"(person[01])_"), sources=sources, labelled=True)
    assert len(np.unique(got.groups["group"])) == 4
    with pytest.raises(ConfigurationError, match="holds no images"):
        read_pictures(ImageData(dataset="other"), sources=sources, labelled=True)


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("words", [{"group_column": "pateint"}, {"label_column": ("sexx",)}])
def test_a_misspelt_column_is_refused_with_and_without_labels(tmp_path, labelled, words):
    write(tmp_path / "a.png")
    named = table(tmp_path / "t.csv", ["a.png,no,x,f"])
    with pytest.raises(InputError, match=r"pateint|sexx"):
        read(table=named, labelled=labelled, **words)
    (block,) = stream_pictures(named, ImageData(table=named, **words))  # a prediction needs neither
    assert len(block) == 1


def test_pages_of_different_sizes_have_headers_of_their_own(tmp_path):
    stack = tmp_path / "a.tif"
    pages = [image(1), image(2, size=(20, 30)), image(3, colour=True), image(4, size=(4, 4))]
    with tifffile.TiffWriter(stack) as writer:
        for page in pages:
            writer.write(page, photometric="rgb" if page.ndim == 3 else "minisblack")
    got = read(images=tmp_path, labelled=False)
    headers = [got.pictures.header(index) for index in range(4)]
    assert [(header.height, header.width) for header in headers] == [page.shape[:2] for page in pages]
    assert [header.colour for header in headers] == [False, False, True, False]
    assert got.ids.tolist() == [f"a.tif#{page}" for page in range(4)]
    with pytest.raises(InputError, match="too small") as raised:
        read(images=tmp_path, labelled=False, least_size=8)
    assert raised.value.where == f"{stack}, page 3"
    some = read(images=tmp_path, labelled=False, least_size=8, broken="skip")
    assert some.ids.tolist() == [f"a.tif#{page}" for page in range(3)]
    named = table(tmp_path / "t.csv", ["a.tif#1,x"], "image,remark")
    assert read(table=named, labelled=False).pictures.header(0).width == 30


@pytest.mark.parametrize("skipped", [1, 2])
def test_a_block_of_which_nothing_is_left_does_not_stop_the_others(tmp_path, skipped):
    for number in range(4):
        write(tmp_path / f"i{number}.png", number)
    lost = [f"i{2 * (skipped - 1) + number}.png" for number in range(2)]
    for name in lost:
        cut(tmp_path / name)
    told = []
    blocks = [*stream_pictures(tmp_path, ImageData(broken="skip"), told.append, block=2)]
    assert {*lost, *(name for block in blocks for name in block.ids)} == {f"i{number}.png" for number in range(4)}
    assert sum(map(len, blocks)) == 2
    assert lost[0] in str(told)


@pytest.mark.parametrize("breaks", [cut, lambda path: path.write_text("text")])
def test_nothing_left_is_said_once_and_not_with_advice_that_was_followed(tmp_path, breaks):
    for number in range(3):
        breaks(write(tmp_path / f"i{number}.png", number))
    told = []
    with pytest.raises(InputError, match="no image is left") as raised:
        [*stream_pictures(tmp_path, ImageData(broken="skip"), told.append, block=2)]
    assert told == []
    assert "i0.png" in str(raised.value)
    assert "--broken" not in str(raised.value)
    with pytest.raises(InputError, match="no image is left") as raised:
        read(images=tmp_path, labelled=False, broken="skip")
    assert "--broken" not in str(raised.value)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_patient_of_two_parts_is_one(tmp_path, labelled):
    folder = tmp_path / "set"
    for part in ("train", "test"):
        for place, name in enumerate("ab"):
            inner = folder / part / "NORMAL" if labelled else folder / part
            write(inner / f"{name}_{part}.png", place + 2 * len(part))
    apart = {"images": folder / "train", "test_images": folder / "test"}
    for words in ({"images": folder}, apart):
        got = read(labelled=labelled, group_pattern=r"^(.*)_", **words)
        assert len(np.unique(got.groups["group"])) == 2
        assert len({*got.groups["group"][got.parts == "train"], *got.groups["group"][got.parts == "test"]}) == 2
    tables = [
        table(tmp_path / f"{part}.csv", [f"{path.relative_to(tmp_path).as_posix()},yes" for path in sorted(paths)],
              "image,label")
        for part in ("train", "test")
        if (paths := [*(folder / part).rglob("*.png")])
    ]  # fmt: skip
    got = read(table=tables[0], test_table=tables[1], labelled=labelled, group_pattern=r"^(.*)_")
    assert len(np.unique(got.groups["group"])) == 2


def test_one_patient_in_two_classes_is_one(tmp_path):
    for number, name in enumerate(("NORMAL", "PNEUMONIA")):
        write(tmp_path / name / f"p1_{number}.png", number)
    assert len(np.unique(read(images=tmp_path, group_pattern=r"^(.*)_").groups["group"])) == 1


@pytest.mark.parametrize("names", [("val", "test"), ("train_set", "test_set"), ("a", "b", "Testing"), ("Train Set",)])
def test_parts_are_not_taken_for_classes(tmp_path, names):
    by_class(tmp_path, classes=names)
    with pytest.raises(InputError, match="named like parts"):
        read(images=tmp_path)
    assert len(read(images=tmp_path, labelled=False).ids) == 3 * len(names)


def test_control_may_be_a_class_and_test_is_told_how(tmp_path):
    by_class(tmp_path / "a", classes=("control", "treated"))
    assert read(images=tmp_path / "a").answers(None).task.labels == ("control", "treated")
    by_class(tmp_path / "b", classes=("control", "test"))
    with pytest.raises(InputError, match="named like parts") as raised:
        read(images=tmp_path / "b")
    assert raised.value.got == "test"
    assert "If it is a class" in raised.value.advice
    by_class(tmp_path / "c", classes=("control", "training"))
    with pytest.raises(InputError, match="no folders that name their classes") as raised:
        read(images=tmp_path / "c")
    assert "A folder called training means a part" in raised.value.advice


def test_valid_may_be_a_class(tmp_path):
    by_class(tmp_path, classes=("invalid", "valid"))
    assert read(images=tmp_path).answers(None).task.labels == ("invalid", "valid")


def test_pages_without_a_patient_stay_with_their_file(tmp_path):
    for name in "ab":
        stack = np.stack([image(ord(name) + number) for number in range(3)])
        tifffile.imwrite(tmp_path / f"{name}.tif", stack, photometric="minisblack")
    write(tmp_path / "p1_a.png")
    named = table(tmp_path / "t.csv", ["a.tif,", "b.tif,", "p1_a.png,p1"], "image,patient")
    for words in ({"images": tmp_path, "group_pattern": "(p[0-9])_"}, {"table": named, "group_column": "patient"}):
        got = read(labelled=False, **words)
        assert len(got.ids) == 7
        assert len(np.unique(next(iter(got.groups.values())))) == 3
        assert found("images without a group", got).count == 6
