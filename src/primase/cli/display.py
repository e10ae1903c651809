"""What the user sees: progress on a terminal, results as tables, nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from primase import events


def printed(*lines: str) -> None:
    """Print results."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for line in lines:
        console.print(line)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> None:
    """Print a table: aligned on a terminal, tab-separated when piped, so that other programs can read it."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            sys.stdout.write("\t".join(str(cell) for cell in row) + "\n")
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    Console(highlight=False).print(table)


def print_findings(findings: Sequence[Mapping[str, Any]]) -> None:
    """Print what the audit found, the warnings first."""
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    for finding in sorted(findings, key=lambda finding: finding["severity"] != "warning"):
        mark = "[bold yellow]warning[/]" if finding["severity"] == "warning" else "[dim]note   [/]"
        console.print(f"{mark}  [bold]{escape(finding['finding'])}[/]: {escape(finding['text'])}")


@contextmanager
def listening() -> Iterator[events.Listener]:
    """Show progress on a terminal while work goes on; when piped, only warnings, on the error stream."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _warnings_only
        return
    columns = (
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield _TerminalListener(progress)


def _warnings_only(event: events.Event) -> None:
    if isinstance(event, events.Notice) and event.severity == "warning":
        sys.stderr.write(f"warning: {event.text}\n")


class _TerminalListener:
    """A line per stage, with a bar while it lasts."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.lines: dict[str, Any] = {}

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.StageStarted(stage):
                self._line(stage)
            case events.Progress(stage, done, total, unit):
                self.progress.update(self._line(stage), completed=done, total=total, note=unit)
            case events.StageFinished(stage, _):
                line = self._line(stage)
                reached = self.progress.tasks[self.progress.task_ids.index(line)].total or 1.0
                self.progress.update(line, completed=reached, total=reached, note="")
            case events.Epoch(epoch, epochs, metrics):
                loss = metrics.get("validation_loss", float("nan"))
                note = f"epoch {epoch} of {epochs}, validation loss {loss:.4f}"
                self.progress.update(self._line("train"), note=note)
            case events.Notice(text, severity):
                style = "yellow" if severity == "warning" else "dim"
                self.progress.console.print(f"[{style}]{escape(text)}[/]")

    def _line(self, stage: str) -> Any:
        if stage not in self.lines:
            self.lines[stage] = self.progress.add_task(escape(stage), total=None, note="")
        return self.lines[stage]
