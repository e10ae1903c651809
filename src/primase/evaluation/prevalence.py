"""Probabilities where the positives are more or less frequent than among the examples that were learned from.

If only the share of positives differs, and each kind of example looks as it did, the odds of every example are changed
by one factor (Elkan, 2001, The foundations of cost-sensitive learning, theorem 2; Saerens, Latinne and Decaestecker,
2002, Neural Computation 14, equation 2.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from jaxtyping import Float, Integer

from primase.data.tasks import Task
from primase.errors import BundleError, ConfigurationError

Answers = Float[np.ndarray, "examples labels"]


@final
@dataclass(frozen=True, slots=True)
class Prevalence:
    """Corrects the probabilities of a yes-or-no question for a stated share of positives.

    Parameters
    ----------
    learned
        The share of positives among the examples that the probabilities were calibrated on.
    stated
        The share among those that will be asked about.

    Examples
    --------
    >>> Prevalence(learned=0.5, stated=0.01).corrected(np.array([[0.5, 0.5], [0.01, 0.99]])).round(3).tolist()
    [[0.99, 0.01], [0.5, 0.5]]
    """

    learned: float
    stated: float

    def __post_init__(self) -> None:
        if not (0 < self.learned < 1 and 0 < self.stated < 1):
            message = f"shares of {self.learned} and {self.stated}, which are not between 0 and 1"
            raise ValueError(message)

    @classmethod
    def fit(cls, task: Task, truth: Integer[np.ndarray, "examples"], stated: float | None) -> Self | None:
        """Count the positives that the probabilities were calibrated on; None where that cannot be told.

        Parameters
        ----------
        stated
            None for the share that is found.

        Raises
        ------
        ConfigurationError
            If a share is stated and the task has not two labels, or it is not between 0 and 1, or the examples are of
            one label.
        """
        if task.kind != "binary":
            if stated is None:
                return None
            what = "a prevalence is the share of positives, and only a question with two labels has such"
            raise ConfigurationError(what, where="prevalence", got=f"a {task.kind} task")
        learned = float((truth[truth >= 0] == 1).mean()) if (truth >= 0).any() else 0.0
        if not 0 < learned < 1:
            if stated is None:
                return None
            what = "validation holds one label only, so that no probability can be corrected for a prevalence"
            raise ConfigurationError(what, where="prevalence")
        return cls(learned, learned).at(learned if stated is None else stated)

    def at(self, stated: float) -> Self:
        """State another share.

        Raises
        ------
        ConfigurationError
            If it is not between 0 and 1.
        """
        if not 0 < stated < 1:
            what = "this is no share of positives"
            raise ConfigurationError(what, where="prevalence", got=str(stated), wanted="a number between 0 and 1")
        return type(self)(self.learned, stated)

    @property
    def changes(self) -> bool:
        """Whether the stated share is another than the learned one."""
        return self.stated != self.learned

    def corrected(self, answers: Answers) -> Answers:
        """Multiply the odds of every example by the ratio of the odds of the two shares."""
        if not self.changes:
            return answers
        factor = self.stated / (1 - self.stated) * (1 - self.learned) / self.learned
        yes = answers[:, 1] * factor
        whole = answers[:, 0] + yes
        return np.stack([answers[:, 0] / whole, yes / whole], axis=1)

    @property
    def note(self) -> str:
        """What is done, as a sentence."""
        return (
            f"Predictions are corrected for a prevalence of {self.stated:.4g}: the share of positives that was stated, "
            f"beside {self.learned:.4g} among the validation examples. The figures of this report are for the examples "
            "as they are, uncorrected. The correction holds as long as positives look like the positives here, and "
            "negatives like the negatives."
        )

    def to_state(self) -> dict[str, float]:
        """Describe both shares in JSON."""
        return {"learned": self.learned, "stated": self.stated}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Read what :meth:`to_state` wrote.

        Raises
        ------
        BundleError
            If it is something else.
        """
        try:
            return cls(float(state["learned"]), float(state["stated"]))
        except (KeyError, TypeError, ValueError) as error:
            what = "the prevalence of the bundle cannot be read"
            raise BundleError(what, where="prevalence", got=str(error)) from error
