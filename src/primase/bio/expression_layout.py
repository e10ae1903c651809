"""How a table of expression lies: samples or genes in rows, which column names the samples, which are words."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, final

from primase.bio.delimited import Sample, sample_rows
from primase.bio.reading import open_binary
from primase.errors import ReadError

Orientation = Literal["auto", "samples-in-rows", "genes-in-rows"]

MISSING_WORDS: Final = ("", "NA", "N/A", "#N/A", "NaN", "nan", "na", "NAN", "null", "NULL", "None", "none", "-nan", "?")

_GENE: Final = re.compile(
    r"ENS[A-Z]*[GT]\d{6,}(\.\d+)?"  # Ensembl
    r"|[a-z]{3}-(mir|miR|let|lin|bantam|MIR|LET)-.+"  # miRBase
    r"|\d+_([a-z]_)?at|ILMN_\d+"  # probes of arrays
    r"|(?!TCGA|GSM|GSE|SRR|ERR|DRR|GTEX|SAM|SRS)[A-Z][A-Z0-9]{1,9}([-.@][A-Z0-9]{1,6})?"  # as by the HGNC
    r"|C\d+orf\d+|[A-Z][a-z][a-z0-9]{1,8}"  # human open reading frames, and genes of the mouse
    r"|(NM|NR|XM)_\d+(\.\d+)?"  # RefSeq
)
_SAMPLE: Final = re.compile(
    r"(TCGA|GTEX)-.*|(GSM|SRR|ERR|DRR|SRS|SAM[A-Z]*)\d+.*|(?i:(sample|patient|subject|donor|cell|case|control|tumou?r"
    r"|normal|rep|replicate|well|batch|s|p|id)[-_. ]?\d+.*)|[ACGT]{10,}(-\d+)?"
)
_NAMES_OF_IDS: Final = frozenset(
    {"", "id", "ids", "sample", "samples", "sample_id", "sampleid", "sample id", "name", "cell", "cell_id", "barcode"}
    | {"index", "unnamed: 0", "rowname", "row_names", "profile"}
)
_NAMES_OF_GENES: Final = frozenset(
    {"gene", "genes", "gene_id", "geneid", "gene id", "symbol", "gene_symbol", "gene symbol", "gene_name", "probe"}
    | {"probeset", "probe_id", "id_ref", "hugo_symbol", "hybridization ref", "ensembl", "ensembl_id", "entrez"}
    | {"entrez_id", "entrez_gene_id", "mirna", "mirna_id", "transcript", "transcript_id", "feature", "target_id"}
)
_DESCRIPTIONS: Final = frozenset({"description", "desc", "gene_name", "genename", "name", "na_description", "title"})
_CLEAR: Final = 0.5
_FEWEST_KNOWN: Final = 3


@final
@dataclass(frozen=True, slots=True)
class TableOptions:
    """What a user says of a table.

    Parameters
    ----------
    id_column
        The column of sample ids.
    words
        Columns that are no genes whatever is in them, such as the label and the patient.
    known_genes
        Names of genes by which the orientation can be told.
    """

    orientation: Orientation = "auto"
    id_column: str | None = None
    words: tuple[str, ...] = ()
    known_genes: Collection[str] = field(default=frozenset())


@final
@dataclass(frozen=True, slots=True)
class TableLayout:
    """How a table lies.

    Parameters
    ----------
    columns
        The names of all columns.
    names_at
        The column of the names of samples, or of genes where those stand in rows; None where rows are numbered.
    words_at
        Columns of words, which are no numbers of genes.
    numbers_at
        The columns of numbers.
    genes_in_rows
        Whether each row is a gene.
    reason
        Why that is thought, as a clause.
    header_line
        The line of the column names, counted from 1.
    """

    path: Path
    separator: str
    columns: tuple[str, ...]
    names_at: int | None
    words_at: tuple[int, ...]
    numbers_at: tuple[int, ...]
    genes_in_rows: bool
    reason: str
    header_line: int


def looks_like_genes(names: Sequence[str]) -> float:
    """Tell what share of names have the form of a gene's and not of a sample's, from 0 to 1.

    Examples
    --------
    >>> looks_like_genes(["TP53", "ENSG00000141510", "hsa-let-7a-1", "TCGA-A8-A07B", "sample_12", "GSM12"])
    0.5
    """
    if not names:
        return 0.0
    return sum(bool(_GENE.fullmatch(name)) and not _SAMPLE.fullmatch(name) for name in names) / len(names)


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number, or says that a value is missing."""
    if cell in MISSING_WORDS:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True


