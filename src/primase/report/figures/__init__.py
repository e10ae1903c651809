"""Drawings for the report: arrays in, :class:`~primase.report.sections.Figure` blocks out."""

from primase.report.figures.comparison import ModelKind, Score, intervals
from primase.report.figures.confusion import confusion
from primase.report.figures.discrimination import Scores, precision_recall, roc
from primase.report.figures.distribution import histogram
from primase.report.figures.importance import contributions, effects
from primase.report.figures.reliability import reliability
from primase.report.figures.training import learning_curves

__all__ = [
    "ModelKind",
    "Score",
    "Scores",
    "confusion",
    "contributions",
    "effects",
    "histogram",
    "intervals",
    "learning_curves",
    "precision_recall",
    "reliability",
    "roc",
]
