"""Files of motifs: what is written is read again, also by another program; what is wrong is named."""

import sqlite3

import numpy as np
import pytest
from memelite.io import read_meme as read_meme_elsewhere

from primase.bio.motif_files import read_attract, read_jaspar, read_meme, write_meme
from primase.bio.motif_matrices import MotifMatrix, consensus_of, information
from primase.errors import ReadError

HEADER = "Gene_name\tGene_id\tMutated\tOrganism\tMotif\tLen\tMatrix_id\tScore\n"


@pytest.fixture
def motifs():
    generator = np.random.default_rng(0)
    return [
        MotifMatrix("motif-1", generator.dirichlet(np.ones(4), size=6).T, "ACTAAY", 40),
        MotifMatrix("motif-2", generator.dirichlet(np.ones(4), size=9).T),
    ]


@pytest.mark.parametrize("rna", [False, True])
def test_what_is_written_is_read_again(tmp_path, motifs, rna):
    path = tmp_path / "found.meme"
    write_meme(path, motifs, rna=rna)
    again = read_meme(path)
    assert [(motif.name, motif.alternative, motif.sites) for motif in again] == [
        ("motif-1", "ACTAAY", 40),
        ("motif-2", "", 0),
    ]
    for before, after in zip(motifs, again, strict=True):
        np.testing.assert_allclose(before.frequencies, after.frequencies, atol=1e-5)
    assert ("ALPHABET= ACGU" in path.read_text()) == rna
    assert [entry.name for entry in tmp_path.iterdir()] == ["found.meme"]


def test_another_program_reads_the_same(tmp_path, motifs):
    path = tmp_path / "found.meme"
    write_meme(path, motifs)
    elsewhere = read_meme_elsewhere(str(path))
    assert list(elsewhere) == ["motif-1 ACTAAY", "motif-2"]
    for before, after in zip(motifs, elsewhere.values(), strict=True):
        np.testing.assert_allclose(before.frequencies, after, atol=1e-5)


def test_files_of_other_programs_are_read(tmp_path):
    path = tmp_path / "other.meme"
    path.write_text(
        "MEME version 5.5\n\nALPHABET= ACGT\nstrands: + -\n\nMOTIF MA0004.1 Arnt\n"
        "letter-probability matrix: alength= 4 w= 2 nsites= 20 E= 1.5e-3\n0.2 0.8 0 0\n0 0 1 0\nURL somewhere\n"
    )
    (motif,) = read_meme(path)
    assert (motif.name, motif.alternative, motif.sites, motif.e_value) == ("MA0004.1", "Arnt", 20, 0.0015)
    np.testing.assert_allclose(motif.frequencies, [[0.2, 0], [0.8, 0], [0, 1], [0, 0]])


MATRIX = "MEME version 4\nMOTIF a\nletter-probability matrix: alength= 4 w= 2\n0.25 0.25 0.25 0.25\n"


