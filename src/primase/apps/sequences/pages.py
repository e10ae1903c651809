"""The sections of reports on sequences: letters that speak for an answer, and the motifs that they make up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from primase.apps.sequences.known_motifs import KnownMotifs, known_motifs
from primase.apps.workflow import Explanation
from primase.bio.motif_files import write_meme
from primase.bio.nucleotides import BASES, decode_nucleotides
from primase.data.examples import Examples
from primase.data.sequences import EncodedSequences, Sequences
from primase.data.tasks import Task
from primase.events import Listener
from primase.insight.gradients import INTEGRATED_GRADIENTS, SALIENCY
from primase.insight.motif_matching import MotifMatch, match_motifs
from primase.insight.motifs import Motif, find_motifs
from primase.insight.sequences import MUTAGENESIS, SequenceAttribution, SequenceMethod, explain_sequences
from primase.predictor.predictor import Predictor
from primase.report.checks import self_check
from primase.report.figures.logo import Stretch, contribution_logo, motif_logo
from primase.report.sections import Block, Callout, Paragraph, Section, Table

SHOWN_SEQUENCES: Final = 8
SHOWN_MOTIFS: Final = 8
ANSWERS_EXPLAINED: Final = 3
"""Of an example with several labels, so many are explained: the most probable."""

INSIGHT_LETTERS: Final[dict[str, int]] = {MUTAGENESIS: 30_000, SALIENCY: 200_000}
"""A training report explains so many letters by a method; more would take longer than the training."""

_HOW: Final[dict[str, str]] = {
    MUTAGENESIS: (
        "The contribution of a letter is how far the log-odds of the answer fall, in the mean, when it is replaced by "
        "one of the other three (in-silico mutagenesis, exact). A log-odds of +1 multiplies the odds by 2.7, of +3 by "
        "20."
    ),
    SALIENCY: (
        "The contribution of a letter is the slope of the log-odds of the answer there, less the mean over the four "
        "letters (saliency): quick, and right for small changes only. `primase explain` replaces every letter instead."
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """Which answer is explained of which example, one row each."""

    rows: Int[np.ndarray, "rows"]
    labels: Int[np.ndarray, "rows"]


def explanation(
    predictor: Predictor[Sequences], examples: Examples[Sequences], *, rna: bool, listener: Listener
) -> Explanation:
    """Explain the answers for each sequence, and gather the motifs that occur in several."""
    probabilities = predictor.answers(examples.inputs)
    asked = _answers(predictor.task, probabilities)
    found = _attribute(predictor, examples, asked, (MUTAGENESIS, INTEGRATED_GRADIENTS), rna=rna, listener=listener)
    motifs = _motifs(found, MUTAGENESIS, rna=rna, listener=listener)
    sections = [
        _letters(predictor, examples, asked, found, motifs, probabilities, rna=rna),
        _motif_section(motifs, asked, known_motifs(rna=rna), MUTAGENESIS, rna=rna),
    ]
    return Explanation(found.attribution, sections, partial(_write_motifs, motifs=motifs, rna=rna))


def motif_sections(
    predictor: Predictor[Sequences],
    test: Examples[Sequences],
    method: SequenceMethod,
    *,
    rna: bool,
    listener: Listener,
) -> list[Section]:
    """Find the motifs that the network goes by, in test sequences that it says yes to, or some drawn of them.

    Parameters
    ----------
    method
        Exact mutagenesis where that is quick, else saliency.
    """
    probabilities = predictor.answers(test.inputs)
    likeliest = probabilities[:, 1] if predictor.task.kind == "binary" else probabilities.max(axis=1)
    length = predictor.encoder.encode(test.inputs).encoder.length  # type: ignore[attr-defined]  # that of sequences
    count = max(min(len(test), INSIGHT_LETTERS[method] // length), 1)
    positive = np.flatnonzero(likeliest >= 0.5)
    drawn = np.sort(np.random.default_rng(0).permutation(positive)[:count])
    if len(drawn) == 0:
        text = "The network says yes to none of the test sequences, so that there is nothing to find motifs in."
        return [Section("Which motifs matter", [Callout("warning", "Nothing to explain", text)])]
    chosen = test.take(drawn)
    asked = _answers(predictor.task, probabilities[drawn])
    found = _attribute(predictor, chosen, asked, (method,), rna=rna, listener=listener)
    motifs = _motifs(found, method, rna=rna, listener=listener)
    return [_motif_section(motifs, asked, known_motifs(rna=rna), method, rna=rna)]


def _answers(task: Task, probabilities: Float[np.ndarray, "examples labels"]) -> _Asked:
    """Choose what to explain: the positive answer, the predicted one, or of several labels those that are likely."""
    count = len(probabilities)
    if task.kind == "binary":
        return _Asked(np.arange(count), np.ones(count, dtype=np.int64))
    order = np.argsort(-probabilities, axis=1, kind="stable")
    if not task.is_multilabel:
        return _Asked(np.arange(count), order[:, 0])
    most = order[:, :ANSWERS_EXPLAINED]
    likely = np.take_along_axis(probabilities, most, axis=1) >= 0.5
    likely[:, 0] = True
    rows, columns = np.nonzero(likely)
    return _Asked(rows, most[rows, columns])


def _attribute(
    predictor: Predictor[Sequences],
    examples: Examples[Sequences],
    asked: _Asked,
    methods: Sequence[SequenceMethod],
    *,
    rna: bool,
    listener: Listener,
) -> SequenceAttribution:
    encoded = predictor.encoder.encode(examples.inputs.take(asked.rows))
    assert isinstance(encoded, EncodedSequences)
    ids = examples.ids[asked.rows].tolist()
    return explain_sequences(predictor, encoded, ids, asked.labels, methods=methods, rna=rna, listener=listener)


def _motifs(found: SequenceAttribution, method: str, *, rna: bool, listener: Listener) -> list[Motif]:
    return find_motifs(found.codes, found.contributions[method], both_strands=not rna, listener=listener)


def _letters(
    predictor: Predictor[Sequences],
    examples: Examples[Sequences],
    asked: _Asked,
    found: SequenceAttribution,
    motifs: Sequence[Motif],
    probabilities: Float[np.ndarray, "examples labels"],
    *,
    rna: bool,
) -> Section:
    """Draw the first sequences letter by letter, the sites of motifs underlined."""
    blocks: list[Block] = [Paragraph(_HOW[MUTAGENESIS])]
    for place in range(min(len(asked.rows), SHOWN_SEQUENCES)):
        row, label = asked.rows[place], predictor.task.labels[asked.labels[place]]
        there = np.flatnonzero(found.codes[place] & BASES)
        first, last = (int(there[0]), int(there[-1]) + 1) if len(there) else (0, 0)
        codes = found.codes[place, first:last] & np.uint8(BASES)
        marked = [
            Stretch(int(start) - first, int(start) - first + motif.width, motif.name)
            for motif in motifs
            for start in motif.sites.starts[motif.sites.examples == place]
        ]
        probability = probabilities[row, asked.labels[place]]
        blocks.append(
            contribution_logo(
                decode_nucleotides(codes, rna=rna),
                found.contributions[MUTAGENESIS][place, first:last],
                title=f"{examples.ids[row]}: what speaks for “{label}” (probability {probability:.3f})",
                marked=marked,
            )
        )
    if found.attribution.check is not None:
        blocks.append(self_check(found.attribution.check, MUTAGENESIS, INTEGRATED_GRADIENTS, part="letter"))
    return Section("Letter by letter", blocks)


def _motif_section(motifs: Sequence[Motif], asked: _Asked, known: KnownMotifs, method: str, *, rna: bool) -> Section:
    """Show the motifs as logos, what they do to the score, where they stand, and which known ones they are like."""
    title, sequences = "Which motifs matter", len(np.unique(asked.rows))
    if not motifs:
        text = (
            f"No stretch of letters stands out in enough of the {sequences:,} sequences to be called a motif. The "
            "network may go by composition, or there are too few sequences."
        )
        return Section(title, [Paragraph(text)])
    shown = motifs[:SHOWN_MOTIFS]
    matches = match_motifs([motif.to_matrix() for motif in shown], known.motifs, both_strands=not rna, most=1)
    blocks: list[Block] = [
        Paragraph(
            f"Stretches of letters that raise or lower the log-odds of the answer, put together where they are alike, "
            f"in {sequences:,} sequences. {_HOW[method]}"
        )
    ]
    rows = [_row(motif, asked, match, rna=rna) for motif, match in zip(shown, matches, strict=True)]
    columns = ["Motif", "Consensus", "Sites", "Sequences", "Effect", "Median place", "Most like", "E-value"]
    note = f"Effect: what the letters of a site contribute together, in the mean, in log-odds. {known.note}"
    blocks.append(Table(columns, rows, "The motifs, the one that contributes most first.", note))
    for motif in shown:
        speaks = "speaks for" if motif.sign > 0 else "speaks against"
        name = f"{motif.name}, {speaks} the answer, {len(motif.sites):,} sites"
        blocks.append(motif_logo(motif.matrix, title=name, sites=len(motif.sites), rna=rna))
    return Section(title, blocks)


def _row(motif: Motif, asked: _Asked, matches: Sequence[MotifMatch], *, rna: bool) -> list[object]:
    consensus = motif.consensus.replace("T", "U") if rna else motif.consensus
    place = int(np.median(motif.sites.starts)) + 1
    best = matches[0] if matches else None
    like = f"{best.known.alternative or best.known.name}" if best else "not compared"
    return [
        motif.name,
        consensus,
        len(motif.sites),
        len(np.unique(asked.rows[motif.sites.examples])),
        f"{motif.sites.contributions.mean():+.2f}",
        place,
        like,
        f"{best.e_value:.1e}" if best else None,
    ]


def _write_motifs(folder: Path, *, motifs: Sequence[Motif], rna: bool) -> None:
    """Write the motifs as a MEME file, for other programs to carry on with."""
    if motifs:
        write_meme(folder / "motifs.meme", [motif.to_matrix() for motif in motifs], rna=rna)
