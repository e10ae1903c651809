"""The five lines of Python: the same words as on the command line, as keyword arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from primase import pipeline
from primase.apps.discovery import application_named
from primase.events import Listener, silent


def train(
    application: str,
    *,
    out: Path | str,
    config: Path | str | None = None,
    resume: bool = False,
    listener: Listener = silent,
    **settings: Any,
) -> pipeline.Run:
    """Train, calibrate, evaluate and report, as ``primase train APPLICATION`` does.

    Parameters
    ----------
    application
        Its name, such as ``"enzyme-identification"``.
    out
        The folder of the bundle to write.
    config
        A TOML file of settings, such as the ``config.toml`` of a bundle.
    resume
        Go on with an interrupted run.
    settings
        The options of the command line with underscores, such as ``positives="enzymes.fa"`` and ``epochs=5``.

    Raises
    ------
    InputError
        If the input or a setting is wrong.
    """
    chosen = application_named(application)
    file = None if config is None else Path(config)
    configuration = pipeline.configuration_of_run(chosen, settings, Path(out), file=file, resume=resume)
    return pipeline.train(chosen, configuration, Path(out), resume=resume, listener=listener)
