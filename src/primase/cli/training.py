"""Commands that make a model: audit, train, demo."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from primase.apps.contract import Application
from primase.apps.discovery import application_named, applications
from primase.cli.display import listening, print_findings, print_table, printed
from primase.cli.options import configuration_options, given
from primase.configuration import configure
from primase.predictor.workspace import partial_folder

if TYPE_CHECKING:  # the pipeline loads torch, which takes seconds
    from primase.pipeline import Run

FileOption = click.option(
    "--config", "file", type=click.Path(path_type=Path), help="Settings as TOML, such as the config.toml of a bundle."
)


class ApplicationCommands(click.Group):
    """A group with one subcommand per application, whose options are that application's settings."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the applications."""
        del ctx
        return list(applications())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Make the command of one application."""
        application = application_named(cmd_name)
        command = (_train_command if ctx.info_name == "train" else _audit_command)(application)
        command.short_help = application.question
        return command


@click.group(cls=ApplicationCommands, subcommand_metavar="APP INPUTS --out DIR")
def train() -> None:
    """Read, audit, split, fit, calibrate, evaluate and report; `primase train APP --help` lists the options."""


@click.group(cls=ApplicationCommands, subcommand_metavar="APP INPUTS")
def audit() -> None:
    """Find what would leak and what is odd, before any training; `primase audit APP --help` lists the options."""


@click.command()
@click.argument("application_name", metavar="[APP]", default="enzyme-identification")
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder to write; default: below primase-demo."
)
@click.option("--resume", is_flag=True, help="Continue an interrupted demo.")
def demo(application_name: str, out: Path | None, resume: bool) -> None:  # noqa: FBT001  # click calls it by name
    """Run the main job of an application on real data, end to end."""
    application = application_named(application_name)
    folder = out or _demo_folder(application, resume=resume)
    words = " ".join(
        f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in application.demo.items()
    )
    if sys.stdout.isatty():
        printed(f"This is: primase train {application.name} {words} --out {folder}")
    _run(application, application.demo, folder, file=None, resume=resume)


def _demo_folder(application: Application, *, resume: bool) -> Path:
    """Choose a folder that is free, or the one of the interrupted demo."""
    folder, number = Path("primase-demo") / application.name, 1
    while folder.exists() or (partial_folder(folder).exists() and not resume):
        number += 1
        folder = folder.with_name(f"{application.name}-{number}")
    return folder


def _train_command(application: Application) -> click.Command:
    @click.command(application.name, help=f"{application.question} Train a model that answers it.")
    @configuration_options(application.configuration)
    @FileOption
    @click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the bundle to write.")
    @click.option("--resume", is_flag=True, help="Continue an interrupted run with the same settings.")
    def command(file: Path | None, out: Path, resume: bool, **settings: Any) -> None:  # noqa: FBT001
        _run(application, given(settings), out, file=file, resume=resume)

    return command


def _audit_command(application: Application) -> click.Command:
    @click.command(application.name, help="Find what would leak and what is odd, before any training.")
    @configuration_options(application.configuration, [None, "data", "split"])
    @FileOption
    def command(file: Path | None, **settings: Any) -> None:
        # The pipeline loads torch, which takes seconds: not before the options are known to be right.
        from primase.steps.preparing import audit as audited_by  # noqa: PLC0415

        configuration = configure(application.configuration, given(settings), file=file)
        with listening() as listener:
            audited = audited_by(application, configuration, listener=listener)
        print_findings([finding.to_state() for finding in audited.findings])

    return command


def _run(application: Application, settings: Mapping[str, Any], out: Path, *, file: Path | None, resume: bool) -> None:
    # The pipeline loads torch, which takes seconds: not before the options are known to be right.
    from primase import pipeline  # noqa: PLC0415

    configuration = pipeline.configuration_of_run(application, settings, out, file=file, resume=resume)
    with listening() as listener:
        run = pipeline.train(application, configuration, out, resume=resume, listener=listener)
    _print_run(run)


def _print_run(run: Run) -> None:
    metrics = run.metrics
    names = list(metrics["test"])[:3]
    models = {"network": metrics["test"], **metrics["baselines"]}
    models |= {f"{name} (probe)": figures for name, figures in metrics["probes"].items()}
    rows = [[name, *(_cell(figures.get(metric)) for metric in names)] for name, figures in models.items()]
    sizes = metrics["split"]["sizes"]
    print_table(
        ["model", *names], rows, title=f"Test set: {sizes['test']:,} examples, split: {metrics['split']['policy']}"
    )
    report = run.path / "report.html"
    printed(f"report: {report}" if sys.stdout.isatty() else f"report\t{report}")


def _cell(state: Mapping[str, float | None] | None) -> str:
    if state is None or state["value"] is None:
        return "not defined"
    if state["low"] is None or state["high"] is None:
        return f"{state['value']:.3f}"
    return f"{state['value']:.3f} [{state['low']:.3f}, {state['high']:.3f}]"
