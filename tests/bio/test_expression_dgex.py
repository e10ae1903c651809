from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from primase.bio.expression_dgex import read_dgex_array, read_gctx
from primase.bio.expression_disk import FileMatrix
from primase.errors import ReadError

SAMPLES, GENES = 7, 5
VALUES = np.random.default_rng(0).normal(8, 2, (SAMPLES, GENES)).astype(np.float32)


def gctx(path: Path) -> Path:
    """Write a small file of the layout of bgedv2_QNORM.gctx: a matrix of samples by probes, and what they are."""
    with h5py.File(path, "w") as file:
        file["0/DATA/0/matrix"] = VALUES
        file["0/META/ROW/id"] = np.array([f"20{number}_at" for number in range(GENES)], dtype="S")
        file["0/META/ROW/pr_gene_symbol"] = np.array(["TP53", "MYC", "-666", "ESR1", "MYC"], dtype="S")
        file["0/META/COL/id"] = np.array([f"GSM{number}" for number in range(SAMPLES)], dtype="S")
        file["0/META/COL/series"] = np.array(["GSE1"] * 4 + ["-666"] * 3, dtype="S")
        file["0/META/COL/year"] = np.arange(SAMPLES)
    return path


@pytest.mark.parametrize("limit_bytes", [0, 1 << 20])
def test_a_gctx_file(tmp_path: Path, limit_bytes: int) -> None:
    file = read_gctx(gctx(tmp_path / "a.gctx"), limit_bytes=limit_bytes, folder=tmp_path / "big")
    assert file.ids.tolist() == [f"GSM{number}" for number in range(SAMPLES)]
    assert file.genes == ("TP53", "MYC", "202_at", "ESR1", "MYC")
    assert file.texts["series"].tolist() == ["GSE1"] * 4 + [""] * 3
    assert isinstance(file.matrix, FileMatrix) == (limit_bytes == 0)
    np.testing.assert_array_equal(file.matrix.rows(np.array([6, 0])), VALUES[[6, 0]])
    assert read_gctx(tmp_path / "a.gctx", gene_names="id").genes[:2] == ("200_at", "201_at")


def test_what_is_no_gctx_file_is_said(tmp_path: Path) -> None:
    path = gctx(tmp_path / "a.gctx")
    with pytest.raises(ReadError, match=r"no description 'nothing'.*pr_gene_symbol"):
        read_gctx(path, gene_names="nothing")
    with h5py.File(path, "r+") as file:
        del file["0/META/COL/id"]
    with pytest.raises(ReadError, match="no /0/META/COL/id"):
        read_gctx(path)
    with pytest.raises(ReadError, match="cannot be read"):
        read_gctx(tmp_path / "absent.gctx")


def dgex(folder: Path, name: str = "bgedv2_GTEx_1000G_float64.npy") -> Path:
    """Write what bgedv2.py of D-GEX writes: genes by samples, with the lists beside it."""
    np.save(folder / name, VALUES.T.astype(np.float64))
    lists = {
        "lm": ["ENSG1\t0\t200_at", "ENSG2\t1,2\t201_at,202_at"],
        "tg": [f"ENSG{number}\t{number}\tp" for number in (3, 4, 5)],
        "sp": [f"{number}\tGSM{number}" for number in range(SAMPLES)],
    }
    for kind, lines in lists.items():
        (folder / f"bgedv2_GTEx_1000G_{kind}.txt").write_text("\n".join(lines) + "\n")
    return folder / name


@pytest.mark.parametrize("limit_bytes", [0, 1 << 20])
def test_the_arrays_of_dgex(tmp_path: Path, limit_bytes: int) -> None:
    file = read_dgex_array(dgex(tmp_path), limit_bytes=limit_bytes, folder=tmp_path / "big")
    assert file.genes == ("ENSG1", "ENSG2", "ENSG3", "ENSG4", "ENSG5")
    assert file.ids.tolist() == [f"GSM{number}" for number in range(SAMPLES)]
    np.testing.assert_array_equal(file.matrix.rows(np.arange(SAMPLES)), VALUES)
    # Another matrix of the same genes, such as that of GTEx, has no list of samples of its own.
    np.save(tmp_path / "GTEx_float64.npy", VALUES[:3].T)
    other = read_dgex_array(tmp_path / "GTEx_float64.npy")
    assert other.ids.tolist() == ["sample_1", "sample_2", "sample_3"]
    np.testing.assert_array_equal(other.matrix.rows(np.arange(3)), VALUES[:3])


def test_arrays_without_their_lists_are_refused(tmp_path: Path) -> None:
    path = dgex(tmp_path)
    np.save(path, VALUES)
    with pytest.raises(ReadError, match="a row for each gene"):
        read_dgex_array(path)
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(ReadError, match="cannot be read"):
        read_dgex_array(path)
    np.save(path, VALUES.T)
    (tmp_path / "bgedv2_GTEx_1000G_lm.txt").unlink()
    with pytest.raises(ReadError, match=r"_lm\.txt"):
        read_dgex_array(path)
