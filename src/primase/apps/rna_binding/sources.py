"""The data sets of this application: sites of RNA-binding proteins found by cross-linking.

Their publishers keep the files unpacked, or in another layout, in folders that change; they are registered here as
gzipped copies with a fixed checksum, which a folder named by ``PRIMASE_MIRROR`` serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from primase.data.sources import Mirror, Source, SourceFile

_APPLICATION: Final = "rna-binding"


def _file(name: str, sha256: str, size_bytes: int) -> SourceFile:
    return SourceFile(name, sha256, size_bytes, (Mirror(),))


_GRAPHPROT: Final = (
    "Maticzka D, Lange SJ, Costa F, Backofen R. GraphProt: modeling binding preferences of RNA-binding proteins. "
    "Genome Biology 15:R17 (2014), doi:10.1186/gb-2014-15-1-r17"
)
_IDEEPS: Final = (
    "Stražar M, Žitnik M, Zupan B, et al. Orthogonal matrix factorization enables integrative analysis of multiple RNA "
    "binding proteins. Bioinformatics 32(10):1527-1535 (2016), doi:10.1093/bioinformatics/btw003; Pan X, Rijnbeek P, "
    "Yan J, Shen HB. Prediction of RNA-protein sequence and structure binding preferences using deep convolutional and "
    "recurrent neural networks. BMC Genomics 19:511 (2018), doi:10.1186/s12864-018-4889-1"
)

RBP24_QKI: Final = Source(
    name="rbp24-parclip-qki",
    title="sites of the RNA-binding protein QKI, set RBP-24",
    description=(
        "RBP-24: sites of Quaking (PAR-CLIP) in human cells, in upper case, within flanks of 150 nucleotides in "
        "lower case, and as many regions without one. 10,276 positives and 9,142 negatives for training, 500 of each "
        "for test. Coordinates of hg19 stand in the headers. RNase T1 cut most sites after G, so that the letters "
        "around the borders give them away without any motif; some test windows overlap training windows."
    ),
    application=_APPLICATION,
    licence="MIT (the copy by Wang et al., EDCNN); the sites were published with GraphProt",
    citation=_GRAPHPROT,
    files=(
        _file(
            "PARCLIP_QKI.train.positives.fa.gz",
            "e497033d441caa46d01d9c637500c77a8fc888a37999445ffadbc7684d73024c",
            1_238_613,
        ),
        _file(
            "PARCLIP_QKI.train.negatives.fa.gz",
            "c19c0dff5d0109795b75ee6993ecd630543db352337865a0e1efea3a1ee61a83",
            1_128_160,
        ),
        _file(
            "PARCLIP_QKI.ls.positives.fa.gz", "35297a3e6e1e55099f1a242348f6ee5f07a2cbcc773fc53c806526fcf3d05aa4", 61_619
        ),
        _file(
            "PARCLIP_QKI.ls.negatives.fa.gz", "b4aac4055bdf0af4f91a7074169b0d77283ef41b72528e8d64fdd6fdc7a8ce26", 62_773
        ),
    ),
)

RBP24_ALKBH5: Final = Source(
    name="rbp24-alkbh5",
    title="sites of the RNA-binding protein ALKBH5, set RBP-24",
    description=(
        "RBP-24: sites of ALKBH5 (PAR-CLIP, Baltz et al. 2012) in human cells, in upper case, within flanks of 150 "
        "nucleotides in lower case, and as many regions without one. 1,213 positives and 1,197 negatives for "
        "training, 134 and 132 for test. Coordinates of hg19 stand in the headers. RNase T1 cut most sites after G, "
        "so that the letters around the borders give them away without any motif; some test windows overlap training "
        "windows."
    ),
    application=_APPLICATION,
    licence="MIT (the copy by Wang et al., EDCNN); the sites were published with GraphProt",
    citation=_GRAPHPROT,
    files=(
        _file(
            "ALKBH5_Baltz2012.train.positives.fa.gz",
            "cb7f8774a6600febc4d4f1087a7e5ff6ba283ade6cf7a3260261a2ce6a6ab740",
            147_207,
        ),
        _file(
            "ALKBH5_Baltz2012.train.negatives.fa.gz",
            "ac0c77cd93a0f08b8935de47318dc4f7f6b1bff69807ffaf44893d4f69c106d3",
            148_793,
        ),
        _file(
            "ALKBH5_Baltz2012.ls.positives.fa.gz",
            "032c304e5a369b189b91f24657c43e832b008e4588b8f1c07c3cb6b6b4041189",
            17_216,
        ),
        _file(
            "ALKBH5_Baltz2012.ls.negatives.fa.gz",
            "0e6de5efa8ababd7dae8596cdaa4689d32c3238dffd9111bb77a5ef781898fb6",
            17_373,
        ),
    ),
)

RBP24_C17ORF85: Final = Source(
    name="rbp24-c17orf85",
    title="sites of the RNA-binding protein C17ORF85, set RBP-24",
    description=(
        "RBP-24: sites of C17ORF85, also called NCBP3 (PAR-CLIP, Baltz et al. 2012) in human cells, in upper case, "
        "within flanks of 150 nucleotides in lower case, and as many regions without one. 1,860 positives and 1,849 "
        "negatives for training, 206 and 205 for test. Coordinates of hg19 stand in the headers. RNase T1 cut most "
        "sites after G, so that the letters around the borders give them away without any motif; some test windows "
        "overlap training windows."
    ),
    application=_APPLICATION,
    licence="MIT (the copy by Wang et al., EDCNN); the sites were published with GraphProt",
    citation=_GRAPHPROT,
    files=(
        _file(
            "C17ORF85_Baltz2012.train.positives.fa.gz",
            "abb375061ad6046fd999525f6d4f7acc85b4555ffb13de92d856c4fe71f155c4",
            221_925,
        ),
        _file(
            "C17ORF85_Baltz2012.train.negatives.fa.gz",
            "360d9f1ba838f6dc07c00c852d519c7bbfd1ae79df4ec3de5a9b53c68172df99",
            226_546,
        ),
        _file(
            "C17ORF85_Baltz2012.ls.positives.fa.gz",
            "89bf4d9631a01a209997a6f475e93692d6bdba51da96ac7c0797296362b20f29",
            25_515,
        ),
        _file(
            "C17ORF85_Baltz2012.ls.negatives.fa.gz",
            "9b9672eaa974b712d378c9ea398219c4ce9d7813b2c58188099d2d228c96e97c",
            26_236,
        ),
    ),
)

RBP24_AGO2: Final = Source(
    name="rbp24-clipseq-ago2",
    title="sites of the RNA-binding protein AGO2, set RBP-24, the published test part only",
    description=(
        "RBP-24: 500 sites of Argonaute 2 (HITS-CLIP) in upper case, within flanks of 150 nucleotides in lower case, "
        "and 500 regions without one. Coordinates of hg19 stand in the headers."
    ),
    application=_APPLICATION,
    licence="MIT (the copy by Li et al.); the sites were published with GraphProt",
    citation=_GRAPHPROT,
    files=(
        _file(
            "CLIPSEQ_AGO2.ls.positives.fa.gz",
            "7e5e61b74ad8d3e38cd049ef8a258b4f3bbc4f2193377609b24d99eacc16ffda",
            67_694,
        ),
        _file(
            "CLIPSEQ_AGO2.ls.negatives.fa.gz",
            "3501d2740b061f8a5941c8581bb30bf49859da4e8fe83fed3bba9e16f9dda847",
            65_031,
        ),
    ),
)

RBP31_QKI: Final = Source(
    name="rbp31-qki",
    title="sites of the RNA-binding protein QKI, set RBP-31",
    description=(
        "RBP-31: windows of 101 nucleotides around cross-linked positions of Quaking (PAR-CLIP) and elsewhere in "
        "expressed genes: 6,000 positives and 24,000 negatives for training, 2,000 and 8,000 for test. Coordinates "
        "of hg19 stand in the headers; windows overlap each other, within the parts and across them."
    ),
    application=_APPLICATION,
    licence="none stated",
    citation=_IDEEPS,
    files=(
        _file("QKI.train.positives.fa.gz", "32baf2990988a25cfb9c832551dac6553babeb1b3e8dd2fe300d2ce31f89bbb9", 217_648),
        _file("QKI.train.negatives.fa.gz", "82b572bc7aaec355f4eef4e6af49e99d7de8ecf26cdeafb9bbf68cb43e1e49ab", 979_093),
        _file("QKI.test.positives.fa.gz", "91455ca2a015c1d8b43100be57825a43c3a440f14df0f1868afcbe3718f80368", 81_486),
        _file("QKI.test.negatives.fa.gz", "62813fc124ac4db4d062cdfcde18ace93f98355502c16d4529f175517ae20d2d", 332_817),
    ),
)

RBP31_TDP43: Final = Source(
    name="rbp31-tdp43",
    title="sites of the RNA-binding protein TDP43, set RBP-31",
    description=(
        "RBP-31: windows of 101 nucleotides around cross-linked positions of TDP-43 (iCLIP) and elsewhere in "
        "expressed genes: 6,000 positives and 24,000 negatives for training, 2,000 and 8,000 for test. Coordinates "
        "of hg19 stand in the headers; windows overlap each other, within the parts and across them."
    ),
    application=_APPLICATION,
    licence="none stated",
    citation=_IDEEPS,
    files=(
        _file(
            "TDP43.train.positives.fa.gz", "94eba622547f1aebbf3cc7ca784e2c333bd717f5fce92a4647fbe4053019de1a", 222_342
        ),
        _file(
            "TDP43.train.negatives.fa.gz", "f0423222f36f82410f9cb6c82327322c2bcbff6b2bbebecf0eeea4f5a6807f03", 954_982
        ),
        _file("TDP43.test.positives.fa.gz", "bd077bb3f11d0920f0ca996b081d7645c954918cdeeffec80f574c88be106593", 78_460),
        _file(
            "TDP43.test.negatives.fa.gz", "f53ce391b6f9b11039c052924949462aa00c4b470ea6ac5e18194379015bac79", 328_633
        ),
    ),
)

SOURCES: Final = (RBP24_QKI, RBP24_ALKBH5, RBP24_C17ORF85, RBP24_AGO2, RBP31_QKI, RBP31_TDP43)

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    source.name: ("positives", "negatives", "test_positives", "test_negatives")[: len(source.files)]
    for source in SOURCES
}
"""Per data set, the input word under which each of its files is given."""
