"""The registered data sets of expression, as files that are read as a user's own would be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Shaped

from primase.apps.expression.configuration import ExpressionData
from primase.apps.expression.simulator import simulate
from primase.apps.expression.sources import BREAST_CANCER, TCGA_BRCA, TCGA_MIRNA, TCGA_TYBALT
from primase.bio.reading import open_text
from primase.data.derived import SIMULATED, digest, simulated_folder, write_once
from primase.data.fetch import cache_folder, fetch
from primase.data.sources import SourceFile
from primase.data.unpickling_frames import load_frame
from primase.events import Listener, Notice

SIMULATED_SAMPLES: Final = 2000
OESTROGEN_RECEPTOR: Final = "oestrogen_receptor"
STUDY: Final = "study"

Dataset = Callable[[Listener], Mapping[str, Any]]
"""Brings a data set, and names the input words under which its files are read."""

LAYOUT: Final = 1
"""Raised whenever other files are written for the same data."""

_GENE: Final = "num_HS_"
_STATUS: Final = {"gse1992": "fac_er_positive", "gse4335": "fac_er_status", "gse3143": "num_erlev"}
_BARCODE: Final = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}-\d\d.*")


def breast_cancer(listener: Listener) -> Mapping[str, Any]:
    """Write the three studies as one table, once."""
    fetched = fetch(BREAST_CANCER, listener=listener)
    rules = digest(repr([LAYOUT, *(file.sha256 for file in BREAST_CANCER.files)]).encode())
    folder = cache_folder() / "expression" / f"{BREAST_CANCER.name}-{rules}"
    if not folder.is_dir():
        studies = {_study(file): fetched[file.name] for file in BREAST_CANCER.files}
        write_once(folder, lambda staged: write_studies(staged / "expression.tsv", studies))
    return {"table": folder / "expression.tsv"}


def _study(file: SourceFile) -> str:
    return file.name.removesuffix(".pickle")


def write_studies(path: Path, studies: Mapping[str, Path]) -> None:
    """Write the genes that all studies share, with the study and the oestrogen-receptor status of each tumour.

    Parameters
    ----------
    studies
        The pickled table of each study, by its name in lower case.

    Raises
    ------
    ReadError
        If a file is no pickled table.
    """
    tables = {study: load_frame(file) for study, file in studies.items()}
    shared = set.intersection(*({name for name in table if name.startswith(_GENE)} for table in tables.values()))
    genes = sorted(shared)
    with path.open("w", encoding="utf-8", newline="\n") as text:
        header = ["id", STUDY, OESTROGEN_RECEPTOR, *(name.removeprefix(_GENE) for name in genes)]
        text.write("\t".join(header) + "\n")
        for study, table in tables.items():
            values = np.column_stack([table[name].astype(np.float64) for name in genes])
            status = [_receptor(value) for value in table[_STATUS[study]].tolist()]
            for name, receptor, row in zip(table["pid"].tolist(), status, values.tolist(), strict=True):
                cells = [f"{study}_{name}", study.upper(), receptor, *(f"{value:.5g}" for value in row)]
                text.write("\t".join(cells) + "\n")


def _receptor(value: object) -> str:
    """Read a status of 0 or 1, or a level from 0 to 3; anything else is not known."""
    text = str(value).removesuffix(".0")
    return {"0": "negative", "1": "positive", "2": "positive", "3": "positive"}.get(text, "")


def tybalt(listener: Listener) -> Mapping[str, Any]:
    """Find the patient of each sample of the matrix of Tybalt, once."""
    (file,) = TCGA_TYBALT.files
    path = fetch(TCGA_TYBALT, listener=listener)[file.name]
    folder = cache_folder() / "expression" / f"{TCGA_TYBALT.name}-{digest(repr([LAYOUT, file.sha256]).encode())}"
    if not folder.is_dir():
        write_once(folder, lambda staged: write_barcodes(path, staged / "samples.tsv"))
    return {"table": path, "samples": folder / "samples.tsv"}


def write_barcodes(matrix: Path, samples: Path) -> None:
    """Write what the barcodes of TCGA in the first column of a table say: the patient, and the type of the sample."""
    ids = _first_column(matrix)
    lines = ["id\tpatient\tsample_type"]
    for name in ids.tolist():
        known = _BARCODE.fullmatch(name) is not None
        lines.append(f"{name}\t{name[:12] if known else name}\t{name[13:15] if known else ''}")
    samples.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _first_column(path: Path) -> Shaped[np.ndarray, "rows"]:
    with open_text(path) as text:
        next(text)
        names = [line.split("\t", 1)[0].strip().strip('"') for line in text if line.strip()]
    return np.array(names, dtype=object)


def tcga_mirna(listener: Listener) -> Mapping[str, Any]:
    """Name the words by which the miRNA of TCGA are read."""
    (path,) = fetch(TCGA_MIRNA, listener=listener).values()
    return {"h5ad": path}


def tcga_brca(listener: Listener) -> Mapping[str, Any]:
    """Name the words by which the breast samples of TCGA are read."""
    (path,) = fetch(TCGA_BRCA, listener=listener).values()
    return {"table": path}


def simulated(listener: Listener) -> Mapping[str, Any]:
    """Simulate expression, always the same; the user is told."""
    text = f"These {SIMULATED_SAMPLES:,} samples are simulated: four factors that no file names decide all genes."
    listener(Notice(text, "info"))
    folder = simulated_folder("expression", "expression.tsv", lambda place: simulate(place, SIMULATED_SAMPLES, 0))
    return {"table": folder / "expression.tsv"}


DATASETS: Final[Mapping[str, Dataset]] = {
    BREAST_CANCER.name: breast_cancer,
    TCGA_TYBALT.name: tybalt,
    TCGA_MIRNA.name: tcga_mirna,
    TCGA_BRCA.name: tcga_brca,
    SIMULATED: simulated,
}

SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    BREAST_CANCER.name: {
        "label_column": (OESTROGEN_RECEPTOR,),
        "id_column": "id",
        "orientation": "samples-in-rows",
        "scale": "log",
    },
    TCGA_TYBALT.name: {"group_column": "patient", "orientation": "samples-in-rows", "scale": "log"},
    TCGA_MIRNA.name: {"group_column": "patient", "label_column": ("cohort",), "scale": "raw"},
    TCGA_BRCA.name: {"group_column": "patient", "orientation": "samples-in-rows", "scale": "raw"},
    SIMULATED: {"group_column": "patient", "label_column": ("subtype",), "orientation": "samples-in-rows"},
}
"""What a data set says of itself; what the user says wins over it."""


def with_own_settings(data: ExpressionData) -> ExpressionData:
    """Add what a registered data set says of itself, such as its label column, where the user has said nothing."""
    usual = type(data)()
    own = SETTINGS.get(data.dataset or "", {})
    return data.model_copy(
        update={name: value for name, value in own.items() if getattr(data, name) == getattr(usual, name)}
    )
