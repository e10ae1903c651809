"""Interrupted, killed, resumed: never half a bundle, never a lost run, never other figures."""

import random
import signal
import subprocess
import time

import polars as pl
import pytest

import primase
from primase.errors import BundleError, ConfigurationError, InputError, Interrupted
from primase.events import Epoch, StageStarted
from primase.predictor.workspace import partial_folder

ENZYMES = "enzyme-identification"
LONG = {"epochs": 60, "patience": 60, "hidden": (16, 8)}


class StopAt:
    """Listens, and interrupts the run as a signal would."""

    def __init__(self, moment):
        self.moment = moment

    def __call__(self, event):
        if self.moment(event):
            raise Interrupted(signal.SIGINT)


def at_epoch(number):
    return StopAt(lambda event: isinstance(event, Epoch) and event.epoch == number)


def at_stage(name):
    return StopAt(lambda event: event == StageStarted(name))


@pytest.fixture(scope="module")
def enzymes(rehearse):
    return rehearse(ENZYMES)


@pytest.fixture(scope="module")
def short_run(enzymes, tmp_path_factory):
    """Train without an interruption."""
    return enzymes.train(tmp_path_factory.mktemp("whole") / "model", epochs=6, patience=6, members=2)


def same_figures(run, expected):
    for name in ("member-1.safetensors", "member-2.safetensors"):
        assert (run.path / name).read_bytes() == (expected.path / name).read_bytes(), name
    assert run.metrics["test"] == expected.metrics["test"]
    assert run.metrics["histories"] == expected.metrics["histories"]
    tables = [pl.read_parquet(each.path / "predictions.parquet") for each in (run, expected)]
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param([at_epoch(1)], id="at once"),
        pytest.param([at_epoch(2), at_epoch(4)], id="twice"),
        pytest.param([at_epoch(6)], id="at the end of the first member"),
        pytest.param([at_stage("evaluate")], id="after training"),
        pytest.param([at_stage("write")], id="while writing"),
    ],
)
def test_a_resumed_run_ends_where_the_whole_run_ends(enzymes, short_run, tmp_path, stop):
    out, settings = tmp_path / "model", {"epochs": 6, "patience": 6, "members": 2}
    for number, listener in enumerate(stop):
        with pytest.raises(Interrupted):
            enzymes.train(out, **settings, listener=listener, resume=number > 0)
        assert not out.exists()
        assert partial_folder(out).is_dir()
        with pytest.raises(BundleError):
            primase.load(partial_folder(out))
    same_figures(enzymes.train(out, **settings, resume=True), short_run)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.fixture
def interrupted(enzymes, tmp_path):
    with pytest.raises(Interrupted):
        enzymes.train(tmp_path / "model", **LONG, listener=at_epoch(2))
    return tmp_path / "model"


def test_a_resumed_run_does_not_begin_again(enzymes, interrupted):
    epochs = []
    stop = StopAt(lambda event: isinstance(event, Epoch) and (epochs.append(event.epoch) or event.epoch >= 4))
    with pytest.raises(Interrupted):
        enzymes.train(interrupted, **LONG, listener=stop, resume=True)
    assert epochs in ([3, 4], [2, 3, 4])


def test_an_interrupted_run_is_not_overwritten(enzymes, interrupted):
    with pytest.raises(InputError, match=r"an interrupted run is in the way.*--resume"):
        enzymes.train(interrupted, **LONG)
    assert partial_folder(interrupted).is_dir()


@pytest.mark.parametrize("changed", [{"learning_rate": 0.5}, {"seed": 1}, {"hidden": (4,)}])
def test_a_run_is_not_resumed_with_other_settings(enzymes, interrupted, changed):
    with pytest.raises(ConfigurationError, match="other settings") as refusal:
        enzymes.train(interrupted, **{**LONG, **changed}, resume=True)
    assert next(iter(changed)) in str(refusal.value)
    assert partial_folder(interrupted).is_dir()


def test_a_run_is_not_resumed_on_other_data(enzymes, tmp_path):
    own = tmp_path / "own.fa"
    own.write_text(enzymes.settings["positives"].read_text())
    with pytest.raises(Interrupted):
        enzymes.train(tmp_path / "model", **LONG, positives=own, listener=at_epoch(1))
    own.write_text(own.read_text() + ">one_more\nMKLVMKLVMKLVMKLV\n")
    with pytest.raises(InputError, match="the data are not those"):
        enzymes.train(tmp_path / "model", **LONG, positives=own, resume=True)


def test_without_new_settings_a_run_is_resumed_with_its_own(enzymes, tmp_path):
    out = tmp_path / "model"
    with pytest.raises(Interrupted):
        enzymes.train(out, epochs=3, listener=at_epoch(1))
    run = primase.train(ENZYMES, out=out, resume=True)
    assert [row["epoch"] for row in run.metrics["histories"][0]] == [1, 2, 3]


def test_resuming_what_never_began_begins(enzymes, tmp_path):
    assert enzymes.train(tmp_path / "model", epochs=1, resume=True).path.exists()


def test_two_processes_do_not_make_one_folder(enzymes, tmp_path):
    refused = []

    def train_it_too(event):
        if isinstance(event, Epoch) and event.epoch == 1 and not refused:
            with pytest.raises(InputError, match=r"another process|interrupted run") as refusal:
                enzymes.train(tmp_path / "model", **{**LONG, "epochs": 2}, resume=True)
            refused.append(refusal)

    enzymes.train(tmp_path / "model", **{**LONG, "epochs": 2}, listener=train_it_too)
    assert refused
    assert (tmp_path / "model" / "bundle.json").exists()


# In a process of its own, with real signals


def start_training(start, enzymes, out, *more, **settings):
    words = [
        word
        for name, value in {**enzymes.settings, **settings}.items()
        for word in (f"--{name.replace('_', '-')}", ",".join(map(str, value)) if isinstance(value, tuple) else value)
    ]
    program = "from primase.cli.main import main; main()"
    return start("-c", program, "train", ENZYMES, *words, "--out", out, *more)


def wait_for(path, process):
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_training_resumably(start, enzymes, tmp_path, number, status):
    out = tmp_path / "model"
    process = start_training(start, enzymes, out, **{**LONG, "epochs": 5000, "patience": 5000})
    wait_for(partial_folder(out) / "member-1" / "last.ckpt", process)
    process.send_signal(number)
    output, error = process.communicate(timeout=60)
    assert process.returncode == status, error
    assert output == ""
    assert error.strip().splitlines()[-1] == "primase: interrupted."
    assert "Traceback" not in error
    assert not out.exists()
    epochs = []
    stop = StopAt(lambda event: isinstance(event, Epoch) and not epochs.append(event.epoch))
    with pytest.raises(Interrupted):
        enzymes.train(out, **{**LONG, "epochs": 5000, "patience": 5000}, resume=True, listener=stop)
    assert epochs[0] > 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_being_killed_loses_nothing(start, enzymes, short_run, tmp_path, seed):
    out, settings = tmp_path / "model", {"epochs": 6, "patience": 6, "members": 2}
    delay = random.Random(seed).uniform(0, 2.0)
    process = start_training(start, enzymes, out, **settings)
    wait_for(partial_folder(out), process)
    try:
        process.wait(timeout=delay)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    if not out.exists():
        with pytest.raises(BundleError):
            primase.load(partial_folder(out))
        same_figures(enzymes.train(out, **settings, resume=True), short_run)
    else:
        primase.load(out)
