"""Files of motifs: the MEME format, to carry on with in other programs, and the collections of known motifs."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np

from primase.bio.motif_matrices import Frequencies, MotifMatrix
from primase.bio.reading import open_text, write_then_rename
from primase.errors import ReadError

JASPAR_CORE: Final = "CORE"
_ATTRIBUTE: Final = re.compile(r"(\w+)\s*=\s*(\S+)")
_BASES: Final = "ACGT"


def write_meme(path: Path, motifs: Sequence[MotifMatrix], *, rna: bool = False) -> None:
    """Write motifs in the MEME format, version 4, which MEME, Tomtom, FIMO and most other programs read.

    Parameters
    ----------
    path
        The file appears under this name when it is complete.
    rna
        Write U for T, and one strand.
    """
    letters = "ACGU" if rna else _BASES
    lines = ["MEME version 4", "", f"ALPHABET= {letters}", ""]
    lines += [] if rna else ["strands: + -", ""]
    lines += ["Background letter frequencies", " ".join(f"{letter} 0.25" for letter in letters), ""]
    for motif in motifs:
        lines.append(f"MOTIF {motif.title}")
        facts = f"w= {motif.width}" + (f" nsites= {motif.sites}" if motif.sites else "")
        lines.append(f"letter-probability matrix: alength= 4 {facts} E= {motif.e_value:.3g}")
        lines += [" " + " ".join(f"{share:.6f}" for share in column) for column in motif.frequencies.T]
        lines.append("")
    with write_then_rename(Path(path)) as file:
        file.write("\n".join(lines))


def read_meme(path: Path) -> list[MotifMatrix]:
    """Read motifs in the minimal MEME format, of DNA or RNA.

    Raises
    ------
    ReadError
        If the file is no such file, has no motif, or a matrix is not four numbers that sum to one per line.
    """
    with open_text(Path(path)) as file:
        lines = list(enumerate(file, start=1))
    if not any(line.startswith("MEME version") for _, line in lines):
        what = "the file is not in the MEME format"
        raise ReadError(what, where=str(path), wanted='a line "MEME version 4" and matrices of letter probabilities')
    alphabet = next((line.split("=", 1)[1].strip() for _, line in lines if line.startswith("ALPHABET=")), _BASES)
    if alphabet not in {"ACGT", "ACGU"}:
        what = "the motifs are not of nucleotides"
        raise ReadError(what, where=str(path), got=f"the alphabet {alphabet}", wanted="ACGT or ACGU")
    motifs = list(_meme_motifs(path, lines))
    if not motifs:
        what = "the file holds no motif"
        raise ReadError(what, where=str(path), wanted='lines "MOTIF name", each with a letter-probability matrix')
    return motifs


def _meme_motifs(path: Path, lines: Sequence[tuple[int, str]]) -> Iterator[MotifMatrix]:
    rest = iter(lines)
    name, alternative = "", ""
    for number, line in rest:
        words = line.split()
        if words[:1] == ["MOTIF"]:
            name, alternative = (*words[1:3], "", "")[:2]
        elif line.startswith("letter-probability matrix"):
            facts = dict(_ATTRIBUTE.findall(line))
            where = f"{path}, line {number}"
            width = _whole(facts.get("w", ""), where)
            rows = [_shares(path, *next(rest, (number, ""))) for _ in range(width)]
            sites, e_value = (_number(facts.get(fact, "0"), where) for fact in ("nsites", "E"))
            yield MotifMatrix(name, _normalised(np.array(rows).T), alternative, round(sites), e_value)


def _whole(text: str, where: str) -> int:
    if text.isdigit() and int(text) > 0:
        return int(text)
    what = "the matrix does not say how wide it is"
    raise ReadError(what, where=where, got=text or "nothing", wanted='"w= " and a number')


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        what = "a fact about the matrix is not a number"
        raise ReadError(what, where=where, got=text, wanted="a number") from None


def _shares(path: Path, number: int, line: str, *, tolerance: float = 0.01) -> list[float]:
    """Read the line of one place, whose shares may be rounded."""
    try:
        shares = [float(word) for word in line.split()]
    except ValueError:
        shares = []
    if len(shares) != 4 or min(shares) < 0 or abs(sum(shares) - 1) > tolerance:
        what = "a line of a matrix is not four shares of letters"
        raise ReadError(
            what, where=f"{path}, line {number}", got=line.strip() or "nothing", wanted="four numbers that sum to 1"
        )
    return shares


def _normalised(counts: Frequencies) -> Frequencies:
    return np.asarray(counts / counts.sum(axis=0, keepdims=True))


def read_jaspar(path: Path, *, groups: Sequence[str] = (), collection: str = JASPAR_CORE) -> list[MotifMatrix]:
    """Read the newest version of each motif of JASPAR, binding sites of transcription factors in DNA.

    Parameters
    ----------
    path
        The SQLite file of a release.
    groups
        Kinds of organisms, such as ``"vertebrates"``, ``"fungi"``, ``"plants"`` or ``"insects"``; none means all.
    collection
        ``"CORE"``, the reviewed motifs, or ``"UNVALIDATED"``.

    Raises
    ------
    ReadError
        If the file is no such database, or has no motif of these groups.
    """
    try:
        with closing(sqlite3.connect(f"file:{Path(path).absolute()}?mode=ro", uri=True)) as database:
            known = _jaspar_motifs(database, collection)
            kinds = dict(database.execute("SELECT ID, VAL FROM MATRIX_ANNOTATION WHERE TAG = 'tax_group'"))
    except sqlite3.Error as error:
        what = "the file is not a JASPAR database"
        raise ReadError(what, where=str(path), got=str(error), wanted="the SQLite file of a release") from error
    chosen = [motif for number, motif in known.items() if not groups or kinds.get(number) in groups]
    if not chosen:
        what = "JASPAR has no such motifs"
        wanted = ", ".join(sorted(set(kinds.values())))
        raise ReadError(what, where=str(path), got=", ".join(groups) or collection, wanted=wanted)
    return chosen


def _jaspar_motifs(database: sqlite3.Connection, collection: str) -> dict[int, MotifMatrix]:
    newest: dict[str, tuple[int, str, str]] = {}
    query = "SELECT ID, BASE_ID, VERSION, NAME FROM MATRIX WHERE COLLECTION = ? ORDER BY BASE_ID, VERSION"
    for number, accession, version, name in database.execute(query, (collection,)):
        newest[accession] = (number, f"{accession}.{version}", name.replace(" ", "_"))
    counts: dict[int, list[tuple[int, int, float]]] = {number: [] for number, _, _ in newest.values()}
    for number, base, place, count in database.execute("SELECT ID, row, col, val FROM MATRIX_DATA"):
        if number in counts:
            counts[number].append((_BASES.index(base), place - 1, count))
    motifs = {}
    for number, accession, name in newest.values():
        bases, places, values = (np.array(column) for column in zip(*counts[number], strict=True))
        matrix = np.zeros((4, int(places.max()) + 1))
        matrix[bases, places] = values
        sites = round(float(matrix.sum(axis=0).max()))
        motifs[number] = MotifMatrix(accession, _normalised(matrix), name, sites if sites > 1 else 0)
    return motifs


def read_attract(matrices: Path, table: Path, *, organisms: Sequence[str] = ()) -> list[MotifMatrix]:
    """Read ATtRACT, motifs in RNA that proteins bind.

    Matrices that were measured with a mutated protein are left out.

    Parameters
    ----------
    matrices
        The file of matrices, ``attract_pwm.txt``.
    table
        The file that says which protein each matrix belongs to, ``attract_metadata.txt``.
    organisms
        Such as ``"Homo_sapiens"``; none means all.

    Raises
    ------
    ReadError
        If a file is not what it should be, or there is no motif of these organisms.
    """
    proteins: dict[str, dict[str, None]] = {}
    found: set[str] = set()
    for number, organism, protein, mutated in _attract_rows(table):
        found.add(organism)
        if mutated != "yes" and (not organisms or organism in organisms):
            proteins.setdefault(number, {})[protein] = None
    motifs = [
        MotifMatrix(number, frequencies, "/".join(proteins[number]))
        for number, frequencies in _attract_matrices(matrices)
        if number in proteins
    ]
    if not motifs:
        what = "ATtRACT has no motifs of these organisms"
        raise ReadError(what, where=str(table), got=", ".join(organisms) or None, wanted=", ".join(sorted(found)))
    return motifs


def _attract_rows(path: Path) -> Iterator[tuple[str, str, str, str]]:
    wanted = ("Matrix_id", "Organism", "Gene_name", "Mutated")
    with open_text(Path(path)) as file:
        header = file.readline().rstrip("\n").split("\t")
        if not set(wanted) <= set(header):
            what = "the file is not the table of ATtRACT"
            raise ReadError(what, where=str(path), got=", ".join(header[:6]), wanted=f"the columns {', '.join(wanted)}")
        places = [header.index(name) for name in wanted]
        for line in file:
            cells = line.rstrip("\n").split("\t")
            if len(cells) == len(header):
                number, organism, protein, mutated = (cells[place].strip() for place in places)
                yield number, organism, protein, mutated


def _attract_matrices(path: Path) -> Iterator[tuple[str, Frequencies]]:
    with open_text(Path(path)) as file:
        lines = list(enumerate(file, start=1))
    starts = [place for place, (_, line) in enumerate(lines) if line.startswith(">")]
    if not starts:
        what = "the file is not the matrices of ATtRACT"
        raise ReadError(what, where=str(path), wanted='lines ">" with a name, each followed by a matrix')
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        rows = [
            _shares(path, *lines[place], tolerance=0.05) for place in range(start + 1, stop) if lines[place][1].strip()
        ]
        if rows:
            yield lines[start][1][1:].split()[0], _normalised(np.array(rows).T)
