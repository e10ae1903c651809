"""How fast a model predicts for a FASTA file of a million proteins, and whether memory stays bounded.

A small world is simulated (30 families with their profiles), a model is trained on 2,000 proteins of it, and FASTA
files of 10,000, 100,000 and 1,000,000 proteins are written: each a random sequence of its own of 100 to 150 residues,
every fifth with a mutated copy of a family planted in it. ``primase predict`` then runs in a process of its own, first
with an empty cache of domains and then with the one that the first run has filled. Its seconds, records a second and
peak memory are measured, and the planted families are looked up in its table: an answer without them is worth nothing.

    python benchmarks/predict_million.py --out benchmarks/results/predict_million.jsonl --work /tmp/predict-million

The work folder (about 1 GB) keeps model and files. Measurements are appended to the file of ``--out``; what it already
holds is not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from journal import Journal, print_rows

# The process that takes the measurements stays small: on Linux a child starts with the peak memory of its parent. So
# numpy, pyhmmer and polars work in processes of their own (this script, called with --write and --check).
RESIDUES = 150
PLANTED_EVERY = 5
SEED = 0
LINE = 60
BLOCK = 10_000


def main() -> None:
    """Measure what is missing, then print the table."""
    options = arguments()
    if options.write is not None:
        write_proteins(options.work, options.write)
    elif options.check is not None:
        check(options.work, options.check)
    else:
        measure_all(options)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON lines to append to")
    parser.add_argument("--work", type=Path, required=True, help="folder for the model and the files")
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--round", type=int, default=0, help="another number measures all again")
    parser.add_argument("--format", choices=["tsv", "csv", "parquet"], default="tsv", help="of the predictions")
    parser.add_argument("--write", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--check", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure_all(options: argparse.Namespace) -> None:
    """Predict for every count, first without and then with the domains known."""
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    journal = Journal(options.out)
    prepare_model(work)
    for count in options.counts:
        for cached in (False, True):
            key = {"count": count, "cached": cached, "format": options.format, "round": options.round}
            if not journal.matching(key):
                if not fasta(work, count).exists():
                    run([sys.executable, __file__, "--work", str(work), "--write", str(count)], work)
                journal.add(key, measure(work, count, options.format, cached=cached))
    rows = [
        ["records", "domains", "load", "seconds", "processor seconds", "records a second", "peak MiB", "planted found"]
    ]
    for record in sorted(journal.records, key=lambda record: (record["count"], record["cached"])):
        domains = "in the cache" if record["cached"] else "searched"
        measured = [f"{record[name]:.0f}" for name in ("seconds", "cpu_seconds", "records_a_second", "peak_mib")]
        load = f"{record['load']:.0f}"
        rows.append([f"{record['count']:,}", domains, load, *measured, f"{record['planted_found']:.1%}"])
    print_rows(rows)


def prepare_model(work: Path) -> None:
    """Simulate a small world and train on it, once."""
    world, model = work / "world", work / "model"
    if not world.exists():
        words = ["data", "simulate", "enzyme-identification", "--seed", "0", "--count", "2000", "--out", str(world)]
        run([primase(), *words], work)
    if not model.exists():
        inputs = [
            f"--{name}={world / file}"
            for name, file in (
                ("positives", "positives.fa"),
                ("negatives", "negatives.fa"),
                ("profiles", "profiles.hmm"),
            )
        ]
        run([primase(), "train", "enzyme-identification", *inputs, "--out", str(model)], work)


def primase() -> str:
    """Name the command beside this Python."""
    return str(Path(sys.executable).parent / "primase")


def fasta(work: Path, count: int) -> Path:
    """Name the file of so many proteins."""
    return work / f"proteins-{count}.fa"


def run(command: list[str], work: Path, cache: str = "cache") -> dict[str, float]:
    """Run a command to its end; return its seconds, processor seconds and peak memory in MiB (on Linux)."""
    environment = {**os.environ, "PRIMASE_CACHE": str((work / cache).absolute())}
    started = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    seconds, cpu_seconds = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": usage.ru_maxrss / 1024}


def measure(work: Path, count: int, ending: str, *, cached: bool) -> dict[str, Any]:
    """Predict for one file."""
    cache, table = f"cache-{count}", work / f"predictions-{count}.{ending}"
    if not cached:
        shutil.rmtree(work / cache, ignore_errors=True)
    table.unlink(missing_ok=True)
    profiles = ["--profiles", str(work / "world" / "profiles.hmm")]
    command = [primase(), "predict", str(work / "model"), str(fasta(work, count)), *profiles, "--out", str(table)]
    load = os.getloadavg()[0]
    used = run(command, work, cache)
    words = [sys.executable, __file__, "--work", str(work), "--check", str(table)]
    checked = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
    assert checked["records"] == count
    size = sum(file.stat().st_size for file in (work / cache).rglob("*")) / 2**20
    measured = {
        "load": load,
        "cache_mib": size,
        "planted_found": checked["planted_found"],
        "date": time.strftime("%Y-%m-%d"),
    }
    return {**used, "records_a_second": count / used["seconds"], **measured}


def write_proteins(work: Path, count: int) -> None:
    """Write the FASTA file; the name of a record says which family was planted in it."""
    path = fasta(work, count)
    staged = path.with_suffix(".part")
    with staged.open("w", encoding="ascii") as file:
        for number, (family, sequence) in enumerate(proteins(work / "world" / "profiles.hmm", count)):
            rows = (sequence[start : start + LINE] for start in range(0, len(sequence), LINE))
            file.write(f">protein_{number:07}|{family or 'none'}\n" + "\n".join(rows) + "\n")
    staged.replace(path)


def proteins(profiles: Path, count: int) -> Iterator[tuple[str, str]]:
    """Draw random sequences, some with a family planted in them: its consensus with every tenth residue random."""
    import numpy as np  # noqa: PLC0415
    from pyhmmer.plan7 import HMMFile  # noqa: PLC0415

    generator = np.random.default_rng(SEED)
    letters = np.frombuffer(b"ACDEFGHIKLMNPQRSTVWY", dtype=np.uint8)
    with HMMFile(profiles) as file:
        consensus_of = {model.name: str(model.consensus).upper().encode() for model in file}
    families = [(name, np.frombuffer(letters_of, dtype=np.uint8)) for name, letters_of in consensus_of.items()]
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        block = letters[generator.integers(len(letters), size=(size, RESIDUES))]
        kept = generator.random((size, RESIDUES)) < 0.9
        lengths = generator.integers(RESIDUES - 50, RESIDUES + 1, size=size)
        for row in range(size):
            family = ""
            if (start + row) % PLANTED_EVERY == 0:
                family, consensus = families[int(generator.integers(len(families)))]
                spot = slice(5, 5 + min(len(consensus), 90))
                width = spot.stop - spot.start
                block[row, spot] = np.where(kept[row, spot], consensus[:width], block[row, spot])
            yield family, block[row, : lengths[row]].tobytes().decode("ascii")


def check(work: Path, table: Path) -> None:
    """Print how many records there are, and the share of planted families among the domains found."""
    import polars as pl  # noqa: PLC0415

    del work
    separators = {".csv": ",", ".tsv": "\t"}
    if table.suffix in separators:
        predictions = pl.scan_csv(table, separator=separators[table.suffix])
    else:
        predictions = pl.scan_parquet(table)
    planted = pl.col("id").str.split("|").list.last()
    found = pl.col("domains").fill_null("").str.split(";").list.contains(planted)
    figures = predictions.select(pl.len().alias("records"), found.filter(planted != "none").mean().alias("share"))
    records, share = figures.collect().row(0)
    print(json.dumps({"records": records, "planted_found": share}))


if __name__ == "__main__":
    main()
