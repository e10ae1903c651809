"""What the report says of a model that learned step by step: what it forgot, and what it carried over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from primase.remedies.continual.measures import Matrix, Transfer, transfer
from primase.remedies.continual.memory import Step, step_names
from primase.report.figures.heatmap import MOST_COLUMNS, heatmap
from primase.report.sections import Block, Callout, Paragraph, Section, Table

_METRICS: Final = {"accuracy": "accuracy", "macro_auroc": "mean AUROC", "macro_r2": "mean R²"}

_METHODS: Final = {
    "train": "the first training",
    "ewc": "elastic weight consolidation: weights that matter for what was known are held (Kirkpatrick et al., 2017)",
    "icarl": "iCaRL: a few exemplars of what was known beside the new examples, and the old answers distilled (Rebuffi "
    "et al., 2017)",
    "dual-memory": "CLS-ER: a working network and two slow averages of it, which rehearse exemplars (Arani et al., "
    "2022)",
    "naive": "the new examples alone, with nothing against forgetting",
    "joint": "training anew from all examples, old and new",
}


@final
@dataclass(frozen=True, slots=True)
class Rival:
    """The floor or the ceiling: its figures on every step, among all labels and among those of each step."""

    name: str
    figures: tuple[float | None, ...]
    own_figures: tuple[float | None, ...]


@final
@dataclass(frozen=True, slots=True)
class Forgetting:
    """What there is to say of it.

    Parameters
    ----------
    metric
        Of the figures.
    with_old
        Whether the old data could be read, so that the test of this report is one of old and new data.
    """

    steps: tuple[Step, ...]
    metric: str
    rivals: tuple[Rival, ...]
    with_old: bool

    @property
    def transfer(self) -> Transfer:
        """What was forgotten and carried over, with all labels to choose from."""
        return transfer(self.matrix, np.array([_number(step.chance) for step in self.steps]))

    @property
    def own_transfer(self) -> Transfer:
        """The same with the labels of each step alone to choose from."""
        return transfer(self.own_matrix)

    @property
    def matrix(self) -> Matrix:
        """The figure on each step after each step, among all labels."""
        matrix = _matrix([step.figures for step in self.steps])
        for place, step in enumerate(self.steps[1:], start=1):
            matrix[place - 1, place] = _number(step.before)
        return matrix

    @property
    def own_matrix(self) -> Matrix:
        """The same among the labels of each step."""
        return _matrix([step.own_figures for step in self.steps])

    @property
    def has_new_labels(self) -> bool:
        """Whether the steps differ in their labels, so that it matters which ones there are to choose from."""
        return self.metric == "accuracy" and len({step.labels for step in self.steps}) > 1


def forgetting_section(told: Forgetting, kept: Mapping[str, int]) -> Section:
    """Show the figures of every step after every step, in words, numbers and shades.

    Parameters
    ----------
    kept
        How many exemplars and test examples the bundle keeps.
    """
    metric = _METRICS[told.metric]
    names = step_names(told.steps)
    last = told.steps[-1]
    blocks: list[Block] = [
        Paragraph(f"The model learned {last.name} in step {len(names)}, by {_METHODS.get(last.method, last.method)}."),
        _verdict(told, metric),
    ]
    if len(names) <= MOST_COLUMNS:
        title = f"The {metric} on the test of each step (column) after each step (row)."
        rows = [f"after {name}" for name in names]
        blocks.append(heatmap(_below(told.matrix), rows, names, title=title, quantity=metric))
    blocks.append(_table(told, names, metric, own=False))
    if told.has_new_labels:
        blocks.append(_table(told, names, metric, own=True))
    if told.rivals:
        blocks.append(_beside(told, names, metric))
    blocks.append(_measures(told))
    blocks.append(Paragraph(_fine_print(told, kept)))
    return Section("What did it forget?", blocks)


def _verdict(told: Forgetting, metric: str) -> Block:
    forgotten = told.transfer.forgetting
    if forgotten is None:
        return Paragraph("What was forgotten could not be measured.")
    points = f"{abs(forgotten) * 100:.1f} points of {metric}"
    if round(forgotten, 3) == 0:
        return Callout("good", "It forgot nothing", "On earlier steps it is on average as good as it ever was.")
    if forgotten > 0.05:
        return Callout("warning", "It forgot", f"On earlier steps it lost {points} on average from its best.")
    if forgotten > 0:
        return Callout("good", "It forgot little", f"On earlier steps it lost {points} on average from its best.")
    return Callout("good", "It forgot nothing", f"On earlier steps it is {points} on average above its best.")


def _table(told: Forgetting, names: Sequence[str], metric: str, *, own: bool) -> Table:
    matrix = told.own_matrix if own else told.matrix
    rows = [[f"after {name}", *_cells(row)] for name, row in zip(names, matrix, strict=True)]
    among = "the labels of each step alone to choose from" if own else "all labels known by then to choose from"
    if not told.has_new_labels:
        return Table(["", *names], rows, f"The {metric} on the test of each step, after each step.")
    note = "Choosing among the labels of a step is easier: it is told which step an example belongs to." if own else ""
    return Table(["", *names], rows, f"The {metric} on the test of each step, with {among}.", note=note)


def _beside(told: Forgetting, names: Sequence[str], metric: str) -> Table:
    last = told.steps[-1]
    rows = [[last.method, *_cells(last.figures), _mean(last.figures)]]
    rows += [[rival.name, *_cells(rival.figures), _mean(rival.figures)] for rival in told.rivals]
    caption = f"The {metric} on every step after the last one, beside the floor (naive) and the ceiling (joint)."
    note = "Both begin where this step began: the floor learns the new examples alone, the ceiling anew from all."
    return Table(["method", *names, "mean"], rows, caption, note=note, highlighted=[0])


def _measures(told: Forgetting) -> Table:
    columns = ["", "all labels", *(["labels of the step"] if told.has_new_labels else [])]
    both = [told.transfer.to_state(), told.own_transfer.to_state()][: len(columns) - 1]
    words = {
        "average": "mean over all steps, after the last",
        "forgetting": "average forgetting",
        "backward": "backward transfer",
        "forward": "forward transfer",
    }
    rows = [[text, *(state[name] for state in both)] for name, text in words.items()]
    note = (
        "Forgetting: how far earlier steps are below their best (Chaudhry et al., 2018). Backward transfer: how far "
        "they are above what they were when they were learned; forward transfer: how far a step is above guessing "
        "before it is learned, where all of its labels were known (Lopez-Paz and Ranzato, 2017)."
    )
    return Table(columns, rows, "What was forgotten and carried over.", note=note)


def _fine_print(told: Forgetting, kept: Mapping[str, int]) -> str:
    text = (
        f"The figures of every step are measured on the same test examples each time, of which the bundle keeps "
        f"{kept['tests']:,}, beside {kept['exemplars']:,} exemplars, in memory.safetensors: as confidential as the "
        "data. The network never learns from these test examples; it may from the exemplars."
    )
    if not told.with_old:
        text += " The old data were not at hand: all other figures of this report are of the new data alone."
    return text


def _matrix(rows: Sequence[Sequence[float | None]]) -> Matrix:
    matrix = np.full((len(rows), len(rows)), np.nan)
    for place, row in enumerate(rows):
        matrix[place, : len(row)] = [_number(value) for value in row]
    return matrix


def _below(matrix: Matrix) -> Matrix:
    return np.where(np.tri(len(matrix), dtype=bool), matrix, np.nan)


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _cells(values: Sequence[float | None] | np.ndarray) -> list[float | None]:
    return [None if value is None or not np.isfinite(value) else round(float(value), 4) for value in values]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 4) if known else None
