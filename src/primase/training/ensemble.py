"""Fit several networks, and lose none of them to an interruption."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from primase.data.encoding import SupervisedBatches
from primase.events import Listener, silent
from primase.training.configuration import TrainingConfiguration
from primase.training.fit import Course, FitOptions, fit
from primase.training.fitted import Fitted


@final
@dataclass(frozen=True, slots=True)
class MemberPlan:
    """How one network of an ensemble is made.

    Parameters
    ----------
    build
        Makes the untrained network.
    configuration
        How it learns.
    options
        What is particular about that.
    """

    build: Callable[[], nn.Module]
    configuration: TrainingConfiguration
    options: FitOptions = field(default_factory=FitOptions)


def fit_members(
    plans: Sequence[MemberPlan],
    train: SupervisedBatches,
    validation: SupervisedBatches,
    *,
    seed: int,
    folder: Path,
    listener: Listener = silent,
) -> list[Fitted]:
    """Fit the members of an ensemble, each from another seed; those that the folder already holds are read instead.

    Parameters
    ----------
    plans
        Of each member; the same again where they differ in their seed only.
    folder
        Keeps the finished members and the checkpoints of the one at work.
    """
    members = []
    for number, plan in enumerate(plans):
        member_seed = seed + 10_000 * number
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(member_seed)
            network = plan.build()
        member_folder = folder / f"member-{number + 1}"
        fitted = _read(network, member_folder)
        if fitted is None:
            fitted = fit(
                network,
                train,
                validation,
                plan.configuration,
                seed=member_seed,
                folder=member_folder,
                options=plan.options,
                listener=listener,
            )
            if plan.options.then is not None:
                course = Course(train, validation, plan.configuration, member_seed, member_folder, listener)
                fitted = plan.options.then(fitted, course)
            _write(fitted, member_folder)
        members.append(fitted)
    return members


def _write(fitted: Fitted, folder: Path) -> None:
    """Keep a finished member; its history is written last and so tells that it is whole."""
    weights = {name: tensor.contiguous() for name, tensor in fitted.network.state_dict().items()}
    save_file(weights, folder / "weights.safetensors")
    facts = {"history": fitted.history, "best_epoch": fitted.best_epoch, "precision": fitted.precision}
    facts["phases"] = dict(fitted.phases)
    staged = folder / "finished.json.part"
    staged.write_text(json.dumps(facts), encoding="utf-8")
    staged.replace(folder / "finished.json")


def _read(network: nn.Module, folder: Path) -> Fitted | None:
    path = folder / "finished.json"
    if not path.exists():
        return None
    facts = json.loads(path.read_text(encoding="utf-8"))
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    return Fitted(network.eval(), facts["history"], facts["best_epoch"], facts["precision"], facts["phases"])
