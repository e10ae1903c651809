"""Options of ``predict`` that ask for more than a prediction: how far to believe it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from primase.apps.contract import Application

_OPTIONS = (
    click.option(
        "--prevalence",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="Of two labels: the share of positives in INPUT that you believe in; probabilities are corrected for it.",
    ),
    click.option(
        "--flag-unlike",
        is_flag=True,
        default=None,
        help="Add unlike_training: the share of validation examples that are more like the training examples; near 1 "
        "the prediction rests on nothing seen.",
    ),
    click.option(
        "--ensemble-spread", is_flag=True, default=None, help="Add how far the networks of an ensemble disagree."
    ),
    click.option(
        "--dropout-samples",
        type=click.IntRange(min=2),
        help="Add how far so many samples of the network, with parts left out, disagree; 20 to 100 are usual.",
    ),
    click.option("--dropout-seed", type=click.IntRange(min=0), help="Decides which parts are left out.  [default: 0]"),
)


def precaution_options(application: Application) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command with them, if the application predicts a table."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        chosen: Callable[..., Any] = command
        for option in () if application.predicts_images else reversed(_OPTIONS):
            chosen = option(chosen)
        return chosen

    return decorate
