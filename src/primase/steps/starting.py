"""Start training from another model of the same application: its weights, its encoder, and what it has seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import polars as pl
import torch
from jaxtyping import Bool
from torch import nn

from primase.apps.contract import Application, Configuration
from primase.configuration import setting_given
from primase.data.audit import Finding, Fingerprints
from primase.data.splits import Partition
from primase.data.tasks import Task
from primase.errors import ConfigurationError, InputError
from primase.evaluation.evaluation import Evaluation
from primase.evaluation.metrics import metric_title
from primase.models import ANCESTORS, Model, load, seen_hashes, was_seen
from primase.predictor.bundle import bundle_digest, read_facts
from primase.report.records import MEMBERS, write_json
from primase.report.run import Remedy
from primase.report.starting import StartFacts, starting_section
from primase.training.ensemble import MemberPlan
from primase.training.starting import TakenOver, freeze_below, start_options, take_over

SEEN: Final = "seen by the model that it started from"
NOT_SEEN: Final = "not seen by the model that it started from"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """What a run starts from.

    Parameters
    ----------
    model
        The other model.
    digest
        The sha256 of its ``bundle.json``.
    hashes
        Of the inputs that it, and those that it started from in their turn, were trained or chosen on; None where its
        bundle does not say.
    """

    model: Model
    digest: str
    hashes: pl.Series | None

    @property
    def path(self) -> Path:
        """Its bundle."""
        return self.model.path

    def seen(self, identities: Fingerprints) -> Bool[np.ndarray, "examples"]:
        """Tell which inputs the other model was trained or chosen on."""
        if self.hashes is None:
            return np.zeros(len(identities), dtype=bool)
        return was_seen(self.hashes, identities)

    def finding(self, identities: Fingerprints, partition: Partition) -> Finding:
        """Count the test examples that the other model has seen: the test asks what it remembers of them."""
        if self.hashes is None:
            text = f"{self.path} has no {MEMBERS}, so nobody can tell which test examples that model was trained on."
            return Finding(SEEN, 0, "warning", text)
        count, total = int(self.seen(identities[partition.test]).sum()), len(partition.test)
        misled = self._misled(identities, partition)
        if not count:
            text = f"None of the {total:,} test examples is among those that {self.path.name} was trained or chosen on."
            return Finding(SEEN, 0, "warning" if misled else "info", text + misled)
        text = (
            f"{count:,} of {total:,} test examples are among those that {self.path.name}, from which training starts, "
            "was trained or chosen on: of them the test asks in part what it remembers. The figures on the others "
            "stand beside."
        )
        return Finding(SEEN, count, "warning", text + misled)

    def _misled(self, identities: Fingerprints, partition: Partition) -> str:
        """Warn of validation examples that the other model has seen: what is chosen on them is chosen too hopefully."""
        count, total = int(self.seen(identities[partition.validation]).sum()), len(partition.validation)
        if not count:
            return ""
        return (
            f" {count:,} of {total:,} validation examples are among them, too: calibration and everything else that is "
            "chosen on validation may take the network for surer than it is on new examples."
        )

    def subsets(self, identities: Fingerprints) -> dict[str, Bool[np.ndarray, "tested"]]:
        """Part the test examples by what the other model has seen; nothing if it has seen none of them."""
        seen = self.seen(identities)
        return {SEEN: seen, NOT_SEEN: ~seen} if seen.any() else {}

    def plans(self, plans: Sequence[MemberPlan], task: Task, configuration: Configuration) -> list[MemberPlan]:
        """Let each network of an ensemble begin with what one of the other model has learned.

        Raises
        ------
        InputError
            If the networks are not built alike.
        """
        settings = configuration.training
        started = [
            replace(
                plan,
                build=partial(self._build, plan, number, task, configuration),
                options=start_options(plan.options, settings.freeze, settings.lower_rate),
            )
            for number, plan in enumerate(plans)
        ]
        # Whether all of them fit is better known before the first has been trained for hours.
        with torch.random.fork_rng(devices=[]):
            for number, plan in enumerate(plans):
                self._take_over(plan.build(), number, task)
        return started

    def _take_over(self, network: nn.Module, number: int, task: Task) -> TakenOver:
        members, before = self.model.predictor.members, self.model.predictor.task.labels
        with torch.no_grad():
            return take_over(network, members[number % len(members)].state_dict(), before=before, after=task.labels)

    def _build(self, plan: MemberPlan, number: int, task: Task, configuration: Configuration) -> nn.Module:
        network = plan.build()
        self._take_over(network, number, task)
        if configuration.training.freeze == "all-but-last":
            freeze_below(network)
        return network

    def remedy(self, build: Callable[[], nn.Module], configuration: Configuration, evaluation: Evaluation) -> Remedy:
        """Say in the report what was done.

        Parameters
        ----------
        build
            Makes the first network as it is before anything is taken over.
        """
        settings, main = configuration.training, evaluation.task.main_metric
        with torch.random.fork_rng(devices=[]):
            taken = self._take_over(build(), 0, evaluation.task)
        apart = {name: figures[main] for name, figures in evaluation.subsets.items() if name in {SEEN, NOT_SEEN}}
        facts = StartFacts(
            parent=self.path.name,
            parent_data=_data_of(self.path),
            taken=taken,
            freeze=settings.freeze,
            lower_rate=settings.lower_rate,
            everything=evaluation.main,
            seen=apart.get(SEEN),
            not_seen=apart.get(NOT_SEEN),
            metric=metric_title(main),
        )
        state = {
            "from": str(self.path),
            "sha256": self.digest,
            "values_taken_over": taken.values[0],
            "values": taken.values[1],
            "last_layer": taken.last,
            "answers_kept": len(taken.kept),
            "answers_new": len(taken.new),
            "freeze": settings.freeze,
            "lower_rate": settings.lower_rate,
        }
        return Remedy("start", state, [starting_section(facts)])

    def write_ancestors(self, folder: Path) -> None:
        """Keep in a bundle what the models behind it have seen, so that they need not stay where they are."""
        if self.hashes is not None:
            pl.DataFrame({"input_hash": self.hashes}).write_parquet(folder / ANCESTORS)

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the model comes from, for ``bundle.json``."""
        return {"from": {"path": str(self.path), "sha256": self.digest}}


