"""What all tests share: no network, a cache of their own, and one small data set and trained model per application."""

from __future__ import annotations

import os

# One thread per test process: several processes that spin for each other's threads take many times longer.
os.environ.update({"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2", "COLUMNS": "200"})
# No test downloads a package: what depends on one takes its way without, the same everywhere.
os.environ["PIP_NO_INDEX"] = "1"

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from primase.apps.contract import Application
from primase.apps.discovery import applications
from primase.configuration import options

if TYPE_CHECKING:  # the tests of the command line check that torch stays away until it is needed
    from primase.models import Model
    from primase.pipeline import Run

# How long an example takes depends on the machine and says nothing about the code.
hypothesis.settings.register_profile("primase", deadline=None)
hypothesis.settings.load_profile("primase")

QUICK = {"epochs": 15, "patience": 15, "batch_size": 32, "learning_rate": 0.01, "members": 1}
"""Settings with which every application learns its simulated data in seconds; those that it lacks are left out."""

OWN: Mapping[str, Mapping[str, Any]] = {
    "protein-interaction": {
        "members": 3,
        "epochs": 8,
        "batch_size": 4096,
        "learning_rate": 0.003,
        "hidden": (64, 64),
        "dropout": 0.3,
    },
    "expression-embedding": {"latent": 4, "hidden": (128,), "learning_rate": 0.001},
    "expression-inference": {"hidden": (256, 256), "learning_rate": 0.001, "epochs": 20},
    "rna-binding": {"filters": (32, 32, 32)},
    "image-diagnosis": {"image_size": 64, "epochs": 30, "learning_rate": 0.003},
    "super-resolution": {
        "width": 8,
        "blocks": 2,
        "epochs": 6,
        "steps": 60,
        "batch_size": 8,
        "learning_rate": 0.004,
        "adversarial_epochs": 0,
    },
    "dna-function": {
        "filters": (48, 48),
        "widths": (11, 5),
        "pools": (4, 2),
        "units": 16,
        "hidden": 32,
        "epochs": 14,
        "learning_rate": 0.004,
        "weight_decay": 0.1,
    },
}
"""Settings of an application of its own: a recurrent layer takes longer to learn, and needs a small network."""

COUNT = 300
COUNTS = {
    "rna-binding": 600,
    "dna-function": 1000,
    "protein-interaction": 2000,
    "expression-inference": 800,
    "expression-embedding": 400,
    "super-resolution": 40,
}
"""How many examples are simulated where three hundred are too few, as for the edges of a motif, or more than needed."""

FEW = 40
"""So many records are explained."""


