"""Which genes are measured (landmarks) and which are inferred (targets): named by the user, or chosen on train."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no annotations

from primase.apps.expression.profiles import Profiles
from primase.bio.reading import open_text
from primase.data.audit import Finding
from primase.data.examples import evenly_spread
from primase.errors import ConfigurationError, InputError

CLUSTERED_SAMPLES: Final = 3_000
"""Landmarks are chosen by so many training samples, evenly spread: more change little and take long."""

COMPONENTS: Final = 100
"""Gene profiles are clustered in so many main directions."""

NEAR_COPY: Final = 0.99
"""A gene with this correlation to a landmark on train, or more, needs no network: it is all but measured."""

GENES_AT_ONCE: Final = 512
_SHOWN: Final = 10


def read_gene_list(path: Path) -> tuple[str, ...]:
    """Read names of genes, the first word of each line; lines that begin with # and empty ones are left out.

    Returns
    -------
    tuple of str
        Each name once, in the order of the file.

    Raises
    ------
    InputError
        If the file cannot be read (ReadError), or names no gene.
    """
    with open_text(path) as file:
        lines = file.read().splitlines()
    words = [line.replace(",", " ").split() for line in lines if not line.lstrip().startswith("#")]
    names = tuple(dict.fromkeys(line[0] for line in words if line))
    if not names:
        what = "the list of genes is empty"
        raise InputError(what, where=str(path), wanted="one gene a line")
    return names


def present(names: Sequence[str], genes: Sequence[str], *, where: str, role: str) -> tuple[tuple[str, ...], Finding]:
    """Keep those of some names that occur among the genes, and say how many do.

    Parameters
    ----------
    where
        Where the names are from, for messages.
    role
        What they are to be, in the plural.

    Raises
    ------
    InputError
        If none occurs.
    """
    known = frozenset(genes)
    found = tuple(name for name in names if name in known)
    missing = [name for name in names if name not in known]
    if not found:
        what = f"none of the {len(names):,} {role} occurs among the genes"
        got = f"genes such as {', '.join(genes[:3])}"
        wanted = f"names such as {', '.join(names[:3])}"
        advice = (
            "Name others, or let landmarks be chosen with --choose-landmarks N; where those are samples and no genes, "
            "the table lies the other way: say --orientation."
        )
        raise InputError(what, where=where, got=got, wanted=wanted, advice=advice)
    text = f"{len(found):,} of the {len(names):,} {role} ({where}) occur among the genes."
    if missing:
        text += f" Missing: {shown(missing)}."
    few = len(found) < len(names) / 2
    return found, Finding(f"{role} that occur", len(found), "warning" if few and missing else "info", text)


def shown(names: Sequence[str], most: int = _SHOWN) -> str:
    """List names, and how many more there are.

    Examples
    --------
    >>> shown(["A", "B", "C"], 2)
    'A, B and 1 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def choose_landmarks(train: Profiles, count: int, seed: int) -> tuple[str, ...]:
    """Choose genes that stand for the others: the medoids of clusters of genes that go up and down together.

    The way of Peck et al. (2006, Genome Biology 7:R61) and of the L1000 landmarks: genes are clustered by their
    standardised profiles over training samples (k-means), and of each cluster the gene nearest to its centre is taken.

    Parameters
    ----------
    train
        All genes of the training part.
    count
        How many; at least 1.

    Raises
    ------
    ConfigurationError
        If there are not more genes that vary.
    """
    rows = evenly_spread(len(train), CLUSTERED_SAMPLES)
    profiles, varies = _gene_profiles(train.values(rows))
    names = np.asarray(train.genes, dtype=object)[varies]
    if count >= len(names):
        what = "so many landmarks would leave no gene to infer"
        got, wanted = str(count), f"fewer than the {len(names):,} genes that vary in train"
        raise ConfigurationError(what, where="--choose-landmarks", got=got, wanted=wanted)
    width = min(COMPONENTS, *profiles.shape)
    with threadpool_limits(1):
        if width < profiles.shape[1]:
            profiles = PCA(width, svd_solver="randomized", random_state=seed).fit_transform(profiles)
        clusters = KMeans(count, n_init=2, random_state=seed).fit(profiles)
    distances = ((profiles - clusters.cluster_centers_[clusters.labels_]) ** 2).sum(axis=1)
    chosen = []
    for cluster in range(count):
        members = np.flatnonzero(clusters.labels_ == cluster)
        if len(members):  # Identical profiles may leave a cluster empty.
            chosen.append(members[np.argmin(distances[members])])
    return tuple(str(name) for name in names[np.sort(chosen)])


