"""Which domains a protein has: the profiles of a set, such as Pfam, searched with HMMER."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from primase.bio.alphabets import PROTEIN
from primase.bio.domain_cache import DomainCache, KnownProfiles, sequence_key
from primase.bio.profiles import ProfileSet
from primase.errors import InputError
from primase.events import Listener, Notice, Progress, silent

if TYPE_CHECKING:
    from pyhmmer.plan7 import HMM, Hit

STAGE = "search domains"
"""The stage in progress events."""

LONGEST_SEQUENCE = 100_000
"""Residues; HMMER searches no longer sequence. The longest known human protein, titin, has about 35,000."""

E_VALUE = 1e-3
"""For profiles without a gathering cut-off: how many false hits of this score a protein has on average in the set."""

# One batch is what an interruption can lose. On 2 cores, 2,766 profiles take about 15 seconds for one, of which half a
# second is spent on the profiles themselves, however few sequences there are.
_BATCH_SEQUENCES = 2_000
_BATCH_RESIDUES = 1_000_000
_TICKS_PER_BATCH = 20


def find_domains(
    sequences: Iterable[str],
    profiles: ProfileSet,
    *,
    cache: DomainCache | None = None,
    threads: int = 0,
    listener: Listener = silent,
    total: int | None = None,
) -> Iterator[tuple[str, ...]]:
    """Find the domains of each protein, the best hit first.

    A profile counts as found where the protein and at least one domain in it reach the profile's gathering cut-offs,
    the bit scores above which the curators of Pfam trust a hit (Finn et al. 2014). A profile without them counts as
    found at an E-value of at most 0.001, in a search of the whole profile set with the one protein, as ``hmmscan``
    computes it. Neither depends on which other proteins are searched. Overlapping hits of related profiles are all
    kept. HMMER: Eddy (2011), PLoS Computational Biology 7, e1002195; pyhmmer: Larralde and Zeller (2023).

    The sequences are taken in batches, so that memory is bounded for any number of them.

    Parameters
    ----------
    sequences
        Upper-case protein sequences. Of those longer than 100,000 residues only the first 100,000 are searched, and
        the listener is told. An empty one has no domains.
    profiles
        What to search.
    cache
        Where results are kept and looked up; with all of them known, the profiles are not even read.
    threads
        How many processor cores to use; 0 means all.
    listener
        Told of progress, and of profiles without cut-offs.
    total
        The number of sequences, if known, for progress events.

    Yields
    ------
    tuple of str
        The names of the domains of each sequence, in the order of the input; each name once, by decreasing bit score
        of the whole sequence.

    Raises
    ------
    InputError
        If a sequence has a letter that is no amino acid.
    ReadError
        If the profiles are damaged.
    """
    known = None if cache is None else _known_profiles(cache, profiles)
    without_cutoffs = profiles.without_cutoffs if known is None else known.without_cutoffs
    if without_cutoffs:
        listener(Notice(_without_cutoffs_text(profiles, without_cutoffs)))
    done = 0
    for batch in _batches(sequences):
        keys = [sequence_key(sequence) for sequence in batch]
        found = {} if cache is None or known is None else cache.find(known, list(dict.fromkeys(keys)))
        missing: dict[bytes, str] = {}
        for offset, (key, sequence) in enumerate(zip(keys, batch, strict=True)):
            if key not in found and key not in missing:
                _refuse_letters(sequence, done + offset + 1)
                _notice_length(sequence, done + offset + 1, listener)
                missing[key] = sequence
        if missing:
            report = _progress_within(listener, done + len(batch) - len(missing), len(missing), total)
            results = _search(list(missing.values()), profiles, threads, report)
            new = dict(zip(missing, results, strict=True))
            if cache is not None and known is not None:
                cache.store(known, new)
            found.update(new)
        done += len(batch)
        listener(Progress(STAGE, done, total, "proteins"))
        yield from (found[key] for key in keys)


def _known_profiles(cache: DomainCache, profiles: ProfileSet) -> KnownProfiles:
    known = cache.known_profiles(profiles.sha256)
    if known is None:
        known = cache.remember_profiles(profiles.sha256, without_cutoffs=profiles.without_cutoffs)
    return known


def _without_cutoffs_text(profiles: ProfileSet, without_cutoffs: int) -> str:
    return (
        f"{without_cutoffs} of the profiles in {profiles.path} have no gathering cut-off: they count as found up to an "
        f"E-value of {E_VALUE:g} in a search of the whole set."
    )


def _batches(sequences: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    residues = 0
    for sequence in sequences:
        batch.append(sequence)
        residues += len(sequence)
        if len(batch) == _BATCH_SEQUENCES or residues >= _BATCH_RESIDUES:
            yield batch
            batch, residues = [], 0
    if batch:
        yield batch


def _refuse_letters(sequence: str, number: int) -> None:
    position = PROTEIN.first_invalid(sequence)
    if position is not None:
        got = f"{sequence[position]!r} at position {position + 1}"
        what = "a letter that is not protein"
        raise InputError(what, where=f"sequence {number}", got=got, wanted=PROTEIN.describe())


def _notice_length(sequence: str, number: int, listener: Listener) -> None:
    if len(sequence) > LONGEST_SEQUENCE:
        text = (
            f"Sequence {number} has {len(sequence):,} residues: domains are searched in its first "
            f"{LONGEST_SEQUENCE:,} only, the most that HMMER takes."
        )
        listener(Notice(text, "warning"))


def _progress_within(listener: Listener, done: int, count: int, total: int | None) -> Callable[[int, int], None]:
    def report(searched: int, profiles: int) -> None:
        # All sequences of a batch are finished at once: the share of the profiles stands for a share of them.
        if searched % max(1, profiles // _TICKS_PER_BATCH) == 0 and searched < profiles:
            listener(Progress(STAGE, done + count * searched // profiles, total, "proteins"))

    return report


def _search(
    sequences: Sequence[str], profiles: ProfileSet, threads: int, report: Callable[[int, int], None]
) -> list[tuple[str, ...]]:
    # pyhmmer takes as long to import as numpy, and `primase --help` must not wait for it.
    from pyhmmer.easel import Alphabet, DigitalSequenceBlock, TextSequence  # noqa: PLC0415
    from pyhmmer.hmmer import hmmsearch  # noqa: PLC0415

    amino = Alphabet.amino()
    digital = [
        TextSequence(name=str(index), sequence=sequence[:LONGEST_SEQUENCE]).digitize(amino)
        for index, sequence in enumerate(sequences)
    ]
    block: Any = DigitalSequenceBlock(amino, digital)  # its type says nothing of its being an iterable of sequences
    hits: list[list[tuple[float, str]]] = [[] for _ in sequences]
    searched = 0
    for models, options in _searches(profiles):
        for top_hits in hmmsearch(models, block, cpus=threads, **options):
            name = top_hits.query.name
            for hit in top_hits:
                if _counts(hit):
                    hits[int(hit.name)].append((-hit.score, name))
            searched += 1
            report(searched, len(profiles))
    return [tuple(name for _, name in sorted(of_sequence)) for of_sequence in hits]


def _searches(profiles: ProfileSet) -> Iterator[tuple[list[HMM[Any]], dict[str, Any]]]:
    """Sort the profiles by how a hit is judged, and give the search's options for each kind."""
    with_cutoffs = [model for model in profiles.models if model.cutoffs.gathering_available()]
    without = [model for model in profiles.models if not model.cutoffs.gathering_available()]
    if with_cutoffs:
        yield with_cutoffs, {"bit_cutoffs": "gathering"}
    if without:
        # Z and domZ are what E-values are multiplied by; left alone, they are the number of sequences in the batch.
        size = len(profiles)
        limits = {"E": E_VALUE, "incE": E_VALUE, "domE": E_VALUE, "incdomE": E_VALUE}
        yield without, {"Z": size, "domZ": size, **limits}


def _counts(hit: Hit) -> bool:
    return hit.included and any(domain.included for domain in hit.domains)
