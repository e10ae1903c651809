"""What is asked of a trained model: only what it was trained for, and in the way that the user says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from primase.apps.images.pictures import Pictures
from primase.apps.super_resolution.configuration import SuperResolutionConfiguration
from primase.apps.super_resolution.encoding import PictureEncoder
from primase.apps.super_resolution.judging import restorer
from primase.apps.super_resolution.restoring import Restorer
from primase.data.examples import Examples
from primase.data.splits import Groups
from primase.errors import ConfigurationError
from primase.predictor.predictor import Predictor

ASKED: Final = "restored as asked"
"""With this name the settings of a verb travel beside the images; one cell per image."""

UNITS: Final = "kept together by the split"
"""With this name the units of the split travel beside the images, so that every interval is drawn over the same."""


def refuse_what_it_cannot(own: PictureEncoder, configuration: SuperResolutionConfiguration) -> None:
    """Refuse what a model was not trained for.

    Raises
    ------
    ConfigurationError
        If images are to be of another scale, blur or noise, or of a generator that there is not.
    """
    data = configuration.data
    for name in ("scale", "blur_sigma", "noise_sigma"):
        wanted, known = getattr(data, name), getattr(own, name)
        if wanted != known:
            flag = "--" + name.replace("_", "-")
            what = "this model was trained for images that were made small in another way"
            advice = f"Leave {flag} out, or train a model with it."
            raise ConfigurationError(what, where=flag, got=f"{wanted:g}", wanted=f"{known:g}", advice=advice)
    if data.adversarial and not own.adversarial:
        what = "this model was trained without an adversarial phase"
        advice = "Train one with --adversarial-epochs above 0, or leave --adversarial out."
        raise ConfigurationError(what, where="--adversarial", advice=advice)


def restorer_as_asked(predictor: Predictor[Pictures], configuration: SuperResolutionConfiguration) -> Restorer:
    """Take from a trained model what restores images in the way that the user says."""
    data = configuration.data
    chosen = restorer(predictor, adversarial=data.adversarial)
    return replace(chosen, self_ensemble=data.self_ensemble, tile=data.tile)


def judged_as_asked(own: PictureEncoder, configuration: SuperResolutionConfiguration) -> PictureEncoder:
    """Measure the perceptual distance with the network and the weights that the user names now."""
    network = configuration.network
    file = str(network.distance_features or "")
    if network.distance_network != own.distance_network and file == own.distance_features:
        file = ""  # That of the other network, from training.
    return replace(own, distance_network=network.distance_network, distance_features=file)


def with_settings(examples: Examples[Pictures], configuration: SuperResolutionConfiguration) -> Examples[Pictures]:
    """Let the settings of a verb travel with the images."""
    column = np.empty(len(examples), dtype=object)
    column[:] = [configuration] * len(examples)
    return _with_column(examples, ASKED, column)


def settings_of(examples: Examples[Pictures]) -> SuperResolutionConfiguration | None:
    """Return the settings that travel with images; None where there are none, as in training."""
    column = examples.covariates.get(ASKED)
    return column[0] if column is not None and len(column) else None


def with_units(examples: Examples[Pictures], units: Groups) -> Examples[Pictures]:
    """Let the units of the split travel with the images."""
    return _with_column(examples, UNITS, units)


def units_of(examples: Examples[Pictures]) -> Groups | None:
    """Return the units that travel with images."""
    return examples.covariates.get(UNITS)


def _with_column(examples: Examples[Pictures], name: str, column: np.ndarray[Any, np.dtype[Any]]) -> Examples[Pictures]:
    return replace(examples, covariates={**examples.covariates, name: column})
