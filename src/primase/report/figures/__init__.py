"""Drawings for the report: arrays in, :class:`~primase.report.sections.Figure` blocks out."""

from primase.report.figures.agreement import Panel, agreement
from primase.report.figures.comparison import ModelKind, Score, intervals
from primase.report.figures.confusion import confusion
from primase.report.figures.discrimination import Scores, precision_recall, roc
from primase.report.figures.distribution import histogram
from primase.report.figures.gains import gains
from primase.report.figures.importance import contributions, effects
from primase.report.figures.neighbourhood import neighbourhood
from primase.report.figures.paired import PairedScore, paired
from primase.report.figures.reliability import reliability
from primase.report.figures.scatter import scatter
from primase.report.figures.shared_neighbours import Neighbourhood, SharedNeighbour
from primase.report.figures.training import learning_curves

__all__ = [
    "ModelKind",
    "Neighbourhood",
    "PairedScore",
    "Panel",
    "Score",
    "Scores",
    "SharedNeighbour",
    "agreement",
    "confusion",
    "contributions",
    "effects",
    "gains",
    "histogram",
    "intervals",
    "learning_curves",
    "neighbourhood",
    "paired",
    "precision_recall",
    "reliability",
    "roc",
    "scatter",
]
