"""The data sets of this application: an annotated genome for the default, histone marks, binding sites, promoters.

The publishers of the benchmarks keep the files unpacked, or in another layout, in folders that change; they are
registered here as gzipped copies with a fixed checksum, which a folder named by ``PRIMASE_MIRROR`` serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from primase.data import yeast_genome
from primase.data.sources import Mirror, Source, SourceFile

_APPLICATION: Final = "dna-function"


def _file(name: str, sha256: str, size_bytes: int) -> SourceFile:
    return SourceFile(name, sha256, size_bytes, (Mirror(),))


_GUE: Final = (
    "Zhou Z, Ji Y, Li W, et al. DNABERT-2: efficient foundation model and benchmark for multi-species genomes. "
    "International Conference on Learning Representations (2024), arXiv:2306.15006"
)
_POKHOLOK: Final = (
    "Pokholok DK, Harbison CT, Levine S, et al. Genome-wide map of nucleosome acetylation and methylation in yeast. "
    "Cell 122(4):517-527 (2005), doi:10.1016/j.cell.2005.06.026"
)
_ENCODE: Final = (
    "ENCODE Project Consortium. An integrated encyclopedia of DNA elements in the human genome. "
    "Nature 489:57-74 (2012), doi:10.1038/nature11247"
)
_EPD: Final = (
    "Dreos R, Ambrosini G, Cavin Périer R, Bucher P. EPD and EPDnew, high-quality promoter resources in the "
    "next-generation sequencing era. Nucleic Acids Research 41(D1):D157-D164 (2013), doi:10.1093/nar/gks1233"
)

YEAST_GENOME: Final = Source(
    name="yeast-genome",
    title="annotated genome of baker's yeast (Saccharomyces cerevisiae S288C), as DNA",
    description=(
        "The sixteen chromosomes as GenBank files of 2019: 60,349 windows of 200 base pairs, with the annotated "
        "features that overlap them: coding sequence, promoter (the 300 base pairs before a start codon), transposon, "
        "telomere, replication origin, long terminal repeat, intron, tRNA and other noncoding RNA. An eighth of the "
        "windows carry none."
    ),
    application=_APPLICATION,
    licence=yeast_genome.LICENCE,
    citation=yeast_genome.CITATION,
    files=(yeast_genome.FILE,),
)

YEAST_HISTONE_MARKS: Final = Source(
    name="yeast-histone-marks",
    title="ten histone marks in baker's yeast",
    description=(
        "32,053 sequences of 500 base pairs with ten histone marks each, of which some are not known. Windows that "
        "overlap on the genome share a value of overlap_group, by which they must be split: the split published with "
        "the benchmark tears them apart."
    ),
    application=_APPLICATION,
    licence="Apache-2.0 (the benchmark GUE)",
    citation=f"{_POKHOLOK}; {_GUE}",
    files=(
        _file(
            "yeast_histone_marks.tsv.gz", "5e856811ea98ed728d80bc0686899991768ccdee1730db0fb2c1885c0ef10b3c", 4_901_974
        ),
    ),
)

TF_0: Final = Source(
    name="tf-0",
    title="sites of a human transcription factor, set 0 of the benchmark GUE",
    description=(
        "Windows of 101 base pairs around ChIP-seq peaks of one transcription factor, which the benchmark does not "
        "name, and others of like composition: 32,378 for training, 1,000 for validation, 1,000 for test. They come "
        "without coordinates."
    ),
    application=_APPLICATION,
    licence="Apache-2.0 (the benchmark GUE)",
    citation=f"{_ENCODE}; {_GUE}",
    files=(
        _file("tf_0.train.csv.gz", "da6a239a93c7758983f2006a792d560ee79d4f6e731ab33824cf7ef7dd26c814", 939_016),
        _file("tf_0.dev.csv.gz", "b706d54db2c2d557684f2b14246a77a4d102f66369a3b0230cd63843d9326217", 29_917),
        _file("tf_0.test.csv.gz", "52b5f4cf58b82066729aca0e4def83f41074d10547e5010a9dad0c42e108f121", 29_391),
    ),
)

TF_3: Final = Source(
    name="tf-3",
    title="sites of a human transcription factor, set 3 of the benchmark GUE",
    description=(
        "Windows of 101 base pairs around ChIP-seq peaks of one transcription factor, which the benchmark does not "
        "name, and others of like composition: 27,294 for training, 1,000 for validation, 1,000 for test. They come "
        "without coordinates."
    ),
    application=_APPLICATION,
    licence="Apache-2.0 (the benchmark GUE)",
    citation=f"{_ENCODE}; {_GUE}",
    files=(
        _file("tf_3.train.csv.gz", "1e65b9ed6ae940ef3dfa5dc2faa85ea7051d99bd320d36ddbee8e79617066d93", 808_695),
        _file("tf_3.dev.csv.gz", "e9107392825bf3c0b1d0b48ec56a5a0f9781dd92c69aa74f1bbc6141c98b582b", 30_638),
        _file("tf_3.test.csv.gz", "724dde0f31994610a562287f3a166eaf4a3ee389e2d8db610682f162b9c1ac1f", 30_286),
    ),
)

PROM_CORE_ALL: Final = Source(
    name="prom-core-all",
    title="human core promoters",
    description=(
        "Windows of 70 base pairs, from 34 before to 35 behind a transcription start site, and others: 47,356 for "
        "training, 5,920 for validation, 5,920 for test. They come without coordinates, and position in the window "
        "has a meaning."
    ),
    application=_APPLICATION,
    licence="Apache-2.0 (the benchmark GUE)",
    citation=f"{_EPD}; {_GUE}",
    files=(
        _file(
            "prom_prom_core_all.train.csv.gz",
            "6a150652fb787b852a78434fb6abbaca0b73bcb375b55deb38d8c6dca25c1946",
            1_002_224,
        ),
        _file(
            "prom_prom_core_all.dev.csv.gz", "fc28055fb64696314e88173db6e6e3ba8dc18892dda6f851c782100a8c02edd1", 126_350
        ),
        _file(
            "prom_prom_core_all.test.csv.gz",
            "65284cd5267ea0f99659f15a0f21e6f6efb5646b1bb447a37c85425f1f04b544",
            125_977,
        ),
    ),
)

SOURCES: Final = (YEAST_GENOME, YEAST_HISTONE_MARKS, TF_0, TF_3, PROM_CORE_ALL)

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    source.name: ("table", "validation_table", "test_table")[: len(source.files)]
    for source in SOURCES
    if source is not YEAST_GENOME
}
"""Per data set of tables, the input word under which each of its files is given."""

TARGET_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    YEAST_HISTONE_MARKS.name: (
        "H3",
        "H4",
        "H3K9ac",
        "H3K14ac",
        "H4ac",
        "H3K4me1",
        "H3K4me2",
        "H3K4me3",
        "H3K36me3",
        "H3K79me3",
    ),
    TF_0.name: ("label",),
    TF_3.name: ("label",),
    PROM_CORE_ALL.name: ("label",),
}
"""Per data set of tables, what is learned."""
