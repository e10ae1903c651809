"""How far an explanation can be trusted, laid out for the reader."""

from __future__ import annotations

from primase.insight.attribution import SelfCheck
from primase.report.sections import Table


def self_check(check: SelfCheck, first: str, second: str, *, part: str) -> Table:
    """Lay out how far an explanation can be trusted.

    Parameters
    ----------
    first, second
        The two methods that were compared.
    part
        What a contribution belongs to, such as ``"domain"``.
    """
    state = check.to_state()
    rows = [
        [
            "Completeness error",
            state["completeness_error"],
            f"Gradient attributions should sum to the change of the score (up to {check.score_range:.1f}); 0 is exact.",
        ],
        ["Agreement of the two methods", state["agreement"], f"Spearman, {first} against {second}; 1 is full."],
        ["Same sign", state["sign_agreement"], f"Share of {part}s to which both methods give the same sign."],
        [
            "Agreement with random weights",
            state["randomised_agreement"],
            "Mean Spearman with the same network after shuffling its weights; near 0 is as it should be.",
        ],
    ]
    return Table(["Check", "Value", "What it means"], rows, "How far this explanation can be trusted.")
