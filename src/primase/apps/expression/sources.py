"""The data sets of the applications on expression.

Those of TCGA come as parts of packages for R, one file per tumour; they are registered here as one file with a fixed
checksum, which a folder named by ``PRIMASE_MIRROR`` serves. The matrices of D-GEX (bgedv2_QNORM.gctx of 129,158 samples
and GTEx_RNASeq_RPKM_n2921x55993.gctx) are handed out by its authors on request and have no published checksum, so that
they cannot be registered: give them, or what the programs of D-GEX make of them, with ``--table``.
"""

from __future__ import annotations

from typing import Final

from primase.data.sources import Mirror, PackageMember, Source, SourceFile, Url

_APPLICATION: Final = "expression-embedding"
"""The first of the two that register them."""

_TYBALT_COMMIT: Final = "930bbc2a9adf6723f32ee4c51973b74548720faa"
_TCGA: Final = (
    "Cancer Genome Atlas Research Network, Weinstein JN, Collisson EA, et al. The Cancer Genome Atlas Pan-Cancer "
    "analysis project. Nature Genetics 45(10):1113-1120 (2013), doi:10.1038/ng.2764"
)


def _pickle(name: str, sha256: str, size_bytes: int) -> SourceFile:
    member = f"SurvSet/resources/pickles/{name}.pickle"
    return SourceFile(f"{name}.pickle", sha256, size_bytes, (PackageMember("SurvSet", "0.2.11", member),))


GSE1992: Final = _pickle("gse1992", "86601d8810ca2738c0d460f7ee371815ba3d7354c8264abfbb6a5153133ff1da", 15_650_836)
GSE4335: Final = _pickle("gse4335", "4a29a1b0cd04b8c08c9f50b27d0e1fab94db0756d85d31e38e7ca5c08c6c6371", 11_974_966)
GSE3143: Final = _pickle("gse3143", "85e0292fde1063a8a26f60b7519889b7384d298256116759f84f8d8b6a39a483", 11_083_386)

BREAST_CANCER: Final = Source(
    name="breast-cancer-expression",
    title="gene expression of 397 breast tumours, three studies of microarrays",
    description=(
        "7,106 genes that three studies share: GSE1992 (124 tumours) and GSE4335 (115), which are log2 ratios to a "
        "common reference, and GSE3143 (158), which is log2 intensity. Their scales differ: values of a gene are "
        "around 0 in the first two and around 8 in the third, so that the study explains most of the variance. "
        "They are registered as they are, with the study as a column: a standardisation within each study would "
        "need samples of the study to be known in advance. Oestrogen-receptor status is a column too; in GSE3143 "
        "it is a level from 0 to 3, of which 0 counts as negative. Four tumours have none."
    ),
    application=_APPLICATION,
    licence="GPL-3.0 (the collection SurvSet); the measurements were published with the studies",
    citation=(
        "Drysdale E. SurvSet: An open-source time-to-event dataset repository. arXiv:2203.03094 (2022); Hu Z, Fan "
        "C, Oh DS, et al. The molecular portraits of breast tumors are conserved across microarray platforms. BMC "
        "Genomics 7:96 (2006), doi:10.1186/1471-2164-7-96; Sørlie T, Tibshirani R, Parker J, et al. Repeated "
        "observation of breast tumor subtypes in independent gene expression data sets. PNAS 100(14):8418-8423 "
        "(2003), doi:10.1073/pnas.0932692100; Bild AH, Yao G, Chang JT, et al. Oncogenic pathway signatures in "
        "human cancers as a guide to targeted therapies. Nature 439:353-357 (2006), doi:10.1038/nature04296"
    ),
    files=(GSE1992, GSE4335, GSE3143),
)

TCGA_TYBALT: Final = Source(
    name="tcga-tybalt",
    title="the matrix of Tybalt: 5,000 genes of 10,459 samples of 33 tumours",
    description=(
        "The 5,000 genes of TCGA RNA sequencing that vary most, log2, each scaled to 0 to 1 over all samples "
        "before any split, as Tybalt was trained on: the extremes of test samples are in that scale. The ids are "
        "barcodes of samples, of which the first twelve characters are the patient; tumours are not named."
    ),
    application=_APPLICATION,
    licence="BSD-3-Clause (Tybalt); TCGA data are open access",
    citation=(
        "Way GP, Greene CS. Extracting a biologically relevant latent space from cancer transcriptomes with "
        f"variational autoencoders. Pacific Symposium on Biocomputing 23:80-91 (2018); {_TCGA}"
    ),
    files=(
        SourceFile(
            "pancan_scaled_zeroone_rnaseq.tsv.gz",
            "367c0f53307b09734426b07aa2ea056a4ea3312901e36739b1be7607ef5e0235",
            417_090_791,
            (
                Url(
                    f"https://media.githubusercontent.com/media/greenelab/tybalt/{_TYBALT_COMMIT}/data/"
                    "pancan_scaled_zeroone_rnaseq.tsv.gz"
                ),
            ),
        ),
    ),
)

TCGA_MIRNA: Final = Source(
    name="tcga-mirna",
    title="miRNA of 10,893 samples of 33 tumours (TCGA)",
    description=(
        "680 miRNAs, reads per million, with the tumour (cohort), the patient and the type of sample (01 is a "
        "primary tumour, 11 normal tissue beside one). Some patients have several samples and must not be split; "
        "16 miRNAs are nowhere found."
    ),
    application=_APPLICATION,
    licence="GPL-2.0 (the package RTCGA.miRNASeq, eb001af); TCGA data are open access",
    citation=_TCGA,
    files=(
        SourceFile(
            "tcga_mirna.h5ad",
            "648c99dc901f57757f1a2fe88066f2cc0c56d4e360d2bd31112def1c0ad94411",
            17_006_750,
            (Mirror(),),
        ),
    ),
)

TCGA_BRCA: Final = Source(
    name="tcga-brca",
    title="909 genes of 1,218 breast samples (TCGA)",
    description=(
        "Expression by RNA sequencing (RSEM), raw, of 909 genes around known breast-cancer regulators, with the "
        "patient. 39 of the genes are landmarks of the L1000 assay."
    ),
    application=_APPLICATION,
    licence="GPL-2.0 or later (the package GSALightning, 7414410); TCGA data are open access",
    citation=_TCGA,
    files=(
        SourceFile(
            "tcga_brca_rsem.tsv.gz",
            "22c084b3ee47410f6e1c3d5cf08029b1493450aaf8aacd6fba7a1c2cc75b95ff",
            3_086_245,
            (Mirror(),),
        ),
    ),
)

SOURCES: Final = (BREAST_CANCER, TCGA_TYBALT, TCGA_MIRNA, TCGA_BRCA)