def _gene_profiles(
    values: Float[np.ndarray, "samples genes"],
) -> tuple[Float[np.ndarray, "varying samples"], Bool[np.ndarray, "genes"]]:
    """Standardise each gene over the samples, to length 1; tell those that vary at all."""
    known = ~np.isnan(values)
    means = np.where(known, values, 0).sum(axis=0, dtype=np.float64) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, values - means, 0).astype(np.float32)
    lengths = np.linalg.norm(centred, axis=0)
    varies = lengths > 1e-6 * np.maximum(np.abs(means), 1e-6) * np.sqrt(max(len(values), 1))
    return np.ascontiguousarray((centred[:, varies] / lengths[varies]).T), varies


@final
@dataclass(frozen=True, slots=True, eq=False)
class CandidateFacts:
    """What train tells of each gene that may become a target.

    Parameters
    ----------
    constant
        Whether all its known values are the same, or none is known.
    expressed
        The share of samples in which it is above zero.
    nearest
        The largest correlation with a landmark, whatever its sign.
    landmark
        The place of that landmark.
    """

    constant: Bool[np.ndarray, "candidates"]
    expressed: Float[np.ndarray, "candidates"]
    nearest: Float[np.ndarray, "candidates"]
    landmark: Float[np.ndarray, "candidates"]


def candidate_facts(train: Profiles, landmarks: Sequence[str], candidates: Sequence[str]) -> CandidateFacts:
    """Measure the candidates on train, in one pass over its samples.

    Correlations are over at most some thousand samples, evenly spread.
    """
    rows = evenly_spread(len(train), CLUSTERED_SAMPLES)
    measured, varies = _gene_profiles(train.only(landmarks).values(rows))
    places = np.flatnonzero(varies)
    asked = train.only(candidates)
    low, high = np.full(len(candidates), np.inf), np.full(len(candidates), -np.inf)
    above, known = np.zeros(len(candidates)), np.zeros(len(candidates))
    for _, values in asked.blocks():
        low = np.fmin(low, np.fmin.reduce(values, axis=0))
        high = np.fmax(high, np.fmax.reduce(values, axis=0))
        above += (values > 0).sum(axis=0)
        known += (~np.isnan(values)).sum(axis=0)
    spread = asked.values(rows)
    nearest, landmark = np.zeros(len(candidates)), np.zeros(len(candidates), dtype=np.int64)
    for start in range(0, len(candidates), GENES_AT_ONCE):
        own, own_varies = _gene_profiles(spread[:, start : start + GENES_AT_ONCE])
        if len(measured) and own_varies.any():
            correlations = np.abs(own @ measured.T)
            varying = start + np.flatnonzero(own_varies)
            nearest[varying] = correlations.max(axis=1)
            landmark[varying] = places[correlations.argmax(axis=1)]
    return CandidateFacts(_between(low, high), above / np.maximum(known, 1), nearest, landmark)


