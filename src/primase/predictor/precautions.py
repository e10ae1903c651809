"""What may be asked beside a prediction: how far networks disagree, how familiar the input is, for which prevalence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self, final

import numpy as np
import polars as pl
from jaxtyping import Float

from primase.data.examples import InputsT
from primase.errors import ConfigurationError
from primase.predictor.predictor import Predictor
from primase.predictor.spread import dropout_spread, ensemble_spread

Answers = Float[np.ndarray, "examples outputs"]

UNLIKE = "unlike_training"


@final
@dataclass(frozen=True, slots=True)
class Precautions:
    """What is asked beside the predictions.

    Parameters
    ----------
    prevalence
        The share of positives, between 0 and 1, that the probabilities are to be for; None for what the model says.
    flag_unlike
        Whether to say how unlike the training examples each input is.
    ensemble_spread
        Whether to say how far the networks of an ensemble disagree.
    dropout_samples
        How often to ask the network with parts of it left out; 0 for not at all.
    dropout_seed
        Decides what is left out.
    """

    prevalence: float | None = None
    flag_unlike: bool = False
    ensemble_spread: bool = False
    dropout_samples: int = 0
    dropout_seed: int = 0

    def __post_init__(self) -> None:
        """Check what excludes each other.

        Raises
        ------
        ConfigurationError
            If two kinds of spread are asked for, which would have one name; or a seed decides nothing.
        """
        if self.dropout_seed and not self.dropout_samples:
            what = "a seed for dropout decides nothing without samples of it"
            advice = "Add --dropout-samples, such as 20, or leave it out."
            raise ConfigurationError(what, where="dropout_seed", got=str(self.dropout_seed), advice=advice)
        if self.ensemble_spread and self.dropout_samples:
            what = "the spread is over the members of an ensemble, or over samples of dropout in all of them"
            raise ConfigurationError(what, where="ensemble_spread, dropout_samples", wanted="one of the two")

    @classmethod
    def among(cls, settings: Mapping[str, Any]) -> tuple[Self, dict[str, Any]]:
        """Take what is asked beside the predictions from among other settings; return both."""
        own = {one.name for one in fields(cls)}
        asked = {name: value for name, value in settings.items() if name in own}
        return cls(**asked), {name: value for name, value in settings.items() if name not in own}

    def taken_by(self, predictor: Predictor[InputsT]) -> Predictor[InputsT]:
        """Put the stated prevalence into a model, and refuse what it cannot answer.

        Raises
        ------
        ConfigurationError
            If it has no prevalence, or does not know its training examples.
        """
        kept = predictor.safeguards
        if self.flag_unlike and kept.familiarity is None:
            what = "this model keeps nothing of its training examples to compare an input with"
            advice = "It has no last dense layer, or was trained by an earlier version of primase."
            raise ConfigurationError(what, where="flag_unlike", advice=advice)
        if self.prevalence is None:
            return predictor
        if kept.prevalence is None:
            what = "a prevalence is the share of positives, and this model knows none"
            raise ConfigurationError(what, where="prevalence", got=f"a {predictor.task.kind} task")
        return replace(predictor, safeguards=replace(kept, prevalence=kept.prevalence.at(self.prevalence)))

    def tables(self, predictor: Predictor[InputsT], inputs: InputsT, calibrated: Answers) -> list[pl.DataFrame]:
        """Lay out the predictions and what was asked beside them.

        Parameters
        ----------
        predictor
            Of :meth:`taken_by`.
        calibrated
            What it says of the inputs, before any correction for a prevalence.
        """
        kept = predictor.safeguards
        found = [predictor.columns(predictor.corrected(calibrated))]
        if kept.sets is not None:
            found.append(kept.sets.column(predictor.task, calibrated).to_frame())
        if self.ensemble_spread:
            found.append(ensemble_spread(predictor, inputs).columns())
        if self.dropout_samples:
            spread = dropout_spread(predictor, inputs, samples=self.dropout_samples, seed=self.dropout_seed)
            found.append(spread.columns())
        if self.flag_unlike and kept.familiarity is not None:
            distances = kept.familiarity.distances(predictor.members[0], predictor.encoder.encode(inputs))
            found.append(pl.DataFrame({UNLIKE: kept.familiarity.ranks(distances)}))
        return found
