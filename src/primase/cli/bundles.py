"""Commands whose first word is the folder of a trained model, whose application decides the options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, final

import click

from primase.apps.contract import Application
from primase.apps.discovery import application_named
from primase.errors import ConfigurationError

OutOption = click.option("--out", type=click.Path(path_type=Path), required=True, help="What to write.")


@final
class BundleCommands(click.Group):
    """A group whose subcommand is the folder of a trained model.

    Parameters
    ----------
    make
        Makes the command for a model of an application, in a folder.
    any_application
        Whether every application is capable of it.
    """

    def __init__(
        self,
        *args: Any,
        make: Callable[[Application, Path], click.Command],
        any_application: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.make = make
        self.any_application = any_application

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name nothing: any bundle will do."""
        del ctx
        return []

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Make the command for one bundle."""
        # Reading a bundle loads torch, which the help texts do not need.
        from primase.predictor.bundle import read_facts  # noqa: PLC0415

        folder = Path(cmd_name)
        application = application_named(str(read_facts(folder).get("application")))
        if not self.any_application and ctx.info_name not in application.verbs:
            what = f"{application.name} is not capable of this"
            raise ConfigurationError(what, where=str(ctx.info_name), wanted=", ".join(sorted(application.verbs)))
        return self.make(application, folder)