def lay_out(path: Path, options: TableOptions) -> TableLayout:
    """Tell how a delimited table lies, by its first rows.

    Raises
    ------
    ReadError
        If the file is empty, has no line of names, names one column twice, or lacks a column that the user names.
    """
    sample = _without_gct_size(sample_rows(path))
    header, body = [cell.lstrip("#") for cell in sample.rows[0]], sample.rows[1:]
    if not body:
        what = "no rows below the column names"
        raise ReadError(what, where=str(path), wanted="a line of names, then one row per sample or per gene")
    if len(body[0]) == len(header) + 1:
        header = ["", *header]  # as R writes the names of rows
    numbers = [cell for cell in header[1:] if is_number(cell) and cell not in MISSING_WORDS]
    if len(numbers) > len(header) / 2 and any(not cell.isdecimal() for cell in numbers):
        what = "the first line holds numbers, where the names of genes or of samples are wanted"
        raise ReadError(what, where=f"{path}, line {sample.lines[0]}", got=", ".join(header[:4]) + ", …")
    rows = [row for row in body if len(row) == len(header)]
    table = _Table(path, tuple(header), rows, options, complete=len(sample.rows) < 200)
    return replace(table.layout(), separator=sample.separator, header_line=sample.lines[0])


def lay_out_frame(
    path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]], options: TableOptions, *, total: int
) -> TableLayout:
    """Tell how a table lies whose cells were read in another way, such as Parquet."""
    return _Table(path, tuple(columns), rows, options, complete=total <= len(rows), total=total).layout()


def _without_gct_size(sample: Sample) -> Sample:
    """Leave out the line of a GCT file (GenePattern) that says how many rows and columns there are."""
    is_gct = [cell for cell in sample.comment if cell][:1] in (["1.2"], ["1.3"])
    if not is_gct or not all(cell.isdecimal() for cell in sample.rows[0] if cell):
        return sample
    return Sample(sample.path, sample.separator, sample.rows[1:], sample.lines[1:], ())


