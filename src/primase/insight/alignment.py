"""Putting stretches together that are alike, however they are shifted, and on whichever strand they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

MOST_COMPARED: Final = 1500
"""So many stretches are compared each with each; the others with what comes out."""

MERGED: Final = 0.8
"""Groups whose mean profiles are as alike as this are one."""

ROUNDS: Final = 3

Profiles = Float[np.ndarray, "stretches 4 width"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Stretches that are alike.

    Parameters
    ----------
    members
        Which stretches.
    offsets
        By how many letters the start of each is to be moved, so that all are aligned.
    reverse
        Whether it must be read on the other strand for that.
    """

    members: Int[np.ndarray, "members"]
    offsets: Int[np.ndarray, "members"]
    reverse: Bool[np.ndarray, "members"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """How alike patterns and stretches are in their best alignment: cosine, shift and strand of each pair."""

    cosine: Float[np.ndarray, "patterns stretches"]
    shift: Int[np.ndarray, "patterns stretches"]
    reverse: Bool[np.ndarray, "patterns stretches"]


def align(profiles: Profiles, *, both_strands: bool, similarity: float, least: int) -> list[Group]:
    """Group stretches by their profiles, and align the stretches of each group.

    Clusters of average linkage give patterns; then every stretch goes to the pattern that it fits best, and the
    patterns are computed anew, a few times.

    Parameters
    ----------
    profiles
        What each letter of a stretch contributes; it need not be normalised.
    both_strands
        Whether stretches may be alike on opposite strands.
    similarity
        How alike a stretch must be to its pattern: the cosine, from 0 to 1.
    least
        Groups with fewer members are dropped.
    """
    lengths = np.linalg.norm(profiles, axis=(1, 2), keepdims=True)
    units = np.divide(profiles, lengths, out=np.zeros_like(profiles), where=lengths > 0)
    patterns = _patterns(units, both_strands=both_strands, similarity=similarity, least=least)
    groups: list[Group] = []
    for _ in range(ROUNDS):
        if len(patterns) == 0:
            return []
        patterns = _merged(patterns, both_strands=both_strands)
        fit = _fitted(patterns, units, both_strands=both_strands)
        groups = _groups(fit, similarity, least)
        patterns = np.array([_mean(units, group) for group in groups])
    return groups


def _patterns(units: Profiles, *, both_strands: bool, similarity: float, least: int) -> Profiles:
    """Cluster the strongest stretches, and some of the others, and take the mean of each cluster."""
    if len(units) < max(2, least):
        return np.empty((0, *units.shape[1:]))
    half = MOST_COMPARED // 2
    spread = np.linspace(0, len(units) - 1, half).astype(np.int64)
    chosen = np.unique(np.concatenate([np.arange(min(half, len(units))), spread]))
    fit = _fitted(units[chosen], units[chosen], both_strands=both_strands)
    distances = np.clip(1 - (fit.cosine + fit.cosine.T) / 2, 0, None)
    np.fill_diagonal(distances, 0)
    clusters = fcluster(linkage(squareform(distances, checks=False), "average"), 1 - similarity, "distance")
    enough = max(2, round(least * len(chosen) / len(units)))
    patterns = []
    for cluster in range(1, int(clusters.max()) + 1):
        members = np.flatnonzero(clusters == cluster)
        if len(members) >= enough:
            middle = members[fit.cosine[np.ix_(members, members)].sum(axis=1).argmax()]
            group = _aligned(chosen[members], fit.shift[middle, members], fit.reverse[middle, members])
            patterns.append(_mean(units, group))
    return np.array(patterns).reshape(-1, *units.shape[1:])


def _fitted(patterns: Profiles, units: Profiles, *, both_strands: bool) -> _Fit:
    """Compare each pattern with each stretch in all alignments that leave two thirds of it."""
    width = units.shape[2]
    lengths = np.linalg.norm(patterns, axis=(1, 2), keepdims=True)
    rows = (patterns / np.maximum(lengths, 1e-12)).reshape(len(patterns), -1).astype(np.float32)
    best = np.full((len(patterns), len(units)), -np.inf, dtype=np.float32)
    shift = np.zeros(best.shape, dtype=np.int64)
    reverse = np.zeros(best.shape, dtype=bool)
    for other in (False, True)[: 1 + both_strands]:
        read = units[:, ::-1, ::-1] if other else units
        for by in range(-(width // 3), width // 3 + 1):
            cosine = rows @ _shifted(read, by).reshape(len(units), -1).astype(np.float32).T
            better = cosine > best
            best[better] = cosine[better]
            shift[better] = by
            reverse[better] = other
    return _Fit(best, shift, reverse)


def _shifted(profiles: Profiles, by: int) -> Profiles:
    """Move profiles to the left by so many places, or to the right if negative; what moves in is zero."""
    moved = np.zeros_like(profiles)
    width = profiles.shape[2]
    moved[..., max(0, -by) : width - max(0, by)] = profiles[..., max(0, by) : width + min(0, by)]
    return moved


def _aligned(members: Int[np.ndarray, "members"], shift: Int[np.ndarray, "members"], reverse: np.ndarray) -> Group:
    # On the other strand, the start of a stretch is its end.
    return Group(members, np.where(reverse, -shift, shift), reverse)


def _mean(units: Profiles, group: Group) -> Float[np.ndarray, "4 width"]:
    """Take the mean profile of a group as it is aligned."""
    total = np.zeros(units.shape[1:])
    for offset in np.unique(group.offsets):
        for reverse in (False, True):
            chosen = group.members[(group.offsets == offset) & (group.reverse == reverse)]
            moved = _shifted(units[chosen], int(offset)).sum(axis=0)
            total += moved[::-1, ::-1] if reverse else moved
    return total / max(1, len(group.members))


def _merged(patterns: Profiles, *, both_strands: bool) -> Profiles:
    """Leave out the patterns that are like an earlier one."""
    fit = _fitted(patterns, patterns / np.linalg.norm(patterns, axis=(1, 2), keepdims=True), both_strands=both_strands)
    kept: list[int] = []
    for number in range(len(patterns)):
        if not any(fit.cosine[earlier, number] >= MERGED for earlier in kept):
            kept.append(number)
    return patterns[kept]


def _groups(fit: _Fit, similarity: float, least: int) -> list[Group]:
    """Put each stretch to the pattern that it fits best, if it does; the largest group comes first."""
    best = fit.cosine.argmax(axis=0)
    alike = fit.cosine.max(axis=0) >= similarity
    groups = []
    for number in range(len(fit.cosine)):
        members = np.flatnonzero((best == number) & alike)
        if len(members) >= least:
            groups.append(_aligned(members, fit.shift[number, members], fit.reverse[number, members]))
    return sorted(groups, key=lambda group: -len(group.members))
