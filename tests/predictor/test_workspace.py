import pytest
from filelock import FileLock

from primase.errors import ConfigurationError, InputError, Interrupted
from primase.predictor.workspace import fresh_folder, partial_folder, refuse_occupied, run_folder

SETTINGS = "seed = 0\nepochs = 3\n"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "deep" / "model"


def leave(opened, error):
    """Begin to write into a folder, and leave it by an error."""

    def write_and_fail():
        with opened as folder:
            (folder / "checkpoint").write_text("so far")
            if (folder / "bundle").exists():
                (folder / "bundle" / "half").write_text("half")
            raise error

    with pytest.raises(type(error)):
        write_and_fail()


def interrupt(out, *, resume=False):
    leave(run_folder(out, SETTINGS, resume=resume), Interrupted(2))


def test_a_finished_run_is_a_bundle_and_nothing_else(out):
    with run_folder(out, SETTINGS, resume=False) as folder:
        assert not out.exists()
        assert folder == partial_folder(out)
        (folder / "bundle" / "bundle.json").write_text("{}")
        (folder / "checkpoint").write_text("so far")
    assert [path.name for path in out.iterdir()] == ["bundle.json"]
    assert list(out.parent.iterdir()) == [out]


def test_an_interrupted_run_is_kept_and_can_be_resumed(out):
    interrupt(out)
    assert not out.exists()
    with run_folder(out, SETTINGS, resume=True) as folder:
        assert (folder / "checkpoint").read_text() == "so far"
        assert list((folder / "bundle").iterdir()) == []
    assert out.is_dir()


def test_an_interrupted_run_is_in_the_way(out):
    interrupt(out)
    with pytest.raises(InputError, match="--resume"), run_folder(out, SETTINGS, resume=False):
        pytest.fail("it must not begin")
    assert (partial_folder(out) / "checkpoint").exists()


def test_a_run_is_resumed_with_its_settings_only(out):
    interrupt(out)
    other = SETTINGS.replace("epochs = 3", "epochs = 4")
    with pytest.raises(ConfigurationError, match=r"epochs was 3 and is 4"), run_folder(out, other, resume=True):
        pytest.fail("it must not begin")
    assert (partial_folder(out) / "checkpoint").exists()


def test_a_refused_run_leaves_nothing(out):
    leave(run_folder(out, SETTINGS, resume=False), InputError("wrong"))
    assert not out.exists()
    assert not partial_folder(out).exists()


def test_a_resumed_run_that_is_refused_keeps_what_there_was(out):
    interrupt(out)
    leave(run_folder(out, SETTINGS, resume=True), InputError("wrong"))
    assert (partial_folder(out) / "checkpoint").exists()


def test_a_fault_of_ours_leaves_a_run_to_resume(out):
    with pytest.raises(ZeroDivisionError), run_folder(out, SETTINGS, resume=False):
        _ = 1 / 0
    assert partial_folder(out).exists()
    assert not out.exists()


def test_resuming_nothing_begins(out):
    with run_folder(out, SETTINGS, resume=True):
        pass
    assert out.is_dir()


def test_an_empty_folder_may_be_filled(out):
    out.mkdir(parents=True)
    with run_folder(out, SETTINGS, resume=False) as folder:
        (folder / "bundle" / "bundle.json").write_text("{}")
    assert (out / "bundle.json").exists()


def test_two_processes_do_not_make_one_folder(out):
    interrupt(out)
    with (
        FileLock(partial_folder(out) / "lock"),
        pytest.raises(InputError, match="another process is making this right now"),
        run_folder(out, SETTINGS, resume=True),
    ):
        pytest.fail("it must not begin")
    assert (partial_folder(out) / "checkpoint").exists()


def test_the_lock_is_given_back(out):
    interrupt(out)
    interrupt(out, resume=True)
    with run_folder(out, SETTINGS, resume=True):
        pass
    assert out.exists()


@pytest.mark.parametrize("open_folder", [fresh_folder, lambda out: run_folder(out, SETTINGS, resume=True)])
def test_what_is_there_is_never_overwritten(tmp_path, open_folder):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match=r"the output folder is not empty\. Found: thesis\.txt"):
        open_folder(tmp_path / "full").__enter__()
    with pytest.raises(InputError, match="the output folder is a file"):
        open_folder(tmp_path / "full" / "thesis.txt").__enter__()
    assert {path.name for path in tmp_path.rglob("*")} == {"full", "thesis.txt"}


def test_an_output_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for opened in (fresh_folder(tmp_path / "file" / "x"), run_folder(tmp_path / "file" / "x", SETTINGS, resume=False)):
        with pytest.raises(InputError, match="cannot be made"):
            opened.__enter__()


@pytest.mark.parametrize("error", [InputError("wrong"), ZeroDivisionError(), KeyboardInterrupt(), Interrupted(2)])
def test_a_fresh_folder_is_whole_or_not_there(out, error):
    leave(fresh_folder(out), error)
    assert not out.parent.exists() or list(out.parent.iterdir()) == []


def test_a_fresh_folder(out):
    with fresh_folder(out) as folder:
        (folder / "table").touch()
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["table"]


def test_free_places_are_not_refused(tmp_path):
    refuse_occupied(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    refuse_occupied(tmp_path / "empty")


def test_a_folder_of_that_name_which_is_not_ours_is_kept(out):
    foreign = partial_folder(out)
    foreign.mkdir(parents=True)
    (foreign / "notes.txt").write_text("mine")
    with fresh_folder(out) as folder:
        (folder / "table").touch()
    assert (foreign / "notes.txt").read_text() == "mine"
    out.joinpath("table").unlink()
    with pytest.raises(InputError, match="is taken"), run_folder(out, SETTINGS, resume=False):
        pass
    assert (foreign / "notes.txt").read_text() == "mine"


def test_folders_made_on_the_way_are_removed_again(tmp_path):
    leave(run_folder(tmp_path / "new" / "deep" / "run", SETTINGS, resume=False), InputError("wrong"))
    assert list(tmp_path.iterdir()) == []