def is_constant(values: Float[np.ndarray, "samples genes"]) -> Bool[np.ndarray, "genes"]:
    """Tell which genes have the same value wherever it is known, up to rounding, or are never known."""
    known = ~np.isnan(values)
    low = np.where(known, values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(known, values, -np.inf).max(axis=0, initial=-np.inf)
    return _between(low, high)


def _between(low: Float[np.ndarray, "genes"], high: Float[np.ndarray, "genes"]) -> Bool[np.ndarray, "genes"]:
    """Tell which genes are constant, by their lowest and highest values (inf and -inf of those never known)."""
    varies = (high > low) & (high - low > 1e-6 * np.maximum(np.abs(high), 1e-6))
    return np.asarray(~varies)


def runs(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut names into runs of some hundred, so that as many genes are read at a time."""
    for start in range(0, len(names), GENES_AT_ONCE):
        yield names[start : start + GENES_AT_ONCE]


@final
@dataclass(frozen=True, slots=True)
class Question:
    """Which genes are known of a sample, and which are asked for."""

    landmarks: tuple[str, ...]
    targets: tuple[str, ...]
    findings: tuple[Finding, ...]


def choose_targets(
    train: Profiles,
    landmarks: Sequence[str],
    candidates: Sequence[str],
    *,
    minimum_expressed: float,
    maximum_correlation: float,
) -> Question:
    """Leave out of the candidates what is no question: landmarks, constant genes, genes that are hardly ever there.

    Parameters
    ----------
    candidates
        Genes that are to be inferred; landmarks among them are left out.
    minimum_expressed
        The least share of training samples in which a target is above zero.
    maximum_correlation
        The largest correlation of a target with a landmark on train; 1 keeps all.

    Raises
    ------
    InputError
        If no target is left.
    """
    taken = frozenset(landmarks)
    asked = tuple(gene for gene in candidates if gene not in taken)
    if not asked:
        what = "every gene is a landmark, so that there is none to infer"
        raise InputError(what, got=f"{len(landmarks):,} landmarks", wanted="genes that are no landmarks")
    facts = candidate_facts(train, landmarks, asked)
    names = np.asarray(asked, dtype=object)
    rare = ~facts.constant & (facts.expressed < minimum_expressed)
    copies = ~facts.constant & ~rare & (facts.nearest >= NEAR_COPY)
    dropped = ~facts.constant & ~rare & (maximum_correlation < 1) & (facts.nearest > maximum_correlation)
    kept = ~(facts.constant | rare | dropped)
    if not kept.any():
        what = "no gene is left to infer"
        got = f"{len(asked):,} genes, of which {int(facts.constant.sum()):,} are constant in train"
        raise InputError(what, got=got, wanted="at least one gene that varies and is no landmark")
    findings = [
        Finding("targets that are landmarks", len(candidates) - len(asked), "info", _LANDMARKS_AMONG)
        if len(asked) < len(candidates)
        else None,
        _finding(
            names[facts.constant],
            "constant targets",
            "warning",
            "constant in train and therefore no targets: nothing can be learned of them",
        ),
        _finding(
            names[rare],
            "rarely expressed genes",
            "info",
            f"above zero in less than {minimum_expressed:.0%} of the training samples and therefore no targets",
        ),
        _copies(names, np.asarray(landmarks, dtype=object), facts, copies, dropped),
    ]
    return Question(tuple(landmarks), tuple(names[kept].tolist()), tuple(one for one in findings if one is not None))


_LANDMARKS_AMONG: Final = (
    "Genes that are landmarks stand among those to infer as well. They are measured, and so no targets: to predict "
    "them would be to copy them."
)


def _finding(names: np.ndarray, finding: str, severity: str, text: str) -> Finding | None:
    if not len(names):
        return None
    genes = "1 gene is" if len(names) == 1 else f"{len(names):,} genes are"
    return Finding(finding, len(names), severity, f"{genes} {text}: {shown(names.tolist())}.")  # type: ignore[arg-type]  # one of the literals


def _copies(
    names: np.ndarray,
    landmarks: np.ndarray,
    facts: CandidateFacts,
    copies: Bool[np.ndarray, "candidates"],
    dropped: Bool[np.ndarray, "candidates"],
) -> Finding | None:
    """Say which targets are all but measured: their figures are no inference."""
    found = np.flatnonzero(copies | dropped)
    if not len(found):
        return None
    order = found[np.argsort(-facts.nearest[found], kind="stable")]
    pairs = [f"{names[place]} ({landmarks[int(facts.landmark[place])]})" for place in order[:_SHOWN].tolist()]
    fate = "left out" if dropped.any() else "kept; --maximum-correlation leaves them out"
    least = facts.nearest[found].min()
    more = f" and {len(order) - len(pairs):,} more" if len(order) > len(pairs) else ""
    text = (
        f"{len(found):,} genes are near-copies of a landmark (correlation of at least {least:.2f} on train), so that "
        f"to infer them is to copy it: {', '.join(pairs)}{more}. They are {fate}."
    )
    return Finding("give-aways", len(found), "info" if dropped.any() else "warning", text)
