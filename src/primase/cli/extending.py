"""The command that teaches a trained model something new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from primase.apps.contract import Application
from primase.cli.bundles import BundleCommands
from primase.cli.display import listening, print_table, printed
from primase.cli.options import CommaSeparated, configuration_options, given
from primase.errors import ConfigurationError

_METHODS = ("ewc", "icarl", "dual-memory", "naive", "joint")


def _extend_command(application: Application, folder: Path) -> click.Command:
    @click.command("extend", help="Learn the new examples, beside what the model knows.")
    @click.option("--method", type=click.Choice(_METHODS), help="What is done against forgetting.  [default: ewc]")
    @click.option("--out", type=click.Path(path_type=Path), help="The folder of the new model.")
    @click.option("--exemplars", type=click.IntRange(min=1), help="Examples of each label to keep.  [default: 20]")
    @click.option("--strength", type=click.FloatRange(min=0), help="How hard ewc holds what matters.")
    @click.option("--compare", is_flag=True, default=None, help="Measure the floor and the ceiling, too.")
    @click.option("--new-labels", type=CommaSeparated(str), help="Labels to learn; found in the data where not given.")
    @click.option("--remember", is_flag=True, help="Only keep with the model what extending it needs of its old data.")
    @configuration_options(application.configuration, ["data", "split", "training", None])
    def command(out: Path | None, remember: bool, **settings: Any) -> None:  # noqa: FBT001  # click calls it by name
        # The pipeline loads torch, which the help texts do not need.
        from primase.remaking import extending  # noqa: PLC0415

        own = {name: settings.pop(name) for name in ("method", "exemplars", "strength", "compare", "new_labels")}
        extension = extending.Extension(**given(own))
        if remember:
            with listening() as listener:
                extending.remember(folder, exemplars=extension.exemplars, listener=listener)
            printed(f"{folder} can be extended without its data now.")
            return
        if out is None:
            what = "there is no folder to write"
            raise ConfigurationError(what, where="extend", wanted="--out DIR2")
        with listening() as listener:
            run = extending.extend(folder, out, extension=extension, listener=listener, **given(settings))
        _print_figures(run.metrics["forgetting"])
        printed(f"report: {out / 'report.html'}")

    return command


def _print_figures(told: dict[str, Any]) -> None:
    """Show the figure of every step after every step."""
    steps = told["steps"]
    names = [f"{number}. {step['name']}" for number, step in enumerate(steps, start=1)]
    rows = [
        [f"after {name}", *map(_cell, step["figures"]), *[""] * (len(steps) - len(step["figures"]))]
        for name, step in zip(names, steps, strict=True)
    ]
    rows += [[name, *map(_cell, beside["figures"])] for name, beside in told["beside"].items()]
    print_table([told["metric"], *names], rows, title="What it knows of each step")


def _cell(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"


@click.group(
    cls=BundleCommands,
    make=_extend_command,
    any_application=True,
    subcommand_metavar="DIR INPUTS --method METHOD --out DIR2",
)
def extend() -> None:
    """Teach a trained model new data, new labels or both, and tell what it forgets meanwhile."""
