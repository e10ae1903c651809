import h5py
import numpy as np
import pytest
from scipy import io

from primase.apps.sequences import deepsea
from primase.apps.sequences.deepsea import read_deepsea
from primase.data.tasks import Task
from primase.errors import ReadError
from primase.events import Progress, silent

WORDS = {
    "train": ("trainxdata", "traindata"),
    "validation": ("validxdata", "validdata"),
    "test": ("testxdata", "testdata"),
}
LETTERS = "AGCT"


def write(path, part, count, *, length=12, targets=10, seed=0):
    """Write a part as DeepSEA does, and return its letters and targets."""
    generator = np.random.default_rng(seed)
    numbers = generator.integers(0, 4, (count, length))
    columns = (numbers[:, None] == np.arange(4)[:, None]).astype(np.uint8)
    answers = generator.integers(0, 2, (count, targets)).astype(np.uint8)
    names = WORDS[part]
    if part == "train":
        with h5py.File(path, "w") as file:
            file[names[0]], file[names[1]] = columns.transpose(2, 1, 0), answers.T
    else:
        io.savemat(path, {names[0]: columns, names[1]: answers})
    return ["".join(LETTERS[number] for number in row) for row in numbers], answers.tolist()


@pytest.fixture
def parts(tmp_path):
    counts = {"train": 11, "validation": 3, "test": 5}
    files = {part: tmp_path / f"{part}.mat" for part in counts}
    written = {part: write(path, part, counts[part], seed=len(part)) for part, path in files.items()}
    return files, written


def test_all_parts_are_read_as_they_were_written(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(deepsea, "EXAMPLES_PER_SLICE", 4)
    files, written = parts
    heard = []
    labelled = read_deepsea(files, tmp_path / "cache", heard.append)
    examples = labelled.examples
    assert [examples.inputs.text(row) for row in range(19)] == [text for texts, _ in written.values() for text in texts]
    assert examples.targets.dtype == np.int8
    assert examples.targets.tolist() == [row for _, answers in written.values() for row in answers]
    assert examples.parts.tolist() == ["train"] * 11 + ["validation"] * 3 + ["test"] * 5
    assert labelled.task == Task("multilabel", tuple(f"feature {number:02}" for number in range(1, 11)))
    assert examples.ids[[0, 10, 11, 18]].tolist() == ["train 1", "train 11", "validation 1", "test 5"]
    done = [event.done for event in heard if isinstance(event, Progress)]
    assert done == [4, 8, 11, 14, 18, 19]


def test_the_second_time_nothing_is_converted(parts, tmp_path):
    files, _ = parts
    first = read_deepsea(files, tmp_path / "cache", silent).examples
    heard = []
    second = read_deepsea(files, tmp_path / "cache", heard.append).examples
    assert heard == []
    assert np.array_equal(first.inputs.letters, second.inputs.letters)
    assert [path for path in (tmp_path / "cache").iterdir() if path.name.startswith(".")] == []
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_changed_file_is_converted_anew(parts, tmp_path):
    files, _ = parts
    read_deepsea(files, tmp_path / "cache", silent)
    texts, _ = write(files["test"], "test", 4, seed=99)
    examples = read_deepsea(files, tmp_path / "cache", silent).examples
    assert len(examples) == 18
    assert examples.inputs.text(17) == texts[-1]


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_one_file_alone_may_be_any_part(parts, tmp_path, part):
    files, written = parts
    examples = read_deepsea({"": files[part]}, tmp_path / "cache", silent).examples
    assert examples.parts is None
    assert [examples.inputs.text(row) for row in range(len(examples))] == written[part][0]


def test_letters_and_targets_stay_on_disk(parts, tmp_path):
    files, _ = parts
    examples = read_deepsea(files, tmp_path / "cache", silent).examples
    assert not examples.targets.flags.owndata
    assert not examples.inputs.letters.flags.owndata
    assert not examples.targets.flags.writeable


def test_an_interruption_leaves_nothing(parts, tmp_path):
    files, _ = parts

    def interrupt(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_deepsea(files, tmp_path / "cache", interrupt)
    assert list((tmp_path / "cache").iterdir()) == []


def test_parts_of_different_shapes_are_refused(parts, tmp_path):
    files, _ = parts
    write(files["test"], "test", 4, targets=9)
    with pytest.raises(ReadError, match=r"train\.mat: 12 letters, 10 targets, .*test\.mat: 12 letters, 9 targets"):
        read_deepsea(files, tmp_path / "cache", silent)


@pytest.mark.parametrize("part", ["", "train", "test"])
def test_a_file_of_something_else_is_refused(tmp_path, part):
    io.savemat(tmp_path / "other.mat", {"weights": np.zeros((3, 3))})
    with pytest.raises(ReadError, match=r"other\.mat.*weights"):
        read_deepsea({part: tmp_path / "other.mat"}, tmp_path / "cache", silent)
