"""What gives a label away without any motif: composition, length, case, one position, the remains of an adapter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float64, Int64, Shaped
from scipy.stats import rankdata

from primase.apps.sequences.anchors import (
    Letters,
    first_letters,
    has_mixed_case,
    last_letters,
    marked_regions,
    marking_case,
    whole_blocks,
)
from primase.apps.sequences.positions import Answers, answer_columns, best_position
from primase.apps.sequences.probes import composition
from primase.bio.nucleotides import BASES
from primase.data.audit import Finding
from primase.data.examples import Examples
from primase.data.sequences import Sequences

TELLING: Final = 0.65
"""From this AUROC of a nuisance on, or below one minus it, the audit warns."""

WORD: Final = 8
PLACED_WORD: Final = 6
_SAMPLED: Final = 10_000
_FARTHEST: Final = 1000
_LABELS: Final = 50
_COMMON: Final = 0.2
_TIMES: Final = 10.0
_PLAIN: Final = 0.8
_FEWEST: Final = 30
_BASES: Final = (1, 2, 4, 8)

Values = Float64[np.ndarray, "examples"]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Some examples with known answers, few enough to look at closely.

    Parameters
    ----------
    examples
        At most 10,000, drawn at random.
    answers
        Their answers, as :func:`answer_columns` writes them, for the 50 targets with most positives at most.
    names
        The names of those targets.
    """

    examples: Examples[Sequences]
    answers: Answers
    names: Sequence[str]

    @classmethod
    def of(cls, examples: Examples[Sequences], labels: Sequence[str]) -> Sample:
        """Draw the examples; the targets are named as the task names its labels."""
        answers = answer_columns(examples.targets)
        names = list(labels[1:2]) if answers.shape[1] == 1 and len(labels) == 2 else list(labels)
        chosen = np.flatnonzero((answers >= 0).any(axis=1))
        chosen = np.sort(np.random.default_rng(0).permutation(chosen)[:_SAMPLED])
        frequent = np.sort(np.argsort(-(answers == 1).sum(axis=0), kind="stable")[:_LABELS])
        return cls(examples.take(chosen), answers[np.ix_(chosen, frequent)], [names[column] for column in frequent])

    def sides(self) -> Iterator[tuple[str, Int64[np.ndarray, "yes"], Int64[np.ndarray, "no"]]]:
        """Go through the targets that have enough examples of both answers: its name, the positives, the negatives."""
        for name, column in zip(self.names, self.answers.T, strict=True):
            yes, no = np.flatnonzero(column == 1), np.flatnonzero(column == 0)
            if min(len(yes), len(no)) >= _FEWEST:
                yield name, yes, no


def auroc(values: Values, yes: Int64[np.ndarray, "yes"], no: Int64[np.ndarray, "no"]) -> float:
    """Measure how well one number tells positives from negatives (Mann and Whitney 1947); 0.5 is not at all."""
    ranks = rankdata(np.concatenate([values[yes], values[no]]))
    return float((ranks[: len(yes)].sum() - len(yes) * (len(yes) + 1) / 2) / (len(yes) * len(no)))


def find_giveaways(examples: Examples[Sequences], labels: Sequence[str]) -> list[Finding]:
    """Look for what differs between the positives and the negatives of each target, beside any motif.

    Parameters
    ----------
    labels
        The labels of the task; of two that exclude each other the second is the positive one.
    """
    sample = Sample.of(examples, labels)
    sequences = sample.examples.inputs
    gc = composition(sample.examples)[:, 4]
    findings = list(_difference(sample, gc, "GC content", "share of G and C", percent=True))
    if len(np.unique(sequences.lengths)) > 1:
        findings += _difference(sample, sequences.lengths.astype(np.float64), "length", "length")
    findings += _case(sample)
    findings += _one_position(sample)
    findings += _words(sample)
    return findings


