"""Sets of profile hidden Markov models, such as Pfam: what domains are recognised by."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, final

from primase.bio.domain_cache import DomainCache, file_sha256
from primase.bio.reading import open_binary
from primase.errors import ReadError

if TYPE_CHECKING:
    from pyhmmer.plan7 import HMM

_WANTED = "a HMMER3 file of protein profiles (.hmm or .h3m, plain or gzip), such as Pfam-A.hmm.gz"
_SHOWN_NAMES = 5


@final
class ProfileSet:
    """The profiles of one file, read only when a search needs them.

    Parameters
    ----------
    path
        A HMMER3 file, as text (``.hmm``) or binary (``.h3m``), plain or gzip.
    cache
        Remembers the checksum of the file, so that a large one is not read twice.

    Raises
    ------
    ReadError
        If the file is missing or does not start with a protein profile.
    """

    def __init__(self, path: Path, *, cache: DomainCache | None = None) -> None:
        self.path = Path(path)
        with open_binary(self.path) as file:
            self._read(file, at_most=1)
        self.sha256 = file_sha256(self.path) if cache is None else cache.checksum(self.path)

    @cached_property
    def models(self) -> tuple[HMM[Any], ...]:
        """The profiles, in the order of the file; the first use reads it, about one second per 500 MB if binary.

        Raises
        ------
        ReadError
            If the file is damaged, or two profiles have one name.
        """
        with open_binary(self.path) as file:
            models = self._read(file, at_most=None)
        twice = [name for name, count in Counter(model.name for model in models).items() if count > 1]
        if twice:
            shown = ", ".join(twice[:_SHOWN_NAMES]) + (" …" if len(twice) > _SHOWN_NAMES else "")
            what = "several profiles have the same name"
            raise ReadError(what, where=str(self.path), got=shown, wanted="a different NAME for every profile")
        return models

    def _read(self, file: BinaryIO, *, at_most: int | None) -> tuple[HMM[Any], ...]:
        # pyhmmer takes as long to import as numpy, and `primase --help` must not wait for it.
        from pyhmmer.errors import EaselError  # noqa: PLC0415
        from pyhmmer.plan7 import HMMFile  # noqa: PLC0415

        models: list[HMM[Any]] = []
        try:
            with HMMFile(file, db=False) as reader:
                for model in reader:
                    self._refuse_other_alphabet(model)
                    models.append(model)
                    if len(models) == at_most:
                        break
        except (ValueError, EOFError, EaselError) as error:
            place = f"{self.path}, after profile {models[-1].name!r}" if models else str(self.path)
            what = "the profiles cannot be read"
            raise ReadError(what, where=place, got=str(error), wanted=_WANTED) from error
        return tuple(models)

    def _refuse_other_alphabet(self, model: HMM[Any]) -> None:
        if not model.alphabet.is_amino():
            what = "the profiles are not of proteins"
            got = f"a {model.alphabet.type} profile, {model.name!r}"
            raise ReadError(what, where=str(self.path), got=got, wanted=_WANTED)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each profile, such as ``"Pkinase"``: domains are called by it."""
        return tuple(model.name for model in self.models)

    @property
    def accessions(self) -> tuple[str | None, ...]:
        """The accession of each profile, such as ``"PF00069.28"``; None where it has none."""
        return tuple(model.accession for model in self.models)

    def __len__(self) -> int:
        """Return the number of profiles."""
        return len(self.models)

    @property
    def without_cutoffs(self) -> int:
        """How many of the profiles have no gathering cut-off, the score from which Pfam's curators trust a hit."""
        return sum(not model.cutoffs.gathering_available() for model in self.models)

    def __repr__(self) -> str:
        """Name the file and the beginning of its checksum."""
        return f"ProfileSet({str(self.path)!r}, sha256={self.sha256[:12]}…)"
