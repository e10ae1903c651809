"""The command that writes a trained model for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from primase.apps.contract import Application
from primase.cli.bundles import BundleCommands, OutOption
from primase.cli.display import listening, printed
from primase.cli.options import configuration_options, given


def _command(application: Application, folder: Path) -> click.Command:
    @click.command("export", help="Write this model as FILE.onnx. Data are named only where files have moved.")
    @click.option("--format", type=click.Choice(["onnx"]), default="onnx", show_default=True, help="What to write.")
    @click.option(
        "--input",
        "inputs",
        type=click.Path(path_type=Path),
        help="Examples to compare both on, as for predict; by default those that the model was tested with.",
    )
    @configuration_options(application.configuration, ["data"])
    @OutOption
    def command(out: Path, **settings: Any) -> None:
        # Exporting loads torch, which the help texts do not need.
        from primase.remaking import exporting  # noqa: PLC0415

        with listening() as listener:
            written = exporting.export(folder, out=out, listener=listener, **given(settings))
        printed(
            f"Wrote {written.path}; inputs: {', '.join(written.inputs)}; output: outputs.",
            f"On {written.examples:,} examples it differs from the bundle by at most {written.difference:.2g}.",
        )

    return command


@click.group(cls=BundleCommands, make=_command, any_application=True, subcommand_metavar="DIR --out FILE.onnx")
def export() -> None:
    """Write a trained model for other programs, and compare both on the examples that the model was tested with."""
