import re
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest
from torch import nn

from primase.data.audit import TWINS, Finding
from primase.data.examples import Examples
from primase.data.splits import Partition
from primase.data.tasks import Task
from primase.evaluation.assessment import assess, fit_rivals
from primase.evaluation.baselines import logistic_regression_baseline, majority_baseline
from primase.evaluation.calibration import TemperatureScaling
from primase.evaluation.contrasts import Contrast, ContrastFigures, assess_contrast
from primase.evaluation.evaluation import CalibrationFigures, Evaluation
from primase.evaluation.intervals import Interval, Units
from primase.evaluation.metrics import evaluate
from primase.evaluation.probes import Probe
from primase.report.contrasts import contrast_section, contrast_sentences, contrast_tiles, contrast_warnings
from primase.report.evaluation import evaluation_page
from primase.report.records import write_records
from primase.report.run import Insights, Subject, TrainingRun
from primase.report.sections import Callout, Figure, Paragraph, Table
from primase.report.training import training_page
from primase.training.fitted import Fitted

TASK = Task("binary", ("no interaction", "interaction"))
HARD, EASY = "degree-matched negatives", "uniform negatives"
NAN = float("nan")


def interval(value, half=0.02):
    return Interval(value, value - half, value + half)


def metrics(auroc):
    return {"auroc": auroc, "auprc": auroc}


def evaluation(network, probe, baseline, *, differences, swapped=False):
    """Compose figures of (easy, hard) each; the differences are network minus rival with the hard negatives."""
    sides = []
    for place in (0, 1):
        easier = {"degree product": interval(network[0].value - probe[0].value)}
        easier["eigenvectors"] = interval(network[0].value - baseline[0].value)
        sides.append(
            {
                "test": metrics(network[place]),
                "baselines": {
                    "majority class": metrics(Interval.undefined(0.5)),
                    "eigenvectors": metrics(baseline[place]),
                },
                "probes": {"degree product": metrics(probe[place])},
                "differences": {name: metrics(found) for name, found in (differences if place else easier).items()}
                | {"majority class": metrics(interval(network[place].value - 0.5))},
            }
        )
    names = (HARD, EASY)
    if swapped:
        sides, names = sides[::-1], names[::-1]
    nothing = CalibrationFigures("none", "", *[Interval.undefined()] * 4)
    figures = ContrastFigures(names[0], names[1], "One end was swapped.", "Go by the latter.", 1234, **sides[1])
    return Evaluation(task=TASK, calibration=nothing, contrasts={names[0]: figures}, **sides[0])


def sections_of(made):
    return [contrast_section(made, figures) for figures in made.contrasts.values()]


def said(made):
    """Return the callouts and the paragraphs of the only section."""
    (section,) = sections_of(made)
    callouts = [block for block in section.blocks if isinstance(block, Callout)]
    return callouts, " ".join(block.text for block in section.blocks if isinstance(block, Paragraph))


ONLY_DEGREE = {
    "network": (interval(0.88), interval(0.503)),
    "probe": (interval(0.878), interval(0.501)),
    "baseline": (interval(0.873), interval(0.71)),
    "differences": {"degree product": interval(0.002), "eigenvectors": interval(-0.207)},
}


@pytest.mark.parametrize("swapped", [False, True])
def test_a_network_that_learned_only_the_degree_is_told(swapped):
    made = evaluation(**ONLY_DEGREE, swapped=swapped)
    (callout,), words = said(made)
    assert (callout.kind, callout.title) == ("warning", f"With {HARD} the network does no better than chance")
    assert "0.503 [0.483, 0.523] with degree-matched negatives, which includes the 0.5 of guessing" in callout.text
    assert "degree product alone reaches as well (0.878): beyond that it has learned nothing" in callout.text
    assert f"From {EASY} to {HARD}, AUROC of the network goes from 0.880 to 0.503: 1 % of what it has" in words
    assert "probe, degree product, goes from 0.878 to 0.501: 0 % of" in words
    assert "baseline, eigenvectors, goes from 0.873 to 0.710: 56 % of" in words
    assert "is not clearly better than the strongest probe" in words
    assert "Go by the latter." in words
    assert "One end was swapped." in words
    assert "1,234 examples" in words
    (top,) = contrast_warnings(made)
    assert (top.kind, top.title) == (callout.kind, callout.title)


def test_a_network_that_learned_more_is_told():
    made = evaluation(
        (interval(0.91), interval(0.74)),
        ONLY_DEGREE["probe"],
        ONLY_DEGREE["baseline"],
        differences={"degree product": interval(0.239), "eigenvectors": interval(0.03)},
    )
    (callout,), words = said(made)
    assert callout.kind == "good"
    assert "network beats every baseline and probe" in callout.title
    assert "The network is better than the strongest probe there." in words
    assert contrast_warnings(made) == []


