"""Kill training at random moments, resume it, and count what was lost.

    python benchmarks/kill_and_resume.py --times 20

Simulated enzymes are trained on once without an interruption. Then, time after time, the same training is started in a
process of its own, killed with SIGKILL at a random moment of the work (not of the start of Python, which is left out),
and resumed, to be killed again with even odds. A bundle must never be there unless it is whole, a folder that is not a
bundle must never load as one, and what comes out at the end must have the weights and figures of the first run, bit for
bit.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import primase
from primase.errors import BundleError
from primase.predictor.workspace import CONFIGURATION, partial_folder

PROGRAM = "from primase.cli.main import main; main()"


def main() -> int:
    """Run the benchmark and print a line per kill and a summary; the exit status is 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, help="how often to kill (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="decides the moments")
    parser.add_argument("--count", type=int, default=300, help="simulated proteins")
    parser.add_argument("--epochs", type=int, default=40, help="epochs of each of two members")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return _experiment(Path(folder), options)


def _experiment(folder: Path, options: argparse.Namespace) -> int:
    data = folder / "data"
    _primase("data", "simulate", "enzyme-identification", "--count", options.count, "--out", data).wait()
    words = [f"--{word}={data / name}" for word, name in _INPUTS.items()]
    words += [f"--epochs={options.epochs}", f"--patience={options.epochs}", "--members=2", "--batch-size=32"]
    _train(words, folder / "warm")  # fills the cache of domains, as for a user's second run
    process = _primase("train", "enzyme-identification", *words, "--out", folder / "whole")
    _wait_for_work(folder / "whole", process)
    started = time.monotonic()
    process.wait()
    duration = time.monotonic() - started
    print(f"the work of a whole run takes {duration:.1f} s")
    moments = random.Random(options.seed)  # no secret
    losses, kills, number = [], 0, 0
    while kills < options.times:
        number += 1
        out = folder / f"run-{number}"
        stages: list[str] = []
        while kills < options.times and (not stages or moments.random() < 0.5):
            stages.append(_kill(words, out, moments.uniform(0, duration), resume=bool(stages)))
            kills += stages[-1] != "finished"
            losses += _unsound(out)
            if out.exists():
                break
        if not out.exists():
            _train([*words, "--resume"], out)
        losses += _differences(folder / "whole", out)
        print(f"run {number}: {', then '.join(stages)}")
    print(f"{kills} kills in {number} runs: {len(losses)} losses {losses or ''}")
    return int(bool(losses))


_INPUTS = {"positives": "positives.fa", "negatives": "negatives.fa", "profiles": "profiles.hmm"}


def _primase(*words: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, words)], stdout=subprocess.DEVNULL)


def _train(words: Sequence[str], out: Path) -> None:
    if _primase("train", "enzyme-identification", *words, "--out", out).wait():
        message = f"training into {out} failed"
        raise RuntimeError(message)


def _kill(words: Sequence[str], out: Path, seconds: float, *, resume: bool) -> str:
    """Start or resume a run, kill it after some seconds, and say how far it had come."""
    more = ["--resume"] if resume else []
    process = _primase("train", "enzyme-identification", *words, *more, "--out", out)
    _wait_for_work(out, process)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return f"killed after {seconds:.1f} s with {_reached(out)}"
    return "finished"


def _wait_for_work(out: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the process has taken hold of the partial folder, which it marks by writing its settings anew."""
    settings = partial_folder(out) / CONFIGURATION
    before = settings.stat().st_mtime_ns if settings.exists() else None
    while process.poll() is None and (not settings.exists() or settings.stat().st_mtime_ns == before):
        time.sleep(0.01)


def _reached(out: Path) -> str:
    partial = partial_folder(out)
    if out.exists():
        return "the bundle there"
    if not partial.exists():
        return "nothing there"
    finished = len(list(partial.glob("member-*/finished.json")))
    begun = len(list(partial.glob("member-*/last.ckpt")))
    return f"{finished} members finished, {begun} begun"


def _unsound(out: Path) -> list[str]:
    """Find what is called a bundle and is not whole, or loads and is none."""
    found = []
    if out.exists():
        try:
            primase.load(out)
        except BundleError as error:
            found.append(str(error))
    try:
        primase.load(partial_folder(out))
    except BundleError:
        return found
    return [*found, f"{partial_folder(out)} loads"]


def _differences(expected: Path, found: Path) -> list[str]:
    """Compare weights bit by bit, and all figures."""
    names = [*(path.name for path in expected.glob("*.safetensors")), "predictions.parquet", "members.parquet"]
    different = [name for name in names if _digest(expected / name) != _digest(found / name)]
    figures = [json.loads((folder / "metrics.json").read_text(encoding="utf-8")) for folder in (expected, found)]
    keys = ("test", "subsets", "baselines", "probes", "calibration", "histories")
    return [
        f"{found.name}: {name}" for name in [*different, *(key for key in keys if figures[0][key] != figures[1][key])]
    ]


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
