"""Collections of known motifs: JASPAR for DNA, ATtRACT for RNA."""

from __future__ import annotations

from typing import Final

from primase.data.sources import PackageMember, Source, SourceFile

JASPAR: Final = Source(
    name="jaspar-2026",
    title="JASPAR 2026: motifs of transcription factors in DNA",
    description=(
        "4,572 matrices of the reviewed collection CORE, which are 2,633 motifs in their newest versions (1,019 of "
        "vertebrates, 927 of plants, 296 of insects, 193 of fungi), and 1,363 unvalidated ones, as an SQLite database. "
        "Many factors of one family have motifs that are all but the same."
    ),
    application="dna-function",
    licence="CC-BY-4.0 (JASPAR); the package that carries it is MIT",
    citation=(
        "Rauluseviciute I, Riudavets-Puig R, Blanc-Mathieu R, et al. JASPAR 2024: 20th anniversary of the open-access "
        "database of transcription factor binding profiles. Nucleic Acids Research 52(D1):D174-D182 (2024), "
        "doi:10.1093/nar/gkad1059; the release of 2026 is described in PMC12807658"
    ),
    files=(
        SourceFile(
            name="JASPAR2026.sqlite",
            sha256="4fde0cc35fa91725e8ffb4e4baa51b9af74aab07a1577ecf7f645d6f6026668e",
            size_bytes=16_089_088,
            places=(PackageMember("pyjaspar", "4.0.0", "pyjaspar/data/JASPAR2026.sqlite"),),
        ),
    ),
)

ATTRACT: Final = Source(
    name="attract",
    title="ATtRACT: motifs of RNA-binding proteins",
    description=(
        "1,505 matrices of proteins without mutations, 1,116 of them human, gathered from the literature and other "
        "collections, with a table that says which protein each belongs to. Most are 5 to 7 letters wide, so that many "
        "of them occur by chance in any sequence."
    ),
    application="rna-binding",
    licence="none stated (ATtRACT, free to download); the package that carries it is MIT",
    citation=(
        "Giudice G, Sanchez-Cabo F, Torroja C, Lara-Pezzi E. ATtRACT: a database of RNA-binding proteins and "
        "associated motifs. Database 2016:baw035 (2016), doi:10.1093/database/baw035"
    ),
    files=(
        SourceFile(
            name="attract_pwm.txt",
            sha256="28c3c5b735356ee429f8cdd4383491aeace597708d40581e9b4a21af0cfdd37e",
            size_bytes=734_112,
            places=(PackageMember("concise", "0.6.9", "concise/resources/attract_pwm.txt"),),
        ),
        SourceFile(
            name="attract_metadata.txt",
            sha256="cca9525345776bbb2168ad3243a361a5be53dd4d19235f90bd34891f5bbedfd1",
            size_bytes=701_558,
            places=(PackageMember("concise", "0.6.9", "concise/resources/attract_metadata.txt"),),
        ),
    ),
)

MOTIF_SOURCES: Final = (JASPAR, ATTRACT)
