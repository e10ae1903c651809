"""The data sets of this application: complexes of baker's yeast for the default, the graph of the review, and Cora.

The last two are published in folders that may change, as matrices of one program; they are registered here as gzipped
tables with a fixed checksum, which a folder named by ``PRIMASE_MIRROR`` serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from primase.data import pfam, yeast_genome
from primase.data.sources import Mirror, Source, SourceFile

_APPLICATION: Final = "protein-interaction"

_AUTO_ENCODER: Final = (
    "Kipf TN, Welling M. Variational graph auto-encoders. NIPS Workshop on Bayesian Deep Learning (2016), "
    "arXiv:1611.07308"
)


def _file(name: str, sha256: str, size_bytes: int) -> SourceFile:
    return SourceFile(name, sha256, size_bytes, (Mirror(),))


YEAST_COMPLEXES: Final = Source(
    name="yeast-complexes",
    title="proteins of one complex in baker's yeast (Saccharomyces cerevisiae S288C)",
    description=(
        "1,677 proteins and the 9,134 pairs of them that are in one of 408 complexes of 2 to 40 proteins, by the Gene "
        "Ontology terms of the annotation of 2019 that a curator stands behind; with the sequences of the proteins, "
        "and 2,766 profiles of Pfam 35.0 to find their domains. Being in one complex is not touching each other; large "
        "complexes contribute most pairs, and what has been studied most is known best. The cytosolic and the large "
        "mitochondrial ribosomal subunits have more than 40 proteins and are left out."
    ),
    application=_APPLICATION,
    licence=f"{yeast_genome.LICENCE}; {pfam.SUBSET_LICENCE}",
    citation=(
        f"{yeast_genome.CITATION}; Ashburner M, Ball CA, Blake JA, et al. Gene Ontology: tool for the unification of "
        f"biology. Nature Genetics 25:25-29 (2000), doi:10.1038/75556; {pfam.CITATION}"
    ),
    files=(yeast_genome.FILE, pfam.SUBSET_FILE),
)

YEAST_PPI: Final = Source(
    name="yeast-ppi",
    title="the review's graph: 530,495 interactions of 6,526 proteins of yeast, in the published parts",
    description=(
        "509,277 links for training, 10,609 for validation and 10,609 for test, and as many pairs that do not interact "
        "for validation and for test, drawn from any two proteins. 4 of those of validation are links, and 3 stand in "
        "both parts; they are left out. The published files number the proteins and say neither which they are nor "
        "what was counted as an interaction: the names here are Y and that number. A protein has 163 links on average; "
        "see in the report how far their number alone goes, and what is left with degree-matched negatives."
    ),
    application=_APPLICATION,
    licence="MIT (the copy by P. Sterk, gcn_ppi_yeast, e942e00, which is of the Stanford Network Analysis Project's)",
    citation=(
        "Li Y, Huang C, Ding L, et al. Deep learning in bioinformatics: Introduction, application, and perspective in "
        f"the big data era. Methods 166:4-21 (2019), doi:10.1016/j.ymeth.2019.04.008; {_AUTO_ENCODER}"
    ),
    files=(
        _file(
            "yeast_train_edges.tsv.gz", "e63bfc34d538714ea15dca2ef4ca2132c8dfb89b9d564a2505e48419290eeb5e", 1_374_660
        ),
        _file("yeast_val_edges.tsv.gz", "0628a7a145dfbbdbc3623464bb24c80db01e99b049c2bffa2d07e7f361949835", 48_629),
        _file("yeast_val_nonedges.tsv.gz", "3215f859aded3a3346d6b8df674f58227ad49fadde3d6b560a7998a38b875ff3", 51_341),
        _file("yeast_test_edges.tsv.gz", "8789c70f1120ed5353b70e28572d37386908386c0cb39239c7c0223e3f02b70e", 48_619),
        _file("yeast_test_nonedges.tsv.gz", "f859b852e0d1dda10a0878c624e9c7120bba5c4b1fe57e2b54cdbf2e0c49d8d3", 51_320),
    ),
)

CORA: Final = Source(
    name="cora",
    title="Cora, a citation graph with which graph auto-encoders are compared",
    description=(
        "5,278 citations between 2,708 articles on machine learning, and 1,433 words that each of them has or has not. "
        "No biology: it is here to compare the network with published figures (Kipf and Welling 2016, with 5 % of the "
        "links for validation and 10 % for test, and uniform negatives: AUC 91.0, AP 92.0)."
    ),
    application=_APPLICATION,
    licence="MIT (the copy by T. Kipf, gae, 0ebbe9b)",
    citation=(
        "Sen P, Namata G, Bilgic M, et al. Collective classification in network data. AI Magazine 29(3):93-106 (2008), "
        f"doi:10.1609/aimag.v29i3.2157; {_AUTO_ENCODER}"
    ),
    files=(
        _file("cora_edges.tsv.gz", "dc350207022acf40b75c475c0da9d8b4d1bc1ea53fb850796f6dc96065baaf9f", 18_164),
        _file("cora_features.npz", "e6b838102f89b7555a7a0eb01d31c7b2873fd1ffe16a1f0033ec21a262e6e79f", 81_526),
    ),
)

SOURCES: Final = (YEAST_COMPLEXES, YEAST_PPI, CORA)

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    YEAST_PPI.name: ("edges", "validation_edges", "validation_nonedges", "test_edges", "test_nonedges"),
    CORA.name: ("edges", "features"),
}
"""Of the data sets whose files are read as they are, the input word under which each of them is given."""
