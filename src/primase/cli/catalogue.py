"""What there is: applications and data sets."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from primase.apps.discovery import application_named, applications, registered_sources, source_named
from primase.cli.display import listening, print_table, printed
from primase.data.fetch import fetch, locate


@click.command()
def apps() -> None:
    """List the applications, one line each."""
    print_table(
        ["application", "question", "network"],
        [(name, application.question, application.architecture) for name, application in applications().items()],
    )


@click.group()
def data() -> None:
    """List, show, fetch and simulate data sets."""


@data.command("list")
def list_sources() -> None:
    """List the registered data sets."""
    rows = [
        (name, source.title, f"{source.size_bytes / 1e6:.1f} MB", source.licence, application.name)
        for name, (application, source) in registered_sources().items()
    ]
    print_table(["data set", "what it is", "size", "licence", "application"], rows)


@data.command()
@click.argument("name")
def show(name: str) -> None:
    """Show what a data set is, its licence and citation, and where its files are."""
    source = source_named(name)
    printed(
        f"{source.name}: {source.title}",
        "",
        source.description,
        "",
        f"licence   {source.licence}",
        f"citation  {source.citation}",
    )
    locations = locate(source)
    for file in source.files:
        location = locations[file.name]
        printed("", f"{file.name}  ({file.size_bytes:,} bytes, sha256 {file.sha256})")
        printed(f"  now   {location.path or 'not here yet'}", *(f"  from  {place}" for place in file.places))


@data.command("fetch")
@click.argument("name")
def fetch_source(name: str) -> None:
    """Bring the files of a data set to this machine, check them, and print their paths."""
    source = source_named(name)
    with listening() as listener:
        files = fetch(source, listener=listener)
    printed(*(str(path) for path in files.values()))


@data.command()
@click.argument("application_name", metavar="APP")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write; must not exist.")
@click.option("--count", type=click.IntRange(min=20), default=400, show_default=True, help="Number of examples.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides what is drawn.")
def simulate(application_name: str, out: Path, count: int, seed: int) -> None:
    """Write ordinary input files in which the truth is known, and that truth beside them as truth.json."""
    application = application_named(application_name)
    # The pipeline loads torch, which takes seconds, and the other commands here do not need it.
    from primase import pipeline  # noqa: PLC0415

    truth = pipeline.simulate(application, out, count=count, seed=seed)
    words = " ".join(shlex.quote(word) for word in truth["inputs"])
    printed(
        f"Wrote {count:,} examples to {out}. Train on them with",
        f"  cd {shlex.quote(str(out))} && primase train {application.name} {words} --out model",
    )