@pytest.mark.parametrize(
    ("network", "difference", "kind", "words"),
    [
        (0.72, interval(0.01), "finding", "may be chance"),
        (0.65, interval(-0.06), "warning", "better by 0.060"),
        (0.58, interval(-0.13), "warning", "better by 0.130"),
    ],
)
def test_a_simpler_model_that_does_as_well_or_better_is_named(network, difference, kind, words):
    made = evaluation(
        (interval(0.91), interval(network)),
        ONLY_DEGREE["probe"],
        ONLY_DEGREE["baseline"],
        differences={"degree product": interval(network - 0.501), "eigenvectors": difference},
    )
    (callout,), _ = said(made)
    assert callout.kind == kind
    assert words in callout.text
    assert "eigenvectors" in callout.text
    assert contrast_warnings(made) == []


def test_what_came_from_the_choice_of_negatives_is_told_apart_from_the_shortcut():
    made = evaluation(
        (interval(0.95), interval(0.49)),
        ONLY_DEGREE["probe"],
        ONLY_DEGREE["baseline"],
        differences=ONLY_DEGREE["differences"],
    )
    (callout,), _ = said(made)
    assert "comes from how those were chosen" in callout.text
    assert "degree product" not in callout.text


def test_a_network_that_is_worse_than_chance_or_never_above_it():
    below = evaluation(**{**ONLY_DEGREE, "network": (interval(0.88), interval(0.4))})
    assert "which lies below the 0.5 of guessing" in said(below)[0][0].text
    never = evaluation(**{**ONLY_DEGREE, "network": (interval(0.505), interval(0.49))})
    assert "Nor is it above chance with uniform negatives" in said(never)[0][0].text
    alone = evaluation(**{**ONLY_DEGREE, "network": (interval(0.88), Interval.undefined(0.5))})
    assert "no more than the 0.5 of guessing" in said(alone)[0][0].text


def test_what_is_not_defined_is_not_judged():
    made = evaluation(**{**ONLY_DEGREE, "network": (interval(0.88), Interval.undefined())})
    callouts, words = said(made)
    assert callouts == []
    assert "nothing can be said of the two" in words
    assert contrast_warnings(made) == []
    assert "not defined" in contrast_sentences(made)[0]


def test_the_table_and_the_figure_have_every_model_under_both():
    (section,) = sections_of(evaluation(**ONLY_DEGREE))
    assert section.title == f"The same test with {HARD}"
    table = next(block for block in section.blocks if isinstance(block, Table))
    assert [row[0] for row in table.rows] == ["network", "majority class", "eigenvectors", "degree product (probe)"]
    assert table.columns[1:] == [
        f"{name}, {way}" for name in ("AUROC", "AUPRC") for way in ("uniform", "degree-matched")
    ]
    assert table.rows[3][1:3] == ["0.878 [0.858, 0.898]", "0.501 [0.481, 0.521]"]
    figure = next(block for block in section.blocks if isinstance(block, Figure))
    assert "degree product (probe) 0.878 [0.858, 0.898] with uniform negatives" in figure.alternative_text


def test_a_model_without_rivals_is_shown_alone():
    full = evaluation(**ONLY_DEGREE)
    figures = ContrastFigures(HARD, EASY, "", "", 10, metrics(interval(0.7)))
    made = Evaluation(task=TASK, test=metrics(interval(0.9)), calibration=full.calibration, contrasts={HARD: figures})
    callouts, words = said(made)
    assert callouts == []
    assert "50 % of what it has above chance is left" in words
    page = evaluation_page("Do they interact?", [], made, [], version="0")
    assert f"The same test with {HARD}" in page


def test_tiles_and_sentences_name_the_contrast():
    made = evaluation(**ONLY_DEGREE)
    (tile,) = contrast_tiles(made)
    assert (tile.label, tile.value) == (f"AUROC, {HARD}", "0.503")
    assert contrast_sentences(made) == [f"With {HARD} instead of {EASY}, AUROC is 0.503 [0.483, 0.523]."]


def test_another_model_may_be_the_strongest_with_the_other_negatives():
    made = evaluation(**ONLY_DEGREE)
    figures = made.contrasts[HARD]
    better = {**figures.baselines, "k nearest": metrics(interval(0.75))}
    worse = {**made.baselines, "k nearest": metrics(interval(0.7))}
    drawn_together = {**figures.differences, "k nearest": metrics(interval(-0.25))}
    changed = replace(figures, baselines=better, differences=drawn_together)
    _, words = said(replace(made, baselines=worse, contrasts={HARD: changed}))
    assert "strongest baseline, eigenvectors, goes from 0.873 to 0.710" in words
    assert f"With {HARD} the strongest baseline is k nearest (0.750)." in words


