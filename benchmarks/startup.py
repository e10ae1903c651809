"""How long the command line takes to answer, beside a Python that loads two modules of the standard library.

Each command is run in turn, many times over, so that a busy machine slows all of them alike; medians are compared.
Beside the seconds on the wall stand those of the processor, which leave out the waiting for other programs.

`primase --help` should take under 1.5 times the reference plus 0.3 seconds, and no command here may load torch.

    python benchmarks/startup.py --out benchmarks/results/startup.jsonl

Rounds are appended to the file of ``--out`` until it holds ``--rounds`` of them.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from journal import Journal, print_rows

PRIMASE = str(Path(sys.executable).parent / "primase")
REFERENCE = "python -c 'import json, argparse'"
COMMANDS = {
    REFERENCE: ["-c", "import json, argparse"],
    "python -c 'import primase'": ["-c", "import primase"],
    "primase --help": [PRIMASE, "--help"],
    "primase apps": [PRIMASE, "apps"],
    "primase train enzyme-identification --help": [PRIMASE, "train", "enzyme-identification", "--help"],
}
HEAVY = ("torch", "lightning", "sklearn", "scipy", "polars", "pyarrow", "matplotlib", "pyhmmer", "numpy", "pydantic")


def main() -> None:
    """Measure, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines to append to")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    journal = Journal(options.out)
    for number in range(options.rounds):
        key = {"round": number}
        if not journal.matching(key):
            timed_commands = {name: timed(words) for name, words in COMMANDS.items()}
            journal.add(key, {"seconds": timed_commands, "date": time.strftime("%Y-%m-%d")})
    rows = [["command", "median, seconds (allowed)", "processor seconds (allowed)", "heavy modules loaded"]]
    for name, words in COMMANDS.items():
        cells = []
        for clock in ("wall", "processor"):
            allowed = 1.5 * median(journal, REFERENCE, clock) + 0.3
            cells.append(f"{median(journal, name, clock):.3f} ({allowed:.3f})")
        rows.append([name, *cells, ", ".join(loaded(words)) or "none"])
    print_rows(rows)


def median(journal: Journal, name: str, clock: str) -> float:
    """Take the median over the rounds."""
    return float(statistics.median(record["seconds"][name][clock] for record in journal.records))


def timed(words: list[str]) -> dict[str, float]:
    """Measure one run of Python, in seconds on the wall and of the processor."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall": wall, "processor": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def loaded(words: list[str]) -> list[str]:
    """Name the heavy modules that a command imports."""
    command = [sys.executable, "-X", "importtime", *words]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    modules = {line.rpartition("|")[2].strip() for line in output.splitlines() if line.startswith("import time:")}
    return [name for name in HEAVY if name in modules]


if __name__ == "__main__":
    main()
