"""The registered part of Pfam, with which several applications find the domains of proteins: one file, one copy."""

from __future__ import annotations

from typing import Final

from primase.data.sources import PackageMember, SourceFile

SUBSET_FILE: Final = SourceFile(
    name="Pfam.h3m",
    sha256="4383aa81f2ba9ce1f78334f6e249e0a8e69b9c0e8d4d9e69d144350597dac9c5",
    size_bytes=91_784_892,
    places=(PackageMember("gecco", "0.11.0", "gecco/hmmer/Pfam.h3m"),),
)
"""2,766 profiles of Pfam 35.0 in HMMER's binary format, with gathering cut-offs; biased to biosynthetic families."""

SUBSET_LICENCE: Final = "CC0-1.0 (Pfam); the package that carries it, whose code is not used, is GPL-3.0-or-later"
CITATION: Final = (
    "Mistry J, Chuguransky S, Williams L, et al. Pfam: The protein families database in 2021. "
    "Nucleic Acids Research 49(D1):D412-D419 (2021), doi:10.1093/nar/gkaa913"
)