def test_what_loses_nothing_is_told():
    made = evaluation(**{**ONLY_DEGREE, "network": (interval(0.88), interval(0.9))})
    assert "from 0.880 to 0.900: it loses nothing." in said(made)[1]


@dataclass(frozen=True)
class Columns:
    values: np.ndarray

    def __len__(self):
        return len(self.values)

    def take(self, indices):
        return Columns(self.values[indices])

    @classmethod
    def concatenate(cls, blocks):
        return cls(np.concatenate([block.values for block in blocks]))


def drawn(seed, count, *, matched):
    generator = np.random.default_rng(seed)
    targets = np.arange(count) % 2
    seen = np.stack([generator.normal(size=count) + 2 * (targets | matched), generator.normal(size=count)], axis=1)
    ids = np.array([f"YAL{seed}{number}<b>" for number in range(count)], dtype=object)
    return Examples(ids, Columns(seen), targets)


def logits(examples):
    return np.stack([-examples.inputs.values[:, 0], examples.inputs.values[:, 0] - 1], axis=1)


def whole_run(*, with_contrast):
    examples = drawn(0, 600, matched=False)
    parts = np.split(np.arange(600), [300, 400])
    partition = Partition(*parts, policy="random", units=np.arange(600))
    train, validation, test = (examples.take(part) for part in parts)
    probe = Probe("degree product", lambda some: some.inputs.values[:, :1])
    linear = logistic_regression_baseline(lambda some: some.inputs.values, "both columns")
    rivals = fit_rivals([majority_baseline(), linear], [probe], TASK, train, validation)
    calibrator, told = TemperatureScaling(2.0), {"rivals": rivals, "probes": [probe.name]}
    units = Units.examples(len(test))
    assessment = assess(logits(test), calibrator, test, TASK, units=units, subsets={}, **told)
    if with_contrast:
        other = drawn(1, 200, matched=True)
        contrast = Contrast(HARD, EASY, "Swapped <b>.", "Go.", other, Units.of(np.arange(200) // 4, "protein"))
        found = assess_contrast(contrast, logits(other), calibrator, TASK, **told)
        assessment = assessment.with_contrasts([found])
    fitted = Fitted(nn.Identity(), [{"epoch": 1, "train_loss": 1.0}], 1, "32")
    return TrainingRun(
        subject=Subject("protein-interaction", "Do they interact?", "a network", "3.6", "yeast", "primase", {}),
        task=TASK,
        examples=examples,
        partition=partition,
        identities=examples.ids,
        findings=[Finding(TWINS, 0, "info", "None.")],
        members=[fitted],
        assessment=assessment,
        validation=calibrator.answers(logits(validation)),
        unit_name="pair",
        insights=Insights(),
        kinship=None,
        configuration={"seed": 0},
        seconds={},
        peak_memory_mib=1.0,
        version="0",
    )


@pytest.fixture(scope="module")
def run():
    return whole_run(with_contrast=True)


def test_figures_can_be_recomputed_from_the_table(run, tmp_path):
    written = write_records(tmp_path, run)
    table = pl.read_parquet(tmp_path / "contrasts.parquet")
    assert table.columns[:4] == ["id", "contrast", "group", "target"]
    assert table["contrast"].unique().to_list() == [HARD]
    probabilities = np.stack([table[f"probability_{label}"].to_numpy() for label in TASK.labels], axis=1)
    targets = (table["target"] == TASK.labels[1]).cast(int).to_numpy()
    found = evaluate(TASK, targets, probabilities, units=Units.of(table["group"].to_numpy(), "protein"))
    assert found == run.assessment.evaluation.contrasts[HARD].test
    assert written["contrasts"][HARD]["test"]["auroc"] == found["auroc"].to_state()
    assert HARD in (tmp_path / "card.md").read_text()


def test_a_run_without_contrasts_is_written_as_before(tmp_path):
    run = whole_run(with_contrast=False)
    written = write_records(tmp_path, run)
    assert "contrasts" not in written
    assert not (tmp_path / "contrasts.parquet").exists()
    assert "The same test with" not in (tmp_path / "report.html").read_text()


def test_the_section_follows_the_comparison_and_the_warning_comes_first(run):
    page = training_page(run)
    titles = re.findall(r"<h2[^>]*>([^<]*)</h2>", page)
    place = titles.index(f"The same test with {HARD}")
    assert titles[place - 1] == "Network, baselines and probes"
    assert titles[place + 1] == "What it gets right and wrong"
    warning = f"With {HARD} the network does no better than chance"
    assert page.count(warning) == 2
    assert page.index(warning) < page.index("Network, baselines and probes</h2>")
    assert f"AUROC, {EASY}" in page
    assert "Swapped &lt;b&gt;." in page
    assert "Swapped <b>" not in page