def _difference(sample: Sample, values: Values, finding: str, what: str, *, percent: bool = False) -> Iterable[Finding]:
    """Say for which target the positives differ most from the negatives in one number."""
    told = [(auroc(values, yes, no), name, yes, no) for name, yes, no in sample.sides()]
    if not told:
        return
    told.sort(key=lambda one: -abs(one[0] - 0.5))
    figure, name, yes, no = told[0]
    shown = "{:.1%}" if percent else "{:,.0f}"
    means = [shown.format(values[side].mean()).replace("%", " %") for side in (yes, no)]
    text = (
        f"The mean {what} is {means[0]} in the positives of {name} and {means[1]} in its negatives; alone it tells "
        f"them apart with an AUROC of {max(figure, 1 - figure):.3f} (0.5 is chance)."
    )
    telling = [one for one in told if max(one[0], 1 - one[0]) >= TELLING]
    if len(told) > 1:
        text += f" That is the worst of {len(told)} targets; {len(telling)} reach {TELLING}."
    if telling:
        text += " Compare the network with the probe on it, or choose negatives that match."
    yield Finding(f"{finding} of the classes", len(telling), "warning" if telling else "info", text)


def _case(sample: Sample) -> Iterable[Finding]:
    sequences = sample.examples.inputs
    if not has_mixed_case(sequences):
        return
    case = marking_case(sequences)
    regions = marked_regions(sequences, case or "upper")
    if case is not None:
        places, counts = np.unique(regions.starts[regions.known], return_counts=True)
        share = counts.max() / len(sequences)
        text = (
            f"{case.capitalize()}-case letters mark one region in each sequence, {np.median(regions.marked):.0f} "
            f"letters long in the median; in {share:.0%} it starts at letter {places[counts.argmax()] + 1}. Where it "
            "begins and ends may depend on how it was measured, such as where an enzyme cuts: see the probes."
        ).replace("%", " %")
        yield Finding("a region marked by case", int(regions.known.sum()), "info", text)
    numbers = {
        "share of upper-case letters": marked_regions(sequences, "upper").marked / np.maximum(sequences.lengths, 1)
    }
    if case is not None:
        numbers[f"length of the {case}-case region"] = (regions.ends - regions.starts).astype(np.float64)
        numbers[f"start of the {case}-case region"] = regions.starts.astype(np.float64)
    for what, values in numbers.items():
        told = list(_difference(sample, values, f"case: {what}", what, percent=what.startswith("share")))
        yield from (finding for finding in told if finding.severity == "warning" or what.startswith("share"))


def _one_position(sample: Sample) -> Iterable[Finding]:
    """Say what the letter at the most telling position is in the positives and in the negatives."""
    position = best_position(sample.examples)
    if position is None:
        return
    codes = position.letters(sample.examples.inputs)[:, 0] & np.uint8(BASES)
    best: tuple[float, str] | None = None
    for name, yes, no in sample.sides():
        shares = np.array([[(codes[side] == base).mean() for base in _BASES] for side in (yes, no)])
        odds = np.full(16, 0.0)
        odds[list(_BASES)] = np.log((shares[0] + 1e-3) / (shares[1] + 1e-3))
        figure = auroc(odds[codes], yes, no)
        base = int(np.abs(shares[0] - shares[1]).argmax())
        text = (
            f"{str(position)[:1].upper()}{str(position)[1:]} is {'ACGT'[base]} in {shares[0, base]:.0%} of the "
            f"positives of {name} and in {shares[1, base]:.0%} of its negatives"
        ).replace("%", " %")
        if best is None or figure > best[0]:
            best = (figure, f"{text}: this one letter reaches an AUROC of {figure:.3f}.")
    if best is None:
        return
    telling = best[0] >= TELLING
    text = best[1] + (" No motif is needed for that." if telling else "")
    yield Finding("one telling position", int(telling), "warning" if telling else "info", text)


def _words(sample: Sample) -> Iterable[Finding]:
    """Look for words that most positives and hardly any negatives have, or the other way round."""
    sequences = sample.examples.inputs
    anywhere = _Words.anywhere(sequences)
    placed = _Words.at_places(sequences)
    found = [*_telling_words(sample, anywhere), *_telling_words(sample, placed)]
    if not found:
        text = f"No word of {WORD} letters anywhere, or of {PLACED_WORD} at one place, gives a class away."
        yield Finding("words that give a class away", 0, "info", text)
    yield from found


