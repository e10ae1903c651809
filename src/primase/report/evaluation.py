"""The report of a trained model on new data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from primase.data.audit import Finding
from primase.evaluation.coverage import CoverageFigures
from primase.evaluation.evaluation import Evaluation
from primase.evaluation.metrics import metric_title
from primase.report.contrasts import contrast_section, contrast_sentences, contrast_warnings
from primase.report.page import render_page
from primase.report.performance import headline_metrics
from primase.report.sections import Block, BulletList, Callout, Section, Table
from primase.report.targets import target_tables
from primase.report.values import coverage_section


def evaluation_page(
    question: str,
    facts: Sequence[tuple[str, object]],
    evaluation: Evaluation,
    findings: Sequence[Finding],
    version: str,
    further: Sequence[Section] = (),
) -> str:
    """Compose the report of an evaluation on new data as one HTML page.

    Parameters
    ----------
    further
        What else there is to tell, such as what a cut does on these data.
    """
    names = headline_metrics(evaluation)
    columns = ["Examples", *(metric_title(name) for name in names)]
    rows = [["all", *(str(evaluation.test[name]) for name in names)]]
    rows += [[part, *(str(metrics[name]) for name in names)] for part, metrics in evaluation.subsets.items()]
    blocks: list[Block] = [
        Callout("warning", finding.finding[:1].upper() + finding.finding[1:], finding.text)
        for finding in findings
        if finding.severity == "warning"
    ]
    blocks.append(
        Table(columns, rows, "The model on these data, each figure with its 95 % interval.", evaluation.intervals)
    )
    blocks[:0] = contrast_warnings(evaluation)
    others = [finding.text for finding in findings if finding.severity != "warning"]
    sections = [
        Section("How good it is on these data", blocks),
        *(contrast_section(evaluation, figures) for figures in evaluation.contrasts.values()),
        *_of_values(evaluation),
        *further,
        Section("The data", [BulletList(others)]),
    ]
    subtitle = [f"{metric_title(evaluation.task.main_metric)} {evaluation.main} on new data."]
    subtitle += contrast_sentences(evaluation)
    return render_page(question, " ".join(subtitle), sections, facts=facts, version=version)


def _of_values(evaluation: Evaluation) -> list[Section]:
    """Show the targets one by one and what the intervals hold, where answers are values."""
    if not evaluation.task.is_value:
        return []
    figures = evaluation.calibration
    sections = [Section("One by one", target_tables(evaluation))]
    if isinstance(figures, CoverageFigures) and figures.method != "none":
        sections.append(coverage_section(evaluation, figures))
    return sections


def metrics_state(
    evaluation: Evaluation, findings: Sequence[Finding], facts: Mapping[str, object]
) -> dict[str, object]:
    """Gather what the ``metrics.json`` of an evaluation holds."""
    return {
        **facts,
        **evaluation.to_state(),
        "intervals": evaluation.intervals,
        "audit": [finding.to_state() for finding in findings],
    }
