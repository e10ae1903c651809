"""The command ``primase calibrate``: all methods of calibration on new labelled data, and a model with the best."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from primase.apps.contract import Application
from primase.cli.bundles import BundleCommands, OutOption
from primase.cli.display import listening, print_table, printed
from primase.cli.options import configuration_options, given

METHODS = ("temperature", "platt", "histogram", "isotonic", "bbq", "none", "conformal")


def _command(application: Application, folder: Path) -> click.Command:
    @click.command("calibrate", help="Compare all methods of calibration on INPUTS, and write a model with the best.")
    @configuration_options(application.configuration, ["data"])
    @click.option(
        "--method",
        type=click.Choice(METHODS),
        help="The method that the new model is to have; by default the one with the least log loss on examples that it "
        "was not fitted to.",
    )
    @click.option("--seed", type=click.IntRange(min=0), help="Deals the examples into folds.  [default: 0]")
    @OutOption
    def command(out: Path, **settings: Any) -> None:
        # The pipeline loads torch, which the help texts do not need.
        from primase.remaking import calibrating  # noqa: PLC0415

        with listening() as listener:
            calibrated = calibrating.calibrate(folder, out, listener=listener, **given(settings))
        methods = calibrated.metrics["calibration"]["methods"]
        names = list(next(iter(methods.values())))
        rows = [[name, *(_figure(figures[kind]) for kind in names)] for name, figures in methods.items()]
        print_table(["calibration", *(kind.replace("_", " ") for kind in names)], rows)
        printed(f"chosen: {calibrated.method}", f"report: {out / 'report.html'}")

    return command


def _figure(state: dict[str, float | None]) -> str:
    """Write a figure with its interval, as far as they are known."""
    value, low, high = (state[name] for name in ("value", "low", "high"))
    if value is None:
        return "not defined"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


@click.group(cls=BundleCommands, make=_command, any_application=True, subcommand_metavar="DIR INPUTS --out DIR2")
def calibrate() -> None:
    """Compare all methods of calibration on new labelled data, and write a model with the best of them."""
