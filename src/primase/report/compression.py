"""What compression did, as a table: what was gained, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, final

from primase.evaluation.evaluation import Evaluation
from primase.evaluation.intervals import Interval
from primase.evaluation.metrics import metric_title
from primase.remedies.compression.measuring import Latency, Size
from primase.report.performance import headline_metrics
from primase.report.run import Remedy
from primase.report.sections import Paragraph, Section, Table

PARENT: Final = "the model that was compressed"
COLUMNS: Final = ("What", "Before", "After", "Change")

_AGREEMENT: Final = {
    "same_answer": ("Same answer", ".1%"),
    "mean_difference": ("Mean difference of the answers", ".4f"),
    "correlation": ("Correlation of the answers", ".4f"),
}


@final
@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """What is known of a compression.

    Parameters
    ----------
    parent
        Where the larger model is.
    settings
        What was asked for.
    done
        What was done, in a few sentences.
    sizes
        Before and after.
    evaluation
        Of the smaller model, with the larger one among its baselines, as :data:`PARENT`.
    agreement
        How often both say the same of the test.
    """

    parent: str
    settings: Mapping[str, Any]
    done: str
    sizes: tuple[Size, Size]
    latency: Latency
    evaluation: Evaluation
    agreement: Mapping[str, float]


def effects_remedy(effects: Effects) -> Remedy:
    """Tell of a compression in ``metrics.json`` and in the report."""
    state = effects_state(effects)
    note = (
        "Weights on disk are those of the networks alone. Both models were timed by turns on the same examples; below "
        "1 the compressed one is faster. Differences are of the same test examples drawn together. "
        + effects.evaluation.intervals
    )
    table = Table(COLUMNS, effects_rows(state), "The model before and after compression.", note)
    return Remedy("compression", state, [Section("What compression did", [Paragraph(effects.done), table])])


def effects_state(effects: Effects) -> dict[str, Any]:
    """Describe a compression in JSON."""
    evaluation = effects.evaluation
    names = headline_metrics(evaluation)
    before, differences = evaluation.baselines[PARENT], evaluation.differences.get(PARENT, {})
    return {
        "parent": effects.parent,
        "settings": dict(effects.settings),
        "size": {"before": asdict(effects.sizes[0]), "after": asdict(effects.sizes[1])},
        "latency": {
            "before_milliseconds": effects.latency.parent,
            "after_milliseconds": effects.latency.child,
            "ratio": effects.latency.ratio,
        },
        "test": {
            name: {
                "before": before[name].to_state(),
                "after": evaluation.test[name].to_state(),
                "difference": differences.get(name, Interval.undefined()).to_state(),
            }
            for name in names
            if name in before
        },
        "agreement": dict(effects.agreement),
    }


def effects_rows(state: Mapping[str, Any]) -> list[list[str]]:
    """Lay out for readers what ``metrics.json`` has of a compression."""
    before, after = state["size"]["before"], state["size"]["after"]
    rows = [
        _shrunk("Weights on disk", before["bytes"], after["bytes"], " bytes"),
        _shrunk("Parameters", before["parameters"], after["parameters"]),
        _shrunk("Parameters other than zero", before["nonzero"], after["nonzero"]),
    ]
    if before["multiply_adds"]:
        rows.append(_shrunk("Multiply-adds per example", before["multiply_adds"], after["multiply_adds"]))
    times = state["latency"]
    milliseconds = [f"{times[name]:.2f} ms" for name in ("before_milliseconds", "after_milliseconds")]
    rows.append(["Time for a batch", *milliseconds, f"x {times['ratio']:.2f}"])
    for name, figures in state["test"].items():
        shown = {part: Interval.from_state(figures[part]) for part in ("before", "after", "difference")}
        difference = format(shown["difference"], "+.4f")
        rows.append([metric_title(name), str(shown["before"]), str(shown["after"]), difference])
    for name, value in state["agreement"].items():
        title, specification = _AGREEMENT[name]
        rows.append([title, "", format(value, specification), ""])
    return rows


def _shrunk(title: str, before: int, after: int, unit: str = "") -> list[str]:
    change = "the same" if before == after else ""
    if 0 < after < before:
        change = f"{before / after:.1f} times smaller"
    elif after > before > 0:
        change = f"{after / before:.1f} times larger"
    return [title, f"{before:,}{unit}", f"{after:,}{unit}", change]
