"""The five lines of Python: the same words as on the command line, as keyword arguments."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from primase import pipeline
from primase.apps.discovery import application_named
from primase.events import Listener, silent
from primase.remaking import calibrating, extending


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


def extend(path: Path | str, *, out: Path | str, listener: Listener = silent, **settings: Any) -> pipeline.Run:
    """Teach a trained model new data or new labels, and tell what it forgets, as ``primase extend DIR`` does.

    Parameters
    ----------
    path
        The bundle of the model.
    out
        The folder of the new bundle to write.
    settings
        The options of the command line with underscores, such as ``method="icarl"``, ``table="new.csv"`` and
        ``epochs=5``.

    Raises
    ------
    InputError
        If the model cannot be extended, or the input or a setting is wrong.
    """
    own = {field.name for field in fields(extending.Extension)}
    extension = extending.Extension(**{name: value for name, value in settings.items() if name in own})
    left = {name: value for name, value in settings.items() if name not in own}
    return extending.extend(path, out, extension=extension, listener=listener, **left)


def calibrate(
    path: Path | str,
    *,
    out: Path | str,
    method: str | None = None,
    seed: int = 0,
    listener: Listener = silent,
    **settings: Any,
) -> calibrating.Calibrated:
    """Calibrate a trained model on new labelled examples, as ``primase calibrate DIR INPUTS`` does.

    Parameters
    ----------
    path
        The bundle of the model; it stays as it is.
    out
        The folder of the bundle to write, with the new calibration.
    method
        Such as ``"isotonic"``; by default the one with the least log loss on examples that it was not fitted to.
    seed
        Deals the examples into the folds by which the methods are compared.
    settings
        The examples, by the words of training, such as ``positives="new.fa"``.

    Raises
    ------
    InputError
        If the examples are too few or of one label, or a setting is wrong.
    """
    return calibrating.calibrate(path, out, method=method, seed=seed, listener=listener, **settings)
