"""The data sets of this application: a proteome and profiles for the default, all of Pfam, and the paper's set."""

from __future__ import annotations

from typing import Final

from primase.data import pfam, yeast_genome
from primase.data.sources import Source, SourceFile, Url

_APPLICATION: Final = "enzyme-identification"

YEAST_PROTEOME: Final = Source(
    name="yeast-proteome",
    title="annotated genome of baker's yeast (Saccharomyces cerevisiae S288C)",
    description=(
        "The sixteen chromosomes as GenBank files of 2019: 5,983 proteins, of which 1,733 carry an EC number. "
        "A protein without one is taken not to be an enzyme, which is mostly but not always so."
    ),
    application=_APPLICATION,
    licence=yeast_genome.LICENCE,
    citation=yeast_genome.CITATION,
    files=(yeast_genome.FILE,),
)

PFAM_SUBSET: Final = Source(
    name="pfam-subset",
    title="2,766 profiles of protein families from Pfam 35.0, with gathering cut-offs",
    description=(
        "The part of Pfam-A that the program GECCO uses to find biosynthetic gene clusters, in HMMER's binary format: "
        "biased to biosynthetic families, so that many proteins of other kinds show no domain."
    ),
    application=_APPLICATION,
    licence=pfam.SUBSET_LICENCE,
    citation=(
        f"{pfam.CITATION}; Carroll LM, Larralde M, Fleck JS, et al. Accurate de novo identification of biosynthetic "
        "gene clusters with GECCO. bioRxiv (2021), doi:10.1101/2021.05.03.442509"
    ),
    files=(pfam.SUBSET_FILE,),
)

# Pfam's "current release" changes in place and has no fixed sha256, so a numbered release is registered: the one that
# the subset above is taken from. A newer one is given by hand with --profiles.
PFAM_A: Final = Source(
    name="pfam-a",
    title="all 19,632 profiles of protein families of Pfam-A 35.0",
    description=(
        "Every curated family of Pfam, release 35.0 of November 2021, as gzipped HMMER text with gathering cut-offs."
    ),
    application=_APPLICATION,
    licence="CC0-1.0",
    citation=pfam.CITATION,
    files=(
        SourceFile(
            name="Pfam-A.hmm.gz",
            sha256="48ec2d1123c84046b00279eae1fb3d5be1b578e6221453f329d16954c89d0d35",
            size_bytes=293_000_230,
            places=(Url("https://ftp.ebi.ac.uk/pub/databases/Pfam/releases/Pfam35.0/Pfam-A.hmm.gz"),),
        ),
    ),
)

_ENZYME_PFAM_FOLDER: Final = (
    "https://raw.githubusercontent.com/lykaust15/Deep_learning_examples/a9baad928c9d16fc2793d0343b3020356e69d03f/"
    "1.Fully_connected_psepssm_predict_enzyme"
)


def _enzyme_pfam_file(name: str, sha256: str, size_bytes: int) -> SourceFile:
    return SourceFile(name, sha256, size_bytes, (Url(f"{_ENZYME_PFAM_FOLDER}/{name}"),))


ENZYME_FAMILIES_FILE: Final = _enzyme_pfam_file(
    "Pfam_name_list_new_data.pickle",
    "c22067c6529175bf2cc52c1834e5a8dce7275f8f97b5e92c0f39296bb149308f",
    1_611_684,
)
NON_ENZYME_FAMILIES_FILE: Final = _enzyme_pfam_file(
    "Pfam_name_list_non_enzyme.pickle",
    "cf73971593760850ae03159ecf2d61f561b23b1033728554840764b6d7e7b97f",
    1_113_123,
)
FAMILY_NAMES_FILE: Final = _enzyme_pfam_file(
    "Pfam_model_names_list.pickle",
    "d4124fd849125f06c650ca533adee50fb24aee75873ff7cab5bfb7b01ef5c9c7",
    313_298,
)

ENZYME_PFAM: Final = Source(
    name="enzyme-pfam",
    title="the paper's set: Pfam families of 22,168 enzymes and 22,168 other proteins",
    description=(
        "Per protein the names of the Pfam families found in it, and the 16,306 names in the order of the features. "
        "Sequences and identifiers are not published with it. Sequence similarity is below 40 % within each class, "
        "yet many proteins have identical sets of families."
    ),
    application=_APPLICATION,
    licence="MIT",
    citation=(
        "Li Y, Wang S, Umarov R, et al. DEEPre: sequence-based enzyme EC number prediction by deep learning. "
        "Bioinformatics 34(5):760-769 (2018), doi:10.1093/bioinformatics/btx680; Li Y, Huang C, Ding L, et al. Deep "
        "learning in bioinformatics: Introduction, application, and perspective in the big data era. Methods 166:4-21 "
        "(2019), doi:10.1016/j.ymeth.2019.04.008"
    ),
    files=(ENZYME_FAMILIES_FILE, NON_ENZYME_FAMILIES_FILE, FAMILY_NAMES_FILE),
)

SOURCES: Final = (YEAST_PROTEOME, PFAM_SUBSET, PFAM_A, ENZYME_PFAM)
