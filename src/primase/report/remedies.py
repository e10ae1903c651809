"""What was done against rare answers and learning by heart, in plain words, and where the line is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from primase.evaluation.gap import Gap
from primase.evaluation.metrics import metric_title
from primase.evaluation.operating import Aim, JudgedCut, OperatingPoint
from primase.evaluation.rates import RATES
from primase.report.run import Remedy
from primase.report.sections import Block, BulletList, Callout, Paragraph, Section, Table
from primase.report.wording import readable_name

MOST_CUTS: Final = 40
"""So many labels are shown one by one; the others are in metrics.json."""

_IMBALANCE: Final[Mapping[str, str]] = {
    "weighted": "Answers counted the more in training the rarer they are (cross-entropy by inverse frequency).",
    "focal": (
        "What the network found easy counted little in training (focal loss with gamma {focal_gamma:g}, Lin et al. "
        "2017)."
    ),
    "auc-margin": (
        "The network learned to score positives above negatives by a margin, and not to give probabilities (AUC-margin "
        "loss, Yuan et al. 2021)."
    ),
    "up-sampling": "Examples of small classes were shown several times in training: all classes came equally often.",
    "down-sampling": (
        "Of large classes a part was shown in each epoch of training, another each time, so that all classes came "
        "equally often."
    ),
}
_HEART: Final[Mapping[str, str]] = {
    "label_smoothing": "{value:.0%} of each target was spread over all labels (label smoothing).",
    "confidence_penalty": (
        "Doubt was rewarded by {value:g} times the entropy of the answers, which is the larger the less sure they are "
        "(confidence penalty, Pereyra et al. 2017)."
    ),
    "mixup": (
        "Training inputs and their answers were mixed in pairs, in shares drawn from Beta({value:g}, {value:g}) "
        "(mixup, Zhang et al. 2018)."
    ),
    "corruption": "{value:.0%} of every training input was hidden, another part in each step.",
    "input_noise": "Gaussian noise was added to training inputs: {value:g} times as much as they vary themselves.",
}
_DISTORTED: Final = (
    "All of this was for the training part alone; validation and test are as they were divided. A network that learned "
    "so no longer gives frequencies: it thinks rare answers more frequent than they are, or gives scores. Calibration "
    "on validation, where answers are as frequent as in the data, repairs part of that.{more} The order of examples, "
    "and so AUROC and AUPRC, does not depend on such a shift of all probabilities."
)
_LOSSES: Final = (
    "Where this report draws losses over the epochs, that of training has all of this in it, and that of validation "
    "only what was done about rare answers: compare each with itself, and not one with the other."
)
_TEMPERATURE: Final = (
    " The temperature that this model has makes all probabilities more or less sure and cannot bring them up or down "
    "together; --calibration platt or isotonic can."
)
_UNCALIBRATED: Final = " This model has none: --calibration platt or isotonic would bring its probabilities down."


def used_remedies(configuration: Mapping[str, Any]) -> Remedy | None:
    """Say which remedies of training were used; None where none was."""
    settings = {**configuration["training"], **configuration["remedies"]}
    imbalance = settings.get("imbalance", "none")
    held = {name: text for name, text in _HEART.items() if settings.get(name)}
    if imbalance == "none" and not held:
        return None
    said = [] if imbalance == "none" else [_IMBALANCE[imbalance].format(**settings)]
    said += [text.format(value=settings[name]) for name, text in held.items()]
    blocks: list[Block] = [BulletList(said)]
    if imbalance != "none":
        more = {"temperature": _TEMPERATURE, "none": _UNCALIBRATED}.get(settings.get("calibration", "none"), "")
        blocks.append(Callout("finding", "Probabilities were distorted on purpose", _DISTORTED.format(more=more)))
    blocks.append(Paragraph(_LOSSES))
    used = {"imbalance": imbalance} if imbalance != "none" else {}
    if imbalance == "focal":
        used["focal_gamma"] = settings["focal_gamma"]
    used |= {name: settings[name] for name in held}
    return Remedy("training_remedies", used, [Section("What was done in training", blocks)])


def gap_warning(gap: Gap | None) -> list[Block]:
    """Warn where a network is much better on what it was trained on than on what is new to it."""
    if gap is None or not gap.is_large:
        return []
    title = metric_title(gap.metric)
    text = (
        f"On {gap.count:,} training examples {title} is {gap.train[gap.metric]}, on test {gap.test[gap.metric]}: a "
        f"difference of {gap.difference:.3f}, beyond what chance would give. Believe the figure on test. Either the "
        "network learned its training examples by heart, against which more examples, --corruption, --mixup, --dropout "
        "and --weight-decay help; or the test examples are of another kind, as those of another hospital or "
        "laboratory, against which only training examples of that kind help."
    )
    return [Callout("warning", "The network is much better on what it was trained on", text)]


def operating_remedy(point: OperatingPoint, judged: Sequence[JudgedCut]) -> Remedy:
    """Say where the line was drawn, what for, and whether it does on other examples what it did on validation."""
    state = {"aim": str(point.aim), "labels": {cut.label: cut.to_state() for cut in judged}}
    return Remedy("operating_point", state, [operating_section(point.aim, judged)])


def operating_section(aim: Aim, judged: Sequence[JudgedCut]) -> Section:
    """Show the cuts that the column of predictions follows."""
    lost = {cut.label: cut.lost for cut in judged if cut.lost}
    if lost:
        listed = "; ".join(_change(cut) for cut in judged[:MOST_CUTS] if cut.lost)
        text = (
            f"Beyond doubt these are others than on validation: {listed}. Expect the same where examples come from "
            "elsewhere, and choose the cut anew on examples from there."
        )
        verdict = Callout("warning", "A cut does not hold on test", text)
    else:
        text = "No rate on test is beyond doubt another than on validation, where the cut was chosen."
        verdict = Callout("good", "What was chosen on validation holds on test", text)
    idle = [cut.label for cut in judged if cut.tells_nothing_apart]
    blocks = [verdict]
    if idle:
        more = f" and {len(idle) - MOST_CUTS:,} more" if len(idle) > MOST_CUTS else ""
        text = (
            f"For {', '.join(idle[:MOST_CUTS])}{more} the cut calls all validation examples positive, or none: no "
            "other cut reaches what was asked. Ask for less, or for a model that ranks positives above negatives."
        )
        # That all of it holds on test is then no good news.
        blocks = [Callout("warning", "A cut tells nothing apart", text), *([verdict] if lost else [])]
    return Section("Where the line is drawn", [*blocks, *cuts_table(aim, judged, is_followed=True)])


def _change(cut: JudgedCut) -> str:
    rates = ", ".join(
        f"{name} {cut.validation[name].value:.3f} on validation and {cut.test[name].value:.3f} on test"
        for name in cut.lost
    )
    return f"{cut.label}: {rates}"


def cuts_table(aim: Aim, judged: Sequence[JudgedCut], *, is_followed: bool) -> list[Block]:
    """Lay out what each cut does on validation and on test; nothing where there is none.

    Parameters
    ----------
    is_followed
        Whether the column of predictions follows the cuts.
    """
    if not judged:
        return []
    rows = [
        [cut.label, f"{cut.cut:.3f}", part, *(str(rates[name]) for name in RATES)]
        for cut in judged[:MOST_CUTS]
        for part, rates in (("validation", cut.validation), ("test", cut.test))
    ]
    header = ["Label", "Cut", "Part", *(_title(name) for name in RATES)]
    note = "Called positive is what has a calibrated probability of at least the cut. "
    note += (
        "So does the column “prediction” of every table of this model; accuracy and F1 elsewhere in this report are "
        "those of the most probable answer."
        if is_followed
        else "The column “prediction” has the most probable answer: train with --operating-point to have it follow the "
        "cut."
    )
    more = len(judged) - MOST_CUTS
    note += f" {more:,} more labels are in metrics.json." if more > 0 else ""
    return [Table(header, rows, f"The operating point: chosen on validation for {aim}.", note)]


def _title(name: str) -> str:
    title = readable_name(name)
    return title[:1].upper() + title[1:]
