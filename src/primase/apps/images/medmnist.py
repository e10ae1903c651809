"""The names behind the numbers of MedMNIST (Yang et al. 2023, Scientific Data 10:41), as its documentation has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

_ORGANS: Final = (
    "bladder", "left femur", "right femur", "heart", "left kidney", "right kidney", "liver", "left lung", "right lung",
    "pancreas", "spleen",
)  # fmt: skip

LABELS: Final[Mapping[str, Sequence[str]]] = {
    "pathmnist": (
        "adipose", "background", "debris", "lymphocytes", "mucus", "smooth muscle", "normal colon mucosa",
        "cancer-associated stroma", "colorectal adenocarcinoma epithelium",
    ),
    "chestmnist": (
        "atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia", "pneumothorax",
        "consolidation", "edema", "emphysema", "fibrosis", "pleural", "hernia",
    ),
    "dermamnist": (
        "actinic keratoses and intraepithelial carcinoma", "basal cell carcinoma", "benign keratosis-like lesions",
        "dermatofibroma", "melanoma", "melanocytic nevi", "vascular lesions",
    ),
    "octmnist": ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
    "pneumoniamnist": ("normal", "pneumonia"),
    "breastmnist": ("malignant", "normal or benign"),
    "bloodmnist": (
        "basophil", "eosinophil", "erythroblast", "immature granulocyte", "lymphocyte", "monocyte", "neutrophil",
        "platelet",
    ),
    "tissuemnist": (
        "collecting duct or connecting tubule", "distal convoluted tubule", "glomerular endothelial cell",
        "interstitial endothelial cell", "leukocyte", "podocyte", "proximal tubule segment", "thick ascending limb",
    ),
    "organamnist": _ORGANS,
    "organcmnist": _ORGANS,
    "organsmnist": _ORGANS,
}  # fmt: skip


def label_names(archive: str, count: int) -> Sequence[str] | None:
    """Name the labels of an archive by its file name, such as ``pneumoniamnist_64.npz``; None if it is not known.

    Parameters
    ----------
    count
        How many labels the archive has; a known archive with more is not the one that its name says.

    Examples
    --------
    >>> label_names("PneumoniaMNIST_64.npz", 2)
    ('normal', 'pneumonia')
    """
    name = archive.lower().removesuffix(".npz").partition("_")[0]
    known = LABELS.get(name)
    return known if known is not None and count <= len(known) else None