@dataclass(frozen=True, slots=True, eq=False)
class _Words:
    """Which sequence has which word: pairs of a sequence and a word, each once."""

    sequences: Int64[np.ndarray, "pairs"]
    words: Int64[np.ndarray, "pairs"]
    placed: bool

    @classmethod
    def anywhere(cls, sequences: Sequences) -> _Words:
        pairs = [np.empty(0, np.int64)]
        for indices, letters in whole_blocks(sequences):
            words, known = _words_of(letters, WORD)
            rows = np.broadcast_to(indices[:, None], words.shape)
            pairs.append(np.unique(rows[known].astype(np.int64) << (2 * WORD) | words[known]))
        joined = np.concatenate(pairs)
        return cls(joined >> (2 * WORD), joined & ((1 << 2 * WORD) - 1), placed=False)

    @classmethod
    def at_places(cls, sequences: Sequences) -> _Words:
        longest = min(int(sequences.lengths.max(initial=0)), _FARTHEST)
        sides = [first_letters(sequences, longest)]
        if sequences.lengths.min(initial=longest) < longest or longest == _FARTHEST:
            sides.append(last_letters(sequences, longest))
        pairs: list[tuple[Int64[np.ndarray, "pairs"], Int64[np.ndarray, "pairs"]]] = []
        for side, letters in enumerate(sides):
            words, known = _words_of(letters, PLACED_WORD)
            places = side * _FARTHEST + np.arange(words.shape[1])
            rows = np.broadcast_to(np.arange(len(words))[:, None], words.shape)
            pairs.append((rows[known], (places << (2 * PLACED_WORD) | words)[known]))
        return cls(np.concatenate([one for one, _ in pairs]), np.concatenate([two for _, two in pairs]), placed=True)

    def name(self, word: int) -> str:
        size = PLACED_WORD if self.placed else WORD
        letters = "".join("ACGT"[word >> 2 * place & 3] for place in reversed(range(size)))
        if not self.placed:
            return letters
        side, place = divmod(word >> (2 * size), _FARTHEST)
        return f"{letters} at letter {place + 1}" if side == 0 else f"{letters} near the end"


def _words_of(letters: Letters, size: int) -> tuple[Int64[np.ndarray, "n places"], Shaped[np.ndarray, "n places"]]:
    """Find the word that starts at each place, as a number, and tell whether it is one of plain bases."""
    base_of_code = np.full(16, -1, dtype=np.int64)
    base_of_code[list(_BASES)] = np.arange(4)
    bases = base_of_code[letters & np.uint8(BASES)]
    count = max(0, letters.shape[1] - size + 1)
    words = np.zeros((len(letters), count), dtype=np.int64)
    known = np.ones((len(letters), count), dtype=bool)
    for place in range(size):
        here = bases[:, place : place + count]
        words = words * 4 + np.maximum(here, 0)
        known &= here >= 0
    return words, known


def _telling_words(sample: Sample, words: _Words) -> Iterable[Finding]:
    distinct, number = np.unique(words.words, return_inverse=True)
    for name, yes, no in sample.sides():
        shares = []
        for side in (yes, no):
            member = np.zeros(len(sample.examples), dtype=bool)
            member[side] = True
            counts = np.bincount(number, weights=member[words.sequences], minlength=len(distinct))
            shares.append(counts / len(side))
        high, low = np.maximum(*shares), np.minimum(*shares)
        telling = np.flatnonzero((high >= _COMMON) & (high >= _TIMES * low))
        if len(telling):
            order = telling[np.argsort(low[telling] - high[telling], kind="stable")]
            yield _word_finding(
                words, [int(distinct[one]) for one in order], (shares[0][order], shares[1][order]), name
            )


def _word_finding(words: _Words, telling: Sequence[int], shares: tuple[Values, Values], name: str) -> Finding:
    shown = "; ".join(
        f"{words.name(word)} in {yes:.0%} of the positives and {no:.0%} of the negatives".replace("%", " %")
        for word, yes, no in zip(telling[:3], *(side[:3].tolist() for side in shares), strict=True)
    )
    others = f", and {len(telling) - 3} more" if len(telling) > 3 else ""
    text = f"{name}: {shown}{others}. "
    if words.placed:
        text += "So long a word at one fixed place is rarely biology: look for the remains of an adapter or a primer."
        return Finding("words at one place that give a class away", len(telling), "warning", text)
    plain = max(abs(shares[0] - shares[1])) >= _PLAIN
    text += "That may be the motif that is looked for, or the remains of an adapter."
    return Finding("words that give a class away", len(telling), "warning" if plain else "info", text)