@final
@dataclass(frozen=True, slots=True)
class _Table:
    """The names of the columns and the first rows of a table."""

    path: Path
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    options: TableOptions
    complete: bool
    total: int | None = None

    def layout(self) -> TableLayout:
        words = self._words()
        self._refuse_unknown()
        genes_in_rows, reason = self._orientation(words)
        if genes_in_rows:
            names_at: int | None = 0
            words = {0} | {at for at in words if self._is_text(at)} | self._descriptions()
        else:
            names_at = self._id_column(words)
        numbers = tuple(at for at in range(len(self.columns)) if at not in words and at != names_at)
        layout = TableLayout(
            path=self.path,
            separator="",
            columns=self.columns,
            names_at=names_at,
            words_at=tuple(sorted(words - {names_at})) if names_at is not None else tuple(sorted(words)),
            numbers_at=numbers,
            genes_in_rows=genes_in_rows,
            reason=reason,
            header_line=0,
        )
        self._refuse_unusable(layout)
        return layout

    def _words(self) -> set[int]:
        said = {*self.options.words, *([self.options.id_column] if self.options.id_column else [])}
        return {at for at, name in enumerate(self.columns) if name in said or self._is_text(at)}

    def _descriptions(self) -> set[int]:
        """Find a second column that describes the genes in rows, such as their numbers at Entrez."""
        described = _NAMES_OF_GENES | _DESCRIPTIONS
        return {at for at in (1, 2) if at < len(self.columns) and self.columns[at].strip().lower() in described}

    def _is_text(self, at: int) -> bool:
        """Tell whether most cells of a column are words: a few among numbers are mistakes, and named as such."""
        cells = [row[at] for row in self.rows if row[at] not in MISSING_WORDS]
        return bool(cells) and 2 * sum(not is_number(cell) for cell in cells) >= len(cells)

    def _refuse_unknown(self) -> None:
        wanted = self.options.id_column
        if wanted is not None and wanted not in self.columns and self.options.orientation != "genes-in-rows":
            what = f"there is no column {wanted!r}"
            got = f"the columns {', '.join(self.columns[:10])}" + (", …" if len(self.columns) > 10 else "")
            raise ReadError(what, where=str(self.path), got=got, advice="Name it with --id-column.")

    def _id_column(self, words: set[int]) -> int | None:
        if self.options.id_column is not None:
            return self.columns.index(self.options.id_column)
        declared = {at for at in words if self.columns[at] in self.options.words}
        if self.columns[0].strip().lower() in _NAMES_OF_IDS:
            return 0
        return min(words - declared, default=None)

    def _orientation(self, words: set[int]) -> tuple[bool, str]:
        if self.options.orientation != "auto":
            return self.options.orientation == "genes-in-rows", "--orientation says so"
        heads = [name for at, name in enumerate(self.columns) if at not in words and at > 0]
        return self._by_names(heads) or self._by_columns(words) or self._by_shape(len(heads))

    def _by_names(self, heads: Sequence[str]) -> tuple[bool, str] | None:
        first = [row[0] for row in self.rows]
        known = [sum(name in self.options.known_genes for name in names) for names in (heads, first)]
        shares = [count / max(len(names), 1) for count, names in zip(known, (heads, first), strict=True)]
        if max(known) >= _FEWEST_KNOWN and max(shares) > 3 * min(shares):
            in_rows = shares[1] > shares[0]
            return in_rows, f"{max(known):,} names of {'rows' if in_rows else 'columns'} are well-known genes"
        if self.columns[0].strip().lower() in _NAMES_OF_GENES:
            return True, f"the first column is called {self.columns[0]!r}"
        like = looks_like_genes(heads), looks_like_genes(first)
        if abs(like[0] - like[1]) < _CLEAR:
            return None
        in_rows = like[1] > like[0]
        return in_rows, f"the names of the {'rows' if in_rows else 'columns'} look like genes"

    def _by_columns(self, words: set[int]) -> tuple[bool, str] | None:
        others = [at for at in words if at > 0]
        if others == [1] and self.columns[1].strip().lower() in _DESCRIPTIONS:
            return True, f"the second column is called {self.columns[1]!r}"
        if others:
            return False, f"there are columns of words beside the names, such as {self.columns[min(others)]!r}"
        return None

    def _by_shape(self, columns: int) -> tuple[bool, str]:
        if columns >= self._count():
            return False, f"there are more columns ({columns:,}) than rows, as there are mostly more genes than samples"
        return True, f"there are more rows than columns ({columns:,}), as there are mostly more genes than samples"

    def _count(self) -> int:
        if self.total is not None:
            return self.total
        if self.complete:
            return len(self.rows)
        return _count_lines(self.path)

    def _refuse_unusable(self, layout: TableLayout) -> None:
        if not layout.numbers_at:
            what = "there are words only, and no column of numbers"
            raise ReadError(what, where=str(self.path), got=", ".join(self.columns[:5]), wanted="a column per gene")
        special = [
            self.columns[at] for at in (*layout.words_at, *([layout.names_at] if layout.names_at is not None else []))
        ]
        repeated = [name for name in special if name and self.columns.count(name) > 1]
        if repeated and not layout.genes_in_rows:
            what = "a column name stands twice"
            raise ReadError(what, where=str(self.path), got=repr(repeated[0]), wanted="a different name per column")


def _count_lines(path: Path) -> int:
    count = 0
    with open_binary(path) as binary:
        while block := binary.read(1 << 22):
            count += block.count(b"\n")
    return count
