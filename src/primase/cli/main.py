"""The command ``primase``: finds the subcommand, and turns what goes wrong into one message and an exit status."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Final, NoReturn

import click

from primase.errors import InputError, Interrupted

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "apps": ("primase.cli.catalogue:apps", "List the applications, one line each."),
    "data": ("primase.cli.catalogue:data", "List, show, fetch and simulate data sets."),
    "demo": ("primase.cli.training:demo", "Run the main job of an application on real data, end to end."),
    "audit": ("primase.cli.training:audit", "Find what would leak and what is odd, before any training."),
    "train": ("primase.cli.training:train", "Read, audit, split, fit, calibrate, evaluate and report."),
    "evaluate": ("primase.cli.models:evaluate", "Judge a trained model on new labelled data."),
    "predict": ("primase.cli.models:predict", "Predict with a trained model."),
    "explain": ("primase.cli.models:explain", "Show why a trained model says what it says."),
    "scan": ("primase.cli.models:scan", "Slide a trained model along a genome."),
    "rank": ("primase.cli.models:rank", "List the most probable of all that has not been tested."),
    "embed": ("primase.cli.models:embed", "Write the numbers that a model has for each thing."),
    "generate": ("primase.cli.models:generate", "Make new examples with a trained model."),
    "reconstruct": ("primase.cli.models:reconstruct", "Show what a trained model keeps of each example."),
    "calibrate": ("primase.cli.calibrating:calibrate", "Calibrate a trained model on new labelled data."),
    "compress": ("primase.cli.compressing:compress", "Make a smaller model of a trained one."),
    "export": ("primase.cli.exporting:export", "Write a trained model for other programs, as ONNX."),
    "extend": ("primase.cli.extending:extend", "Teach a trained model new data or new labels."),
}


class LazyCommands(click.Group):
    """A group that imports a subcommand when it is run, so that ``--help`` is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the subcommands in the order of a user's work."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="primase")
def primase() -> None:
    """Deep learning for biologists: from your files to a trained, calibrated, explained and honestly evaluated model.

    Start with `primase demo`, or with your own proteins:

      primase train enzyme-identification --positives enzymes.fa --negatives others.fa --out my-model
    """


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 2 wrong input, 130 or 143 interrupted, 1 a fault of ours."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        status = primase.main(standalone_mode=False)
    except InputError as error:
        click.echo(f"primase: {error}", err=True)
        status = 2
    except click.ClickException as error:
        error.show()
        status = 2
    except Interrupted as interruption:
        click.echo("primase: interrupted.", err=True)
        status = 128 + interruption.signal_number
    except click.Abort:
        status = 130
    except BrokenPipeError:  # the reader, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status if isinstance(status, int) else 0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del frame
    raise Interrupted(number)
