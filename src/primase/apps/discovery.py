"""Find the applications: every folder here that has an ``app.py``, and those that other packages register."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import primase.apps
from primase.apps.contract import Application
from primase.data.sources import Source
from primase.errors import ConfigurationError

ENTRY_POINTS = "primase.apps"


@cache
def applications() -> dict[str, Application]:
    """Return all applications by name, in alphabetical order.

    Raises
    ------
    ValueError
        If two applications have one name.
    """
    found: dict[str, Application] = {}
    for application in [*_own(), *(point.load() for point in entry_points(group=ENTRY_POINTS))]:
        if application.name in found:
            message = f"two applications are called {application.name}"
            raise ValueError(message)
        found[application.name] = application
    return dict(sorted(found.items()))


def application_named(name: str) -> Application:
    """Return one application.

    Raises
    ------
    ConfigurationError
        If there is none of this name.
    """
    known = applications()
    if name not in known:
        what = "there is no such application"
        raise ConfigurationError(what, where=name, wanted=", ".join(known))
    return known[name]


def registered_sources() -> dict[str, tuple[Application, Source]]:
    """Return every data set that an application registers, by name, with the first application that does."""
    found: dict[str, tuple[Application, Source]] = {}
    for application in applications().values():
        for source in application.sources:
            found.setdefault(source.name, (application, source))
    return dict(sorted(found.items()))


def source_named(name: str) -> Source:
    """Return one registered data set.

    Raises
    ------
    ConfigurationError
        If there is none of this name.
    """
    known = registered_sources()
    if name not in known:
        what = "there is no such data set"
        raise ConfigurationError(what, where=name, wanted=", ".join(known))
    return known[name][1]


def _own() -> Iterator[Application]:
    for module in pkgutil.iter_modules(primase.apps.__path__):
        folders = [Path(path) / module.name for path in primase.apps.__path__]
        if module.ispkg and any((folder / "app.py").exists() for folder in folders):
            application: Application = importlib.import_module(f"primase.apps.{module.name}.app").APP
            yield application
