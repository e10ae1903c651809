"""What stands beside the answers of a model: sets of labels, how familiar an input is, a stated prevalence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, final

from primase.data.encoding import EncoderState
from primase.evaluation.prediction_sets import PredictionSets
from primase.evaluation.prevalence import Prevalence
from primase.predictor.familiarity import Familiarity


@final
@dataclass(frozen=True, slots=True, eq=False)
class Safeguards:
    """What a model knows of when not to be believed; each may be missing.

    Parameters
    ----------
    sets
        Of labels that hold the true one with a stated coverage, where that was asked for.
    familiarity
        How far an input is from the training examples, where the network has a last dense layer.
    prevalence
        Of a question with two labels: the share of positives that it was calibrated on, and the one that was stated.
    """

    sets: PredictionSets | None = None
    familiarity: Familiarity | None = None
    prevalence: Prevalence | None = None

    def to_state(self) -> EncoderState:
        """Describe all of them."""
        facts, arrays = {}, {}
        if self.sets is not None:
            facts["prediction_sets"] = self.sets.to_state()
        if self.familiarity is not None:
            state = self.familiarity.to_state()
            facts["familiarity"], arrays = state.facts, state.arrays
        if self.prevalence is not None:
            facts["prevalence"] = self.prevalence.to_state()
        return EncoderState(facts, arrays)

    @classmethod
    def from_state(cls, state: EncoderState) -> Self:
        """Read what :meth:`to_state` wrote; a bundle of an earlier version has nothing.

        Raises
        ------
        BundleError
            If it is something else.
        """
        facts = state.facts
        known = facts.get("familiarity")
        return cls(
            sets=PredictionSets.from_state(facts["prediction_sets"]) if "prediction_sets" in facts else None,
            familiarity=None if known is None else Familiarity.from_state(EncoderState(known, state.arrays)),
            prevalence=Prevalence.from_state(facts["prevalence"]) if "prevalence" in facts else None,
        )
