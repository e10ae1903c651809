"""What enzyme identification shows of its explanations."""

from __future__ import annotations

from typing import Final

import polars as pl

from primase.apps.enzyme_identification.proteins import Proteins
from primase.data.examples import Examples
from primase.insight.attribution import Attribution
from primase.insight.features import ABLATION, INTEGRATED_GRADIENTS
from primase.predictor.predictor import Predictor
from primase.report.checks import self_check
from primase.report.figures import contributions, effects
from primase.report.sections import Block, Callout, Paragraph, Section, Table

SHOWN_PROTEINS: Final = 12
SHOWN_DOMAINS: Final = 15
ENOUGH_PROTEINS: Final = 5

_HOW: Final = (
    "The effect of a domain is how far the log-odds of the predicted answer fall when that domain alone is taken out "
    "of the protein (exact ablation). A log-odds of +1 multiplies the odds by 2.7, of +3 by 20."
)


def top_domains(attribution: Attribution, *, explained: int, total: int) -> list[Section]:
    """Show the domains that matter most over many proteins, with counts and effects."""
    if attribution.check is None:
        text = "None of the test proteins has a domain that the network has learned about."
        return [Section("Which domains matter", [Callout("warning", "Nothing to explain", text)])]
    summary = summarise_domains(attribution)
    strongest = summary.filter(pl.col("proteins") >= ENOUGH_PROTEINS)
    scope = (
        f"{explained:,} of {total:,} test proteins, drawn at random"
        if explained < total
        else f"{total:,} test proteins"
    )
    blocks: list[Block] = [Paragraph(f"{_HOW} Means are over {scope}.")]
    for answer in strongest["answer"].unique(maintain_order=True).sort():
        rows = strongest.filter(pl.col("answer") == answer).head(SHOWN_DOMAINS)
        title = f"What speaks most for or against “{answer}” where it is predicted"
        names, values, counts = (rows[column].to_list() for column in ("domain", "effect", "proteins"))
        blocks.append(effects(names, values, counts, title=title, quantity="mean effect on the log-odds"))
    if strongest.is_empty():
        blocks.append(Paragraph(f"No domain occurs in {ENOUGH_PROTEINS} or more of these proteins."))
    check = self_check(attribution.check, ABLATION, INTEGRATED_GRADIENTS, part="domain")
    return [Section("Which domains matter", [*blocks, check])]


def summarise_domains(attribution: Attribution) -> pl.DataFrame:
    """Average the exact effect of each domain over the proteins that have it, by predicted answer.

    Returns
    -------
    polars.DataFrame
        ``answer``, ``domain``, ``proteins``, ``effect``, the strongest first.
    """
    return (
        attribution.of(ABLATION)
        .group_by(pl.col("target").alias("answer"), pl.col("feature").alias("domain"))
        .agg(pl.len().alias("proteins"), pl.col("value").mean().alias("effect"))
        .sort(pl.col("effect").abs(), "domain", descending=[True, False])
    )


def explanation(
    predictor: Predictor[Proteins], examples: Examples[Proteins], attribution: Attribution
) -> list[Section]:
    """Show for the first proteins which of their domains speak for the answer, and the domains that matter overall."""
    probabilities = predictor.answers(examples.inputs)
    answers = probabilities.argmax(axis=1)
    rows = [
        [name, predictor.task.labels[answers[row]], f"{probabilities[row, answers[row]]:.3f}", text or "none"]
        for row, (name, text) in enumerate(
            zip(examples.ids[:SHOWN_PROTEINS], examples.inputs.domain_texts(), strict=False)
        )
    ]
    blocks: list[Block] = [
        Paragraph(_HOW),
        Table(
            ["Protein", "Answer", "Probability", "Domains"],
            rows,
            f"The first {len(rows)} of {len(examples):,} proteins.",
        ),
    ]
    per_protein = attribution.of(ABLATION)
    for name, answer, _, _ in rows:
        own = per_protein.filter(pl.col("id") == name)
        if own.is_empty():
            continue
        title = f"{name}: why “{answer}”?"
        blocks.append(
            contributions(
                own["feature"].to_list(), own["value"].to_list(), title=title, quantity="effect on the log-odds"
            )
        )
    sections = [Section("Protein by protein", blocks)]
    return [*sections, *top_domains(attribution, explained=len(examples), total=len(examples))]
