"""The words by which a user names input, the same for every application that has them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field

from primase.configuration import Section


class DatasetWords(Section):
    """Input that primase knows by name."""

    dataset: str | None = None
    """A registered data set; `primase data list` names them."""


class PairWords(Section):
    """Input as two FASTA files, one per answer."""

    positives: Path | None = None
    """FASTA of examples for which the answer is yes."""
    negatives: Path | None = None
    """FASTA of examples for which the answer is no."""
    validation_positives: Path | None = None
    """FASTA of positives to validate on."""
    validation_negatives: Path | None = None
    """FASTA of negatives to validate on."""
    test_positives: Path | None = None
    """FASTA of positives to test on."""
    test_negatives: Path | None = None
    """FASTA of negatives to test on."""


class TableWords(Section):
    """Input as a table: CSV, TSV or Parquet, also gzipped."""

    table: Path | None = None
    """Table with one example a row."""
    validation_table: Path | None = None
    """Table of the same columns to validate on."""
    test_table: Path | None = None
    """Table of the same columns to test on."""
    target_column: str = "target"
    """Column of what is learned."""
    id_column: str = "id"
    """Column of ids; rows are numbered where it is missing."""
    sequence_column: str = "sequence"
    """Column of sequences."""
    group_column: str | None = None
    """Column whose equal values a split keeps together."""


class SplitSection(Section):
    """How examples are divided; each application narrows the policies it knows."""

    split: str = "auto"
    """How to divide the examples."""
    validation_fraction: float = Field(default=0.1, gt=0, lt=0.5)
    """The share of examples to choose the network by."""
    test_fraction: float = Field(default=0.1, gt=0, lt=0.5)
    """The share of examples to judge the network on."""


INPUT_WORDS: Final = frozenset(
    {*DatasetWords.model_fields, *PairWords.model_fields, "table", "validation_table", "test_table"}
)
"""The settings that name input, as opposed to how it is read."""
