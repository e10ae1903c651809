"""What would leak and what is odd in expression: twins, patients on both sides, batches that confound, giveaways."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Integer, Shaped
from scipy.stats import rankdata
from scipy.stats.contingency import crosstab

from primase.apps.expression.profiles import Profiles
from primase.data.audit import Finding, Fingerprints, Kinship, audit_groups
from primase.data.examples import Examples, Indices, evenly_spread
from primase.data.splits import Partition

NEAR: Final = 0.999
"""Two profiles that correlate so well count as one sample measured twice."""
FEWEST_GENES: Final = 20
"""Over fewer genes samples are alike by chance."""
ROUNDED: Final = 3
"""Fingerprints forget what is behind so many decimals of the modelled scale."""

MOST_TESTED: Final = 4000
MOST_TRAINED: Final = 60_000
MOST_RANKED: Final = 3000
"""So many samples are compared at most; where there are more, that is said."""

PROJECTED: Final = 256
_ALLOWANCE: Final = 0.002
"""A projection to 256 numbers misses a correlation of 0.999 by 0.0001 or so."""
_CHECKED: Final = 64
"""So many of the most similar candidates are checked exactly."""

MOST_LEVELS: Final = 60
CONFOUNDED: Final = 0.3
EXPLAINED: Final = 0.25
GIVEN_AWAY: Final = 0.99
FEWEST_OF_A_LABEL: Final = 10
_SHOWN: Final = 5

Words = Shaped[np.ndarray, "examples"]


def audit_expression(
    examples: Examples[Profiles], labels: Sequence[str] = (), partition: Partition | None = None
) -> list[Finding]:
    """Look for what both applications find odd; what needs a split is left out without one.

    Parameters
    ----------
    examples
        With all genes that are looked at, and columns of words as covariates.
    labels
        The label columns, among the covariates.
    """
    known = [name for name in labels if name in examples.covariates]
    findings = [*confounded(examples.covariates, known)]
    if partition is not None:
        findings += [*audit_groups(examples, partition, what="sample"), *_twins(examples, partition)]
        train = partition.train
    else:
        train = np.arange(len(examples))
    findings += explained_by_columns(examples.inputs.take(train), _taken(examples.covariates, train), known)
    findings += giveaways(examples.inputs.take(train), {name: examples.covariates[name][train] for name in known})
    return findings


def _taken(columns: Mapping[str, Words], rows: Indices) -> dict[str, Words]:
    return {name: column[rows] for name, column in columns.items()}


def fingerprints(profiles: Profiles) -> Fingerprints:
    """Hash each profile, rounded to three decimals on the modelled scale; empty where all is zero or missing."""
    found = np.full(len(profiles), "", dtype=object)
    for place, values in profiles.blocks():
        rounded = np.nan_to_num(np.round(values, ROUNDED).astype(np.float32), nan=-1e30) + np.float32(0)  # no -0
        blank = ((values == 0) | np.isnan(values)).all(axis=1)
        for row in np.flatnonzero(~blank).tolist():
            found[place.start + row] = hashlib.blake2b(rounded[row].tobytes(), digest_size=16).hexdigest()
    return found


def near_twins(profiles: Profiles, tested: Indices, trained: Indices) -> Bool[np.ndarray, "tested"]:
    """Tell for each tested sample whether a sample in train is nearly identical: a correlation of at least 0.999.

    Correlations are taken over genes on the modelled scale. Where there are many genes, candidates are found among
    random projections (Johnson and Lindenstrauss 1984), and the most similar of them checked exactly.
    """
    found = np.zeros(len(tested), dtype=np.bool_)
    if not len(tested) or not len(trained) or len(profiles.columns) < FEWEST_GENES:
        return found
    projection = _projection(len(profiles.columns))
    known = _projected(profiles, trained, projection)
    for start in range(0, len(tested), 256):
        rows = tested[start : start + 256]
        similarity = _projected(profiles, rows, projection) @ known.T
        likely = similarity >= NEAR - (_ALLOWANCE if projection is not None else 1e-5)
        for row in np.flatnonzero(likely.any(axis=1)).tolist():
            places = np.flatnonzero(likely[row])
            candidates = trained[places[np.argsort(-similarity[row, places], kind="stable")[:_CHECKED]]]
            pair = _standardised(profiles.values(np.concatenate([rows[row : row + 1], candidates])))
            found[start + row] = bool((pair[1:] @ pair[0] >= NEAR).any())
    return found


def _projection(genes: int) -> Float[np.ndarray, "genes projected"] | None:
    if genes <= 2 * PROJECTED:
        return None
    drawn = np.random.default_rng(0).standard_normal((genes, PROJECTED), dtype=np.float32)
    return np.asarray(drawn / np.sqrt(PROJECTED), dtype=np.float32)


def _projected(
    profiles: Profiles, rows: Indices, projection: Float[np.ndarray, "genes projected"] | None
) -> Float[np.ndarray, "rows numbers"]:
    blocks = []
    for start in range(0, len(rows), 1024):
        values = _standardised(profiles.values(rows[start : start + 1024]))
        if projection is not None:
            values = values @ projection
            values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
        blocks.append(values)
    return np.concatenate(blocks)


def _standardised(values: Float[np.ndarray, "rows genes"]) -> Float[np.ndarray, "rows genes"]:
    """Bring rows to mean 0 and length 1, so that products are correlations; a constant row becomes zeros."""
    missing = np.isnan(values)
    means = np.where(missing, 0, values).sum(axis=1, keepdims=True) / np.maximum(
        (~missing).sum(axis=1, keepdims=True), 1
    )
    centred = np.where(missing, 0, values - means).astype(np.float32)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.where(lengths > 1e-6, centred / np.maximum(lengths, 1e-6), 0).astype(np.float32)


def _spread(rows: Indices, most: int) -> Indices:
    """Choose so many rows at most, evenly."""
    return np.asarray(rows[evenly_spread(len(rows), most)])


def _twins(examples: Examples[Profiles], partition: Partition) -> Iterator[Finding]:
    tested, trained = _spread(partition.test, MOST_TESTED), _spread(partition.train, MOST_TRAINED)
    count = int(near_twins(examples.inputs, tested, trained).sum())
    text = (
        f"{count:,} of {len(tested):,} test samples have a nearly identical profile in train (correlation from {NEAR})."
    )
    if len(tested) < len(partition.test) or len(trained) < len(partition.train):
        text += f" {len(tested):,} of {len(partition.test):,} were compared with {len(trained):,} of train."
    if count:
        text += " They may be one sample under two names: what is tested on them is memory."
    yield Finding("nearly identical profiles across the split", count, "warning" if count else "info", text)


def kinship(examples: Examples[Profiles], partition: Partition) -> Kinship | None:
    """Find the test samples that share a group with one in train, or are nearly identical to one; None without any.

    Above 4,000 test samples nearly identical ones are not looked for, and the finding says so.
    """
    related = np.zeros(len(partition.test), dtype=np.bool_)
    for group in examples.groups.values():
        related |= np.isin(group[partition.test], group[partition.train])
    compared = len(partition.test) <= MOST_TESTED
    if compared:
        related |= near_twins(examples.inputs, partition.test, _spread(partition.train, MOST_TRAINED))
    count = int(related.sum())
    if not count:
        return None
    names = " or ".join([*examples.groups, *(["profile"] if compared else [])])
    text = (
        f"{count:,} of {len(related):,} test samples share their {names} with train; figures without them stand beside."
    )
    if not compared:
        text += (
            f" Nearly identical profiles are not among them: they are looked for in {MOST_TESTED:,} samples at most."
        )
    relation = "sharing a group or profile with train" if compared else "sharing a group with train"
    return Kinship(related, Finding("kin of train", count, "warning", text), relation)


def cramers_v(first: Words, second: Words) -> float:
    """Measure how well one column of words tells another, from 0 to 1.

    Corrected for the number of samples (Bergsma 2013, Journal of the Korean Statistical Society 42:323).
    """
    table = crosstab(first.astype(str), second.astype(str)).count.astype(np.float64)
    total = table.sum()
    rows, columns = table.shape
    if min(rows, columns) < 2 or total < 2:
        return 0.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / total
    phi2 = max(
        0.0, float(((table - expected) ** 2 / expected).sum() / total) - (rows - 1) * (columns - 1) / (total - 1)
    )
    smaller = min(rows - (rows - 1) ** 2 / (total - 1), columns - (columns - 1) ** 2 / (total - 1)) - 1
    return min(1.0, float(np.sqrt(phi2 / smaller))) if smaller > 0 else 0.0


def confounded(columns: Mapping[str, Words], labels: Sequence[str]) -> Iterator[Finding]:
    """Find columns of words, such as batches and cohorts, that tell a label (Cramér's V from 0.3)."""
    for label in labels:
        for name, column in columns.items():
            if name in labels or not _has_levels(column) or not _has_levels(columns[label]):
                continue
            known = (column != "") & (columns[label] != "")
            strength = cramers_v(column[known], columns[label][known]) if known.any() else 0.0
            if strength >= CONFOUNDED:
                text = (
                    f"{name} tells {label} (Cramér's V {strength:.2f}, where 1 is without fail): what is learned of "
                    f"{label} may be {name}. Balance them, or keep every {name} together with --group-column {name}."
                )
                yield Finding(f"{label} confounded with {name}", int(known.sum()), "warning", text)


def _has_levels(column: Words) -> bool:
    return 2 <= len({*column.tolist()} - {""}) <= MOST_LEVELS


def explained_by_columns(
    profiles: Profiles, columns: Mapping[str, Words], labels: Sequence[str] = ()
) -> Iterator[Finding]:
    """Say of each column of words which share of the variance of genes it explains, if it is a quarter or more.

    The mean over genes of omega squared (Hays 1963), which chance does not inflate.
    """
    for name, column in columns.items():
        if not _has_levels(column):
            continue
        known = _spread(np.flatnonzero(column != ""), MOST_TRAINED)
        share = variance_explained(profiles.take(known), np.unique(column[known].astype(str), return_inverse=True)[1])
        if share < EXPLAINED:
            continue
        text = f"{name} explains {share:.0%} of the variance of a gene on average. "
        if name in labels:
            text += "That is what one hopes of a label that says what kind of sample it is."
            yield Finding(f"variance explained by {name}", len(known), "info", text)
        else:
            text += (
                "If it is how samples were measured and not what they are, most of what a network gets right is which "
                f"{name} a sample is of; --group-column {name} asks whether it goes beyond."
            )
            yield Finding(f"variance explained by {name}", len(known), "warning", text)


def variance_explained(profiles: Profiles, levels: Integer[np.ndarray, "examples"]) -> float:
    """Compute the mean over genes of the share of variance that a grouping of samples explains, from 0 to 1."""
    count = int(levels.max(initial=0)) + 1
    genes = len(profiles.columns)
    sums, sizes, squares = np.zeros((count, genes)), np.zeros((count, genes)), np.zeros(genes)
    for place, block in profiles.blocks():
        values, known = np.nan_to_num(block.astype(np.float64)), ~np.isnan(block)
        member = np.eye(count)[levels[place]]
        sums += member.T @ values
        sizes += member.T @ known
        squares += (values**2).sum(axis=0)
    total = sizes.sum(axis=0)
    whole = squares - sums.sum(axis=0) ** 2 / np.maximum(total, 1)
    between = (sums**2 / np.maximum(sizes, 1)).sum(axis=0) - sums.sum(axis=0) ** 2 / np.maximum(total, 1)
    within = (whole - between) / np.maximum(total - count, 1)
    varies = whole > 1e-9 * np.maximum(squares, 1e-9)
    if not varies.any():
        return 0.0
    omega = (between - (count - 1) * within)[varies] / (whole + within)[varies]
    return float(np.clip(omega, 0, 1).mean())


def giveaways(profiles: Profiles, labels: Mapping[str, Words]) -> Iterator[Finding]:
    """Find genes of which one alone tells a label from all others (AUROC from 0.99, either way round)."""
    for name, column in labels.items():
        known = _spread(np.flatnonzero(column != ""), MOST_RANKED)
        words, members = np.unique(column[known].astype(str), return_inverse=True)
        if not 2 <= len(words) <= MOST_LEVELS:
            continue
        areas = label_areas(np.nan_to_num(profiles.values(known), nan=0.0), members, len(words))
        best = np.maximum(areas, 1 - areas)
        places = np.flatnonzero(np.nanmax(best, axis=0, initial=0) >= GIVEN_AWAY)
        if len(places):
            order = places[np.argsort(-np.nanmax(best[:, places], axis=0, initial=0), kind="stable")][:_SHOWN]
            genes = profiles.genes
            shown = ", ".join(f"{genes[at]} ({words[int(np.nanargmax(best[:, at]))]})" for at in order.tolist())
            text = (
                f"{len(places):,} genes tell one {name} from all others on their own (AUROC from {GIVEN_AWAY}), such "
                f"as {shown}. Markers of a tissue do; a gene by which samples were chosen or labelled gives the answer "
                "away."
            )
            yield Finding(f"genes that give {name} away", len(places), "info", text)


def label_areas(
    values: Float[np.ndarray, "samples genes"], members: Integer[np.ndarray, "samples"], labels: int
) -> Float[np.ndarray, "labels genes"]:
    """Compute the area under the ROC curve of each gene for each label against the rest; NaN where one is too rare."""
    sizes = np.bincount(members, minlength=labels)
    member = np.eye(labels)[members]
    areas = np.full((labels, values.shape[1]), np.nan)
    enough = (sizes >= FEWEST_OF_A_LABEL) & (len(members) - sizes >= FEWEST_OF_A_LABEL)
    for start in range(0, values.shape[1], 512):
        ranks = rankdata(values[:, start : start + 512], axis=0)
        above = member.T @ ranks - (sizes * (sizes + 1) / 2)[:, None]
        pairs = np.maximum(sizes * (len(members) - sizes), 1)[:, None]
        areas[enough, start : start + 512] = (above / pairs)[enough]
    return areas
