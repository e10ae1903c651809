"""Every application takes each remedy of training, or says why it does not fit; a step of training with it works."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from primase import pipeline
from primase.apps.discovery import application_named
from primase.configuration import configure, options, settings_of
from primase.data.tasks import Task
from primase.errors import ConfigurationError, InputError
from primase.events import Epoch, Stages, silent
from primase.steps.deciding import refuse_in_time
from primase.training.fit import training_objective
from primase.training.remedies import KINDS, TrainingRemedies, with_remedies

REMEDIES = {
    **{strategy: {"imbalance": strategy} for strategy in KINDS},
    "confidence penalty": {"confidence_penalty": 0.1},
    "mixup": {"mixup": 0.2},
    "corruption": {"corruption": 0.1},
    "input noise": {"input_noise": 0.1},
}
OF_VALUES = {"mixup", "corruption", "input noise"}
NO_SETTINGS = {
    "expression-inference": set(REMEDIES) - OF_VALUES,
    "expression-embedding": set(REMEDIES),
    "super-resolution": set(REMEDIES),
}
"""What makes no sense for an application is no option of it."""
REFUSED = {
    "enzyme-identification": {"mixup", "input noise"},
    "rna-binding": {"input noise"},
    "dna-function": {"up-sampling", "down-sampling", "input noise"},
    "protein-interaction": set(REMEDIES),
}


@pytest.fixture(scope="module")
def kept():
    """Keep what was read and encoded, by application."""
    return {}


def prepared(rehearsal, kept):
    name = rehearsal.application.name
    if name not in kept:
        configuration = configure(rehearsal.application.configuration, rehearsal.settings)
        audited = pipeline.audit(rehearsal.application, configuration)
        found = pipeline.prepare(rehearsal.application, configuration, audited, stages=Stages(silent))
        kept[name] = found, found.learned_from("train")
    return kept[name]


@pytest.mark.parametrize("remedy", REMEDIES)
def test_each_remedy_is_taken_or_refused_with_a_reason(rehearsal, kept, remedy):
    application, settings = rehearsal.application, {**rehearsal.settings, **REMEDIES[remedy]}
    if not set(REMEDIES[remedy]) <= set(options(application.configuration)):
        assert remedy in NO_SETTINGS[application.name]
        with pytest.raises(ConfigurationError, match="no such setting"):
            configure(application.configuration, settings)
        return
    assert remedy not in NO_SETTINGS.get(application.name, set())
    found, train = prepared(rehearsal, kept)
    workflow, encoder, task = found.workflow, found.encoder, found.task
    own = workflow.member_configurations(configure(application.configuration, settings))[0]
    plain = workflow.fit_options(encoder, task, found.parts["train"], own)
    remedies = TrainingRemedies.among(own.remedies.model_dump())
    if remedy in REFUSED.get(application.name, set()):
        with pytest.raises(ConfigurationError) as caught:
            with_remedies(plain, remedies, task, train)
        assert f"--{next(iter(REMEDIES[remedy])).replace('_', '-')}" in str(caught.value)
        return
    chosen = with_remedies(plain, remedies, task, train)
    assert chosen != plain
    torch.manual_seed(0)
    network = workflow.network(encoder, task, own).train()
    batch = train[np.arange(min(len(train), 24))]
    inputs, targets = batch if chosen.transform is None else chosen.transform(*batch)
    loss = training_objective(chosen, own.training)[0](network, inputs, targets)
    loss.backward()
    assert torch.isfinite(loss)


def test_labels_are_smoothed_where_there_are_any(rehearsal, kept):
    found, train = prepared(rehearsal, kept)
    own = found.workflow.member_configurations(found.configuration)[0]
    plain = found.workflow.fit_options(found.encoder, found.task, found.parts["train"], own)
    if found.task.has_labels:
        assert with_remedies(plain, TrainingRemedies(), found.task, train, 0.1) is plain
        return
    with pytest.raises(ConfigurationError, match=r"--label-smoothing: only labels can be smoothed"):
        with_remedies(plain, TrainingRemedies(), found.task, train, 0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"focal_gamma": 3.0}, "--focal-gamma has a meaning with --imbalance focal only"),
        ({"operating_rate": 0.9, "operating_point": "f1"}, "--operating-point sensitivity or --operating-point spec"),
        ({"cost_ratio": 3.0, "operating_point": "youden"}, "--cost-ratio has a meaning with --operating-point cost"),
    ],
)
def test_a_setting_of_what_is_not_asked_for_is_refused(settings, message):
    kind = application_named("rna-binding").configuration
    with pytest.raises(ConfigurationError, match=message):
        configure(kind, settings)
    asked = {"focal_gamma": {"imbalance": "focal"}, "operating_rate": {"operating_point": "sensitivity"}}
    fitting = asked.get(next(iter(settings)), {"operating_point": "cost"})
    assert settings_of(configure(kind, {**settings, **fitting})).items() >= fitting.items()


def test_a_coverage_of_intervals_that_are_left_out_is_refused():
    kind = application_named("expression-inference").configuration
    with pytest.raises(ConfigurationError, match="--calibration none leaves out"):
        configure(kind, {"calibration": "none", "coverage": 0.8})
    assert configure(kind, {"coverage": 0.8}).remedies.model_dump()["coverage"] == 0.8
    configure(kind, {"calibration": "none"})


CLASSES, YES_OR_NO = Task("multiclass", ("a", "b", "c")), Task("binary", ("no", "yes"))
CUT = {"operating_point": "f1", "operating_rate": 0.95, "cost_ratio": 10.0}


@pytest.mark.parametrize(
    ("task", "truth", "remedies", "message"),
    [
        (CLASSES, [0, 1, 2], CUT, "--operating-point: a cut is drawn between yes and no"),
        (YES_OR_NO, [1, 1, -1], CUT, "--operating-point: .*2 positives of 2"),
        (CLASSES, [0, 1, 2], {"prevalence": 0.1}, "prevalence"),
        (YES_OR_NO, [0, 0, 0], {"prevalence": 0.1}, "prevalence"),
    ],
)
def test_what_the_finished_model_cannot_have_is_refused(task, truth, remedies, message):
    with pytest.raises(InputError, match=message):
        refuse_in_time(task, np.array(truth), remedies)
    refuse_in_time(YES_OR_NO, np.array([0, 1, -1]), remedies)
    refuse_in_time(task, np.array(truth), {})


def test_it_is_refused_before_training(rehearse, tmp_path, monkeypatch):
    asked, heard = [], []

    def refuse(task, truth, remedies):
        asked.append((len(truth), remedies["operating_point"]))
        what = "this cannot be had"
        raise InputError(what)

    monkeypatch.setattr(pipeline, "refuse_in_time", refuse)
    with pytest.raises(InputError, match="cannot be had"):
        rehearse("rna-binding").train(tmp_path / "model", listener=heard.append, operating_point="f1")
    assert asked[0][0] > 0
    assert asked[0][1] == "f1"
    assert not any(isinstance(event, Epoch) for event in heard)


def test_nothing_is_changed_where_nothing_is_asked(rehearsal, kept):
    found, train = prepared(rehearsal, kept)
    own = found.workflow.member_configurations(found.configuration)[0]
    plain = found.workflow.fit_options(found.encoder, found.task, found.parts["train"], own)
    assert with_remedies(plain, TrainingRemedies.among(own.remedies.model_dump()), found.task, train) is plain
