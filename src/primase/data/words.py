"""The words by which a user names input, the same for every application that has them."""

from __future__ import annotations

from collections.abc import Sequence
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


class TargetWord(Section):
    """What is learned, where it is one column."""

    target_column: str = "target"
    """Column of what is learned."""


class HeaderWords(Section):
    """Input as FASTA files whose headers tell the answer."""

    fasta: Path | None = None
    """FASTA whose headers tell the answer of each record, such as `>name label=1`."""
    validation_fasta: Path | None = None
    """FASTA of the same kind to validate on."""
    test_fasta: Path | None = None
    """FASTA of the same kind to test on."""


class TableWords(Section):
    """Input as a table: CSV, TSV or Parquet, also gzipped."""

    table: Path | None = None
    """Table with one example a row."""
    validation_table: Path | None = None
    """Table of the same columns to validate on."""
    test_table: Path | None = None
    """Table of the same columns to test on."""
    id_column: str = "id"
    """Column of ids; rows are numbered where it is missing."""
    sequence_column: str = "sequence"
    """Column of sequences."""
    group_column: str | None = None
    """Column whose equal values a split keeps together."""


class GraphWords(Section):
    """Input as a graph: pairs of proteins that interact, one a line."""

    edges: Path | None = None
    """Pairs that interact: CSV, TSV or spaces, STRING links, BioGRID tab3 or GraphML, also gzipped."""
    nonedges: Path | None = None
    """Pairs that do not interact, to learn from; drawn where missing."""
    validation_edges: Path | None = None
    """Pairs that interact, to validate on."""
    validation_nonedges: Path | None = None
    """Pairs that do not interact, to validate on; drawn where missing."""
    test_edges: Path | None = None
    """Pairs that interact, to test on."""
    test_nonedges: Path | None = None
    """Pairs that do not interact, to test on; drawn where missing."""


class ExpressionWords(Section):
    """Input as a matrix of samples by genes: AnnData, or a table in either orientation."""

    h5ad: Path | None = None
    """AnnData file (.h5ad) with a sample per row of obs and a gene per row of var."""
    validation_h5ad: Path | None = None
    """AnnData file of the same genes to validate on."""
    test_h5ad: Path | None = None
    """AnnData file of the same genes to test on."""
    table: Path | None = None
    """CSV, TSV or Parquet, also gzipped, with samples in rows or genes in rows."""
    validation_table: Path | None = None
    """Table of the same genes to validate on."""
    test_table: Path | None = None
    """Table of the same genes to test on."""
    samples: Path | None = None
    """Table of what is known of each sample, one a row, its id in the first column."""
    id_column: str | None = None
    """Column of sample ids; by default the index of the AnnData file, or the first column of the table."""
    group_column: str | None = None
    """Column whose equal values a split keeps together, such as the patient."""
    label_column: tuple[str, ...] = ()
    """Columns that are never learned from; they evaluate and colour, such as the type of tumour."""


class ImageWords(Section):
    """Input as images: a folder, an archive of arrays, or a table that names the files."""

    images: Path | None = None
    """Folder of images, most often with a folder per class, also below train, val and test; or a MedMNIST .npz file."""
    validation_images: Path | None = None
    """Images of the same kind to validate on."""
    test_images: Path | None = None
    """Images of the same kind to test on."""
    table: Path | None = None
    """CSV, TSV or Parquet with an image a row: its file, and what is known of it; also beside --images."""
    validation_table: Path | None = None
    """Table of the same columns to validate on."""
    test_table: Path | None = None
    """Table of the same columns to test on."""
    group_column: str | None = None
    """Column whose equal values a split keeps together, such as the patient."""


def refuse_ambiguous_input(words: Section, names: Sequence[str]) -> None:
    """Refuse several inputs at once, one of a pair without the other, and parts of what has none.

    Parameters
    ----------
    names
        The words that name input of the training part, such as ``"table"``.

    Raises
    ------
    ValueError
        Which pydantic turns into a message of the configuration.
    """
    named = [word for word in names if getattr(words, word) is not None]
    if len(named) > 1:
        message = f"give one input, not several at once: --{' and --'.join(named)}"
        raise ValueError(message)
    known = type(words).model_fields
    apart = [name for name in sorted(INPUT_WORDS & known.keys()) if name.startswith(("test_", "validation_"))]
    given_apart = [name for name in apart if getattr(words, name) is not None]
    if getattr(words, "dataset", None) is not None and given_apart:
        message = f"a registered data set has no other parts: leave {_flag(given_apart[0])} out"
        raise ValueError(message)
    # A matrix of expression has columns beside it whatever its form.
    is_table = isinstance(words, ExpressionWords) or getattr(words, "table", None) is not None
    if getattr(words, "group_column", None) is not None and not is_table:
        message = "--group-column names a column of --table, which is not given"
        raise ValueError(message)
    if getattr(words, "edges", None) is None:
        for name in GraphWords.model_fields:
            if getattr(words, name, None) is not None:
                message = f"{_flag(name)} needs --edges beside it"
                raise ValueError(message)
    for part in ("", "test_", "validation_"):
        pair = [f"{part}{word}" for word in ("positives", "negatives")]
        given = [name for name in pair if getattr(words, name, None) is not None]
        if len(given) == 1:
            (absent,) = set(pair) - set(given)
            message = f"{_flag(given[0])} needs {_flag(absent)} beside it"
            raise ValueError(message)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


class SplitSection(Section):
    """How examples are divided; each application narrows the policies it knows."""

    split: str = "auto"
    """How to divide the examples."""
    validation_fraction: float = Field(default=0.1, gt=0, lt=0.5)
    """The share of examples to choose the network by."""
    test_fraction: float = Field(default=0.1, gt=0, lt=0.5)
    """The share of examples to judge the network on."""


INPUT_WORDS: Final = frozenset(
    {
        *DatasetWords.model_fields,
        *PairWords.model_fields,
        *HeaderWords.model_fields,
        *GraphWords.model_fields,
        *(f"{part}{word}" for part in ("", "validation_", "test_") for word in ("table", "h5ad", "images")),
        "samples",
    }
)
"""The settings that name input, as opposed to how it is read."""

BESIDE_WORDS: Final = frozenset({"samples"})
"""Those of them that describe the input, and so stand beside one that a trained model is asked about, too."""