@pytest.mark.parametrize(
    ("text", "what", "got"),
    [
        (">a\nACGT\n", "not in the MEME format", None),
        ("MEME version 4\n", "holds no motif", None),
        ("MEME version 4\nALPHABET= ACDEFGHIKLMNPQRSTVWY\n", "not of nucleotides", "ACDE"),
        (MATRIX + "0.5 0.5 0.5 0\n", "line 5: a line of a matrix", "0.5 0.5 0.5 0"),
        (MATRIX + "0.5 0.5 x 0\n", "line 5: a line of a matrix", "0.5 0.5 x 0"),
        (MATRIX, "a line of a matrix", "nothing"),
        (MATRIX.replace("w= 2", "w= 2 nsites= many"), "a line of a matrix", "nothing"),
        (MATRIX.replace("w= 2", "w= 1 nsites= many"), "not a number", "many"),
        (MATRIX.replace("w= 2", "").replace("alength", "a"), "how wide", "nothing"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, what, got):
    path = tmp_path / "wrong.meme"
    path.write_text(text)
    with pytest.raises(ReadError, match=what) as caught:
        read_meme(path)
    assert str(path) in str(caught.value)
    assert got is None or got in caught.value.got


@pytest.fixture
def jaspar(tmp_path):
    path = tmp_path / "jaspar.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE MATRIX (ID, COLLECTION, BASE_ID, VERSION, NAME)")
        database.execute("CREATE TABLE MATRIX_DATA (ID, row, col, val)")
        database.execute("CREATE TABLE MATRIX_ANNOTATION (ID, TAG, VAL)")
        matrices = [
            (1, "CORE", "MA0001", 1, "OLD"),
            (2, "CORE", "MA0001", 2, "NEW ONE"),
            (3, "CORE", "MA0002", 1, "FUN"),
            (4, "UNVALIDATED", "UN0001", 1, "MAYBE"),
        ]
        database.executemany("INSERT INTO MATRIX VALUES (?, ?, ?, ?, ?)", matrices)
        for number in range(1, 5):
            kind = "fungi" if number == 3 else "vertebrates"
            database.execute("INSERT INTO MATRIX_ANNOTATION VALUES (?, 'tax_group', ?)", (number, kind))
            counts = [
                (number, base, place, 7 + number if base == "ACGT"[place] else 1) for base in "ACGT" for place in (1, 2)
            ]
            database.executemany("INSERT INTO MATRIX_DATA VALUES (?, ?, ?, ?)", counts)
    database.close()
    return path


def test_the_newest_versions_of_jaspar_are_read(jaspar):
    first, second = read_jaspar(jaspar)
    assert (first.name, first.alternative, first.sites, second.name) == ("MA0001.2", "NEW_ONE", 12, "MA0002.1")
    np.testing.assert_allclose(first.frequencies[:, 0], np.array([1, 9, 1, 1]) / 12)
    assert first.consensus() == "CG"
    assert [motif.alternative for motif in read_jaspar(jaspar, groups=["fungi"])] == ["FUN"]
    assert [motif.alternative for motif in read_jaspar(jaspar, collection="UNVALIDATED")] == ["MAYBE"]


def test_what_is_no_jaspar_is_said(jaspar, tmp_path):
    with pytest.raises(ReadError, match="no such motifs") as caught:
        read_jaspar(jaspar, groups=["fish"])
    assert caught.value.wanted == "fungi, vertebrates"
    (tmp_path / "text").write_text("text" * 999)
    for name in ("text", "missing"):
        with pytest.raises(ReadError, match="not a JASPAR database"):
            read_jaspar(tmp_path / name)


@pytest.fixture
def attract(tmp_path):
    matrices, table = tmp_path / "pwm.txt", tmp_path / "table.txt"
    matrices.write_text(
        ">10\t2\n0.97\t0.01\t0.01\t0.01\n0.01\t0.01\t0.01\t0.99\n>s2\t1\n0.1\t0.2\t0.3\t0.4\n>11\t1\n1\t0\t0\t0\n"
    )
    rows = [
        ("QKI", "x", "no", "Homo_sapiens", "AU", "2", "10", "1**"),
        ("SF1", "x", "no", "Homo_sapiens", "AU", "2", "10", "1**"),
        ("PUM2", "x", "no", "Mus_musculus", "U", "1", "s2", "1**"),
        ("BAD", "x", "yes", "Homo_sapiens", "A", "1", "11", "1**"),
    ]
    table.write_text(HEADER + "".join("\t".join(row) + "\n" for row in rows))
    return matrices, table


def test_attract_is_read_with_the_names_of_its_proteins(attract):
    first, second = read_attract(*attract)
    assert (first.name, first.alternative, second.alternative) == ("10", "QKI/SF1", "PUM2")
    assert first.consensus(rna=True) == "AU"
    np.testing.assert_allclose(first.frequencies.sum(axis=0), 1)
    assert [motif.name for motif in read_attract(*attract, organisms=["Mus_musculus"])] == ["s2"]


def test_what_is_no_attract_is_said(attract, tmp_path):
    matrices, table = attract
    with pytest.raises(ReadError, match="no motifs of these organisms") as caught:
        read_attract(matrices, table, organisms=["Fish"])
    assert caught.value.wanted == "Homo_sapiens, Mus_musculus"
    with pytest.raises(ReadError, match="not the table of ATtRACT"):
        read_attract(matrices, matrices)
    with pytest.raises(ReadError, match="not the matrices of ATtRACT"):
        read_attract(table, table)
    matrices.write_text(">10\t1\n0.1\t0.2\tx\n")
    with pytest.raises(ReadError, match="line 2"):
        read_attract(matrices, table)


def test_consensus_and_other_strand():
    matrix = np.array([[1, 0, 0.4, 0.25, 0], [0, 0.5, 0, 0.25, 0.9], [0, 0, 0.3, 0.25, 0.1], [0, 0.5, 0.3, 0.25, 0]])
    assert consensus_of(matrix) == "AYDNC"
    assert consensus_of(np.array([[0.6], [0.35], [0.05], [0]])) == "M"
    assert MotifMatrix("x", matrix).other_strand.consensus() == "GNHRT"


def test_information_is_two_bits_less_the_entropy():
    assert information(np.array([[1.0, 0.5, 0.25], [0, 0.5, 0.25], [0, 0, 0.25], [0, 0, 0.25]])) == pytest.approx(
        [2, 1, 0]
    )
    corrected = information(np.array([[1.0], [0], [0], [0]]), sites=20)
    assert corrected == pytest.approx([2 - 3 / (2 * np.log(2) * 20)])