def open_start(application: Application, configuration: Configuration, workspace: Path) -> Start | None:
    """Load the model that a run starts from; None where it starts from nothing.

    Parameters
    ----------
    workspace
        Of the run, which remembers what it was started from.

    Raises
    ------
    BundleError
        If the folder is no bundle.
    InputError
        If it is one of another application, or is no longer the one that an interrupted run started from.
    """
    path = configuration.training.from_model
    if path is None:
        return None
    _refuse_another(path, application)
    digest = bundle_digest(path)
    known = workspace / "start.json"
    if not known.exists():
        write_json(known, {"sha256": digest})
    elif json.loads(known.read_text(encoding="utf-8"))["sha256"] != digest:
        what = "the model is not the one that the interrupted run started from"
        raise InputError(what, where=str(path), advice=f"Delete {workspace} to start again.")
    return Start(load(path), digest, _hashes(path))


def usual_settings(
    application: Application, settings: Mapping[str, object], *, file: Path | None = None
) -> dict[str, object]:
    """Give the settings of the model that a run is to start from, as far as they decide its network and its encoder.

    They stand for what the user does not say, who then need not repeat the widths of the layers.
    """
    named = setting_given(application.configuration, "from_model", settings, file=file)
    if named is None:
        return {}
    path = Path(str(named))
    facts = _refuse_another(path, application)
    before = facts.get("configuration", {})
    inherited: frozenset[str] = getattr(application.configuration, "inherited", frozenset())
    data = {name: value for name, value in before.get("data", {}).items() if name in inherited}
    return {**before.get("network", {}), **data}


def _refuse_another(path: Path, application: Application) -> dict[str, Any]:
    facts = read_facts(path)
    if facts.get("application") != application.name:
        what = "a model can start from one of the same application only"
        raise ConfigurationError(
            what, where=f"--from {path}", got=str(facts.get("application")), wanted=application.name
        )
    changed = sorted({str(edit.get("edit")) for edits in facts.get("structures") or [] for edit in edits})
    if changed:
        what = "this model's networks were changed after training, and no network of these settings has such layers"
        advice = "Start from the model that it was made of, or go on with it by `primase extend`."
        raise ConfigurationError(
            what, where=f"--from {path}", got=", ".join(changed), wanted="a model as trained", advice=advice
        )
    return facts


def _hashes(path: Path) -> pl.Series | None:
    """Gather what a model, and those behind it, were trained or chosen on."""
    return seen_hashes(path) if (path / MEMBERS).exists() else None


def _data_of(path: Path) -> str:
    """Name what a model was trained on, as its metrics have it."""
    metrics = path / "metrics.json"
    if not metrics.exists():
        return "other data"
    return str(json.loads(metrics.read_text(encoding="utf-8")).get("dataset") or "other data")
