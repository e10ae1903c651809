"""The command that makes a smaller model of a trained one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from primase.apps.contract import Application
from primase.cli.bundles import BundleCommands, OutOption
from primase.cli.display import listening, print_table, printed
from primase.cli.options import configuration_options, given
from primase.errors import ConfigurationError
from primase.remedies.compression.settings import CompressionSettings


def _command(application: Application, folder: Path) -> click.Command:
    @click.command("compress", help="Make a smaller model of this one. Data are named only where files have moved.")
    @configuration_options(CompressionSettings, [None])
    @click.option(
        "--set", "change", multiple=True, metavar="NAME=VALUE", help="A setting of the smaller network (distil)."
    )
    @click.option("--resume", is_flag=True, help="Go on with an interrupted compression.")
    @configuration_options(application.configuration, ["data"])
    @OutOption
    def command(out: Path, change: tuple[str, ...], resume: bool, **settings: Any) -> None:  # noqa: FBT001 - click names it
        # Compressing loads torch, which the help texts do not need.
        from primase.remaking import compressing  # noqa: PLC0415
        from primase.report.compression import COLUMNS, effects_rows  # noqa: PLC0415

        with listening() as listener:
            run = compressing.compress(
                folder, out=out, change=_pairs(change), resume=resume, listener=listener, **given(settings)
            )
        print_table(COLUMNS, effects_rows(run.metrics["compression"]))
        printed(f"report: {out / 'report.html'}")

    return command


def _pairs(words: tuple[str, ...]) -> dict[str, str]:
    """Take names and values apart."""
    for word in words:
        if "=" not in word:
            what = "this is no setting with a value"
            raise ConfigurationError(what, where="--set", got=word, wanted="NAME=VALUE, such as hidden=64,32")
    return {name.strip().replace("-", "_"): value for name, _, value in (word.partition("=") for word in words)}


@click.group(
    cls=BundleCommands, make=_command, any_application=True, subcommand_metavar="DIR --method METHOD --out DIR2"
)
def compress() -> None:
    """Make a smaller model of a trained one; it is a model like any other.

    `primase compress DIR --help` lists the methods and their options.
    """
