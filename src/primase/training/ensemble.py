"""Fit several networks that differ in their seed only, and lose none of them to an interruption."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from primase.data.encoding import SupervisedBatches
from primase.events import Listener, silent
from primase.training.configuration import TrainingConfiguration
from primase.training.fit import FitOptions, fit
from primase.training.fitted import Fitted


def fit_members(
    build: Callable[[], nn.Module],
    train: SupervisedBatches,
    validation: SupervisedBatches,
    configuration: TrainingConfiguration,
    *,
    seed: int,
    folder: Path,
    options: FitOptions | None = None,
    listener: Listener = silent,
) -> list[Fitted]:
    """Fit the members of an ensemble; those that the folder already holds are read instead.

    Parameters
    ----------
    build
        Makes an untrained network; called once per member, each time from another seed.
    folder
        Keeps the finished members and the checkpoints of the one at work.
    """
    members = []
    for number in range(configuration.members):
        member_seed = seed + 10_000 * number
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(member_seed)
            network = build()
        member_folder = folder / f"member-{number + 1}"
        fitted = _read(network, member_folder)
        if fitted is None:
            fitted = fit(
                network,
                train,
                validation,
                configuration,
                seed=member_seed,
                folder=member_folder,
                options=options,
                listener=listener,
            )
            _write(fitted, member_folder)
        members.append(fitted)
    return members


def _write(fitted: Fitted, folder: Path) -> None:
    """Keep a finished member; its history is written last and so tells that it is whole."""
    weights = {name: tensor.contiguous() for name, tensor in fitted.network.state_dict().items()}
    save_file(weights, folder / "weights.safetensors")
    facts = {"history": fitted.history, "best_epoch": fitted.best_epoch, "precision": fitted.precision}
    staged = folder / "finished.json.part"
    staged.write_text(json.dumps(facts), encoding="utf-8")
    staged.replace(folder / "finished.json")


def _read(network: nn.Module, folder: Path) -> Fitted | None:
    path = folder / "finished.json"
    if not path.exists():
        return None
    facts = json.loads(path.read_text(encoding="utf-8"))
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    return Fitted(network.eval(), facts["history"], facts["best_epoch"], facts["precision"])
