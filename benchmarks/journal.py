"""The journal of a benchmark: one JSON object a line, so that an interrupted measurement goes on where it stopped."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, final


@final
class Journal:
    """What has been measured so far.

    Parameters
    ----------
    path
        The file; it is made with the first measurement. A line that an interruption cut short is ignored.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[dict[str, Any]] = []
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for line in lines:
            with suppress(json.JSONDecodeError):
                self.records.append(json.loads(line))

    def matching(self, key: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the measurements made under these conditions."""
        return [record for record in self.records if all(record.get(name) == value for name, value in key.items())]

    def add(self, key: Mapping[str, Any], measured: Mapping[str, Any]) -> None:
        """Keep a measurement with its conditions, and print it."""
        record = {**key, **measured}
        self.records.append(record)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        cut_short = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
        # Appending a line at once lets two measurements write to one file.
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if cut_short else "") + json.dumps(record) + "\n")
        print(json.dumps(record), flush=True)


def mean_and_deviation(values: Iterable[float], digits: int = 4) -> str:
    """Write a mean and the standard deviation of single values, such as ``0.9450 ± 0.0020``."""
    listed = list(values)
    mean = f"{statistics.mean(listed):.{digits}f}"
    return mean if len(listed) == 1 else f"{mean} ± {statistics.stdev(listed):.{digits}f}"


def print_rows(rows: Iterable[Iterable[object]]) -> None:
    """Print a Markdown table; the first row is its head."""
    head, *body = [[str(cell) for cell in row] for row in rows]
    for row in (head, ["---"] * len(head), *body):
        print("| " + " | ".join(row) + " |")