@dataclass(frozen=True)
class Rehearsal:
    """An application with a small simulated data set.

    Parameters
    ----------
    folder
        Where the simulator wrote.
    truth
        What ``truth.json`` says.
    settings
        What to train with, by name: the input words of ``truth.json``, :data:`QUICK` and :data:`OWN`.
    """

    application: Application
    folder: Path
    truth: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def words(self) -> list[str]:
        """The settings as words of the command line."""
        texts = {
            name: ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            for name, value in self.settings.items()
        }
        return [word for name, text in texts.items() for word in (f"--{name.replace('_', '-')}", text)]

    @property
    def input(self) -> Path:
        """A file, or a folder of images, to predict: the first that training reads."""
        return self.folder / str(self.truth["inputs"][1])

    @property
    def few(self) -> Path:
        """The first records of that file, or images of that folder, for what takes long."""
        if self.input.is_dir():
            return self._few_images
        text = self.input.read_text(encoding="utf-8")
        if text.startswith(">"):
            text = ">".join(text.split(">")[: FEW + 1])
        else:
            text = "".join(text.splitlines(keepends=True)[: FEW + 1])
        few = self.folder.with_name(f"few{self.input.suffix}")
        few.write_text(text, encoding="utf-8")
        return few

    @property
    def _few_images(self) -> Path:
        """Some images from all over the folder."""
        few = self.folder.with_name("few")
        every = sorted(path for path in self.input.rglob("*") if path.is_file())
        for path in every[:: max(len(every) // FEW, 1)][:FEW]:
            place = few / path.relative_to(self.input)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        return few

    @property
    def planted(self) -> list[Mapping[str, Any]]:
        """What was planted in these few."""
        if self.input.is_dir():
            names = {path.relative_to(self.few).as_posix() for path in self.few.rglob("*")}
            return [item for item in self.truth["planted"] if item["id"] in names]
        text = self.few.read_text(encoding="utf-8")
        ids = set(re.findall(r"^>?(\S+)", text, flags=re.MULTILINE))
        # The id of a pair is made of both of its names.
        ids |= {"|".join(sorted(pair)) for pair in re.findall(r"^(\S+)\t(\S+)$", text, flags=re.MULTILINE)}
        return [item for item in self.truth["planted"] if item["id"] in ids]

    def train(self, out: Path, **settings: Any) -> Run:
        """Train on the simulated data."""
        from primase.interface import train  # noqa: PLC0415  # loads torch

        return train(self.application.name, out=out, **{**self.settings, **settings})


@dataclass(frozen=True)
class Outcome:
    """What a run of the command line left: its exit status and what it printed."""

    status: int
    output: str
    error: str


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Fail a test that opens a connection to another machine, or asks for its address."""
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def check(host: object) -> None:
        if str(host) not in {"localhost", "::1", "None", ""} and not str(host).startswith("127."):
            pytest.fail(f"this test uses the network: {host}")

    def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
        def checked(self: socket.socket, address: Any) -> Any:
            if self.family in {socket.AF_INET, socket.AF_INET6}:
                check(address[0])
            return method(self, address)

        return checked

    def checked_resolve(host: Any, *arguments: Any, **named: Any) -> Any:
        check(host)
        return resolve(host, *arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(connect))
        patch.setattr(socket.socket, "connect_ex", guarded(connect_ex))
        patch.setattr(socket, "getaddrinfo", checked_resolve)
        yield


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the user's cache out of the tests; what a test fetches or searches, later ones find again."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRIMASE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Name the folder of real data; tests that need it are skipped where there is none."""
    named = os.environ.get("PRIMASE_MIRROR")
    if not named:
        pytest.skip("needs real data: PRIMASE_MIRROR names no folder")
    return Path(named)


@pytest.fixture(scope="session")
def rehearse(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Rehearsal]:
    """Simulate a small data set of an application, once."""
    made: dict[str, Rehearsal] = {}

    def simulated(name: str) -> Rehearsal:
        from primase import pipeline  # noqa: PLC0415  # loads torch

        if name not in made:
            folder = tmp_path_factory.mktemp(name) / "simulated"
            application = applications()[name]
            pipeline.simulate(application, folder, count=COUNTS.get(name, COUNT), seed=1)
            truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
            words = iter(truth["inputs"])
            given = {word.lstrip("-").replace("-", "_"): value for word, value in zip(words, words, strict=True)}
            inputs = {word: folder / value if (folder / value).exists() else value for word, value in given.items()}
            known = options(application.configuration)
            own = {**QUICK, **OWN.get(name, {})}
            quick = {setting: value for setting, value in own.items() if setting in known}
            made[name] = Rehearsal(application, folder, truth, {**inputs, **quick})
        return made[name]

    return simulated


@pytest.fixture(params=list(applications()))
def rehearsal(request: pytest.FixtureRequest, rehearse: Callable[[str], Rehearsal]) -> Rehearsal:
    """Run a test once for every application."""
    return rehearse(request.param)


@pytest.fixture(scope="session")
def train_once(rehearse: Callable[[str], Rehearsal], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Train an application on its simulated data, once."""
    made: dict[str, Run] = {}

    def trained(name: str) -> Run:
        if name not in made:
            made[name] = rehearse(name).train(tmp_path_factory.mktemp(f"run of {name}") / "model")
        return made[name]

    return trained


@pytest.fixture
def run(rehearsal: Rehearsal, train_once: Callable[[str], Run]) -> Run:
    """Give the trained run of the application at hand; nobody may change its folder."""
    return train_once(rehearsal.application.name)


@pytest.fixture
def model(run: Run) -> Model:
    """Load the trained model of the application at hand."""
    return run.model


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run ``primase WORDS`` in this process."""

    def run_words(*words: object) -> Outcome:
        from primase.cli.main import main  # noqa: PLC0415  # tests of the import of primase come without it

        monkeypatch.setattr(sys, "argv", ["primase", *map(str, words)])
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        capsys.readouterr()
        try:
            with pytest.raises(SystemExit) as exit_status:
                main()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        printed = capsys.readouterr()
        assert isinstance(exit_status.value.code, int)
        return Outcome(exit_status.value.code, printed.out, printed.err)

    return run_words


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a Python program in a process of its own, which ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def started_program(*words: object, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603  # the tests say what runs
            [sys.executable, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        started.append(process)
        return process

    yield started_program
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
