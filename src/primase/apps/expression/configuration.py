"""The settings that the applications on gene expression share: where profiles come from, how they are divided."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from primase.apps.contract import Configuration
from primase.data.words import DatasetWords, ExpressionWords, SplitSection, refuse_ambiguous_input


class ExpressionData(DatasetWords, ExpressionWords):
    """Where the expression profiles come from, and how they are read."""

    layer: str | None = None
    """Layer of the AnnData file to read instead of X."""
    gene_names: str | None = None
    """Column of var in the AnnData file with the names of genes, by default its index; or the description of rows in a
    GCTX file, by default its gene symbols, where it has any, else its ids."""
    orientation: Literal["auto", "samples-in-rows", "genes-in-rows"] = "auto"
    """How a table lies; auto tells by the names, and says so."""
    scale: Literal["auto", "raw", "log"] = "auto"
    """Whether values are raw (counts, reads per million), of which log2(x + 1) is taken, or are logarithms or otherwise
    scaled already; auto guesses by the values, and says so."""
    missing: Literal["refuse", "mean"] = "refuse"
    """What to do with missing values: refuse them, or fill them with the gene's mean of train (a missing target does
    not count)."""

    missing_genes: Literal["refuse", "mean"] = "refuse"
    """What to do where a new file lacks genes that the model reads: refuse it, or take their means of train."""
    minimum_expressed: float = Field(default=0.0, ge=0, le=1)
    """The least share of training samples in which a gene that is learned (a target, a chosen landmark, a gene of an
    embedding) is above zero; 0 keeps all."""

    @model_validator(mode="after")
    def _one_input(self) -> ExpressionData:
        refuse_ambiguous_input(self, ("dataset", "h5ad", "table"))
        message = None
        if self.h5ad is None and self.dataset is None:
            stray = [word for word in ("validation_h5ad", "test_h5ad") if getattr(self, word) is not None]
            message = f"--{stray[0].replace('_', '-')} needs --h5ad beside it" if stray else None
        if self.table is None and self.dataset is None:
            stray = [word for word in ("validation_table", "test_table") if getattr(self, word) is not None]
            message = f"--{stray[0].replace('_', '-')} needs --table beside it" if stray else message
        if message is not None:
            raise ValueError(message)
        return self


class ExpressionSplit(SplitSection):
    """How samples are divided."""

    split: Literal["auto", "given", "group", "random"] = "auto"
    """Take the parts as given, keep together what --group-column says (a patient, a batch), or draw at random; auto:
    given, else group where there is a group column, else random."""


class ExpressionConfiguration(Configuration):
    """The sections that both applications have."""

    data: ExpressionData = ExpressionData()
    split: ExpressionSplit = ExpressionSplit()
