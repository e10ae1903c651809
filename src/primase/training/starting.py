"""Start from what another network has learned: take over its weights, and keep them or let them change slowly.

The last layer is the one whose outputs are the answers. It may be new, as other data have other answers; all layers
below it must be those of the other network (Yosinski et al. 2014, How transferable are features in deep neural
networks?).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, final

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn

from primase.errors import ConfigurationError, InputError
from primase.training.fit import FitOptions
from primase.training.modules import ParameterGroups, learning_parameters

Freezing = Literal["none", "all-but-last"]

_SHOWN: Final = 5


@final
@dataclass(frozen=True, slots=True)
class TakenOver:
    """What a network has of another one.

    Parameters
    ----------
    layers
        The names of the layers that were taken over whole.
    values
        How many numbers were taken over, and how many the network has.
    last
        The name of the last layer.
    kept
        The answers whose rows of the last layer were taken over.
    new
        The answers that start from nothing.
    """

    layers: tuple[str, ...]
    values: tuple[int, int]
    last: str
    kept: tuple[str, ...]
    new: tuple[str, ...]


def last_layer(network: nn.Module) -> str:
    """Name the layer that gives the answers: the last module that has weights of its own which learn.

    Raises
    ------
    ConfigurationError
        If nothing in the network learns.
    """
    learning: list[str] = [
        name
        for name, module in network.named_modules()
        if any(parameter.requires_grad for parameter in module.parameters(recurse=False))
    ]
    if not learning:
        what = "no layer of this network learns, so that it cannot start from another one"
        raise ConfigurationError(what, where="--from")
    return learning[-1]


def take_over(
    network: nn.Module, weights: Mapping[str, Tensor], *, before: Sequence[str], after: Sequence[str]
) -> TakenOver:
    """Copy the weights of another network into this one, in place.

    Tensors that the network itself names in an attribute ``given`` come with its encoder, and are left as they are.

    Parameters
    ----------
    weights
        Of the other network, as its ``state_dict`` has them.
    before, after
        The answers of the other network and of this one; rows of the last layer are copied by their names.

    Raises
    ------
    InputError
        If another layer than the last differs in name or shape, or if there is nothing to take over.
    """
    own, last = network.state_dict(), last_layer(network)
    given: frozenset[str] = getattr(network, "given", frozenset())
    body = [name for name in own if _layer(name) != last and name.split(".")[0] not in given]
    _refuse_other_layers({name: own[name] for name in body}, weights, last, given)
    for name in body:
        own[name].copy_(weights[name])
    kept = _rows([name for name in own if _layer(name) == last], own, weights, before, after)
    if not body and not kept:
        what = "there is nothing to start from: the network has one layer, which gives other answers"
        raise InputError(what, where="--from", got=_listed(after), wanted=f"some of {_listed(before)}")
    return TakenOver(
        layers=tuple(dict.fromkeys(_layer(name) for name in body)),
        values=(
            sum(own[name].numel() for name in body)
            + sum(own[name].numel() for name in own if _layer(name) == last) * len(kept) // max(len(after), 1),
            sum(tensor.numel() for tensor in own.values()),
        ),
        last=last,
        kept=kept,
        new=tuple(label for label in after if label not in set(kept)),
    )


def freeze_below(network: nn.Module) -> None:
    """Let nothing but the last layer learn."""
    last = last_layer(network)
    for name, parameter in network.named_parameters():
        if _layer(name) != last:
            parameter.requires_grad = False


def start_options(options: FitOptions, freezing: Freezing, lower_rate: float) -> FitOptions:
    """Say how a network learns that begins with what another has learned.

    Parameters
    ----------
    options
        How it would learn otherwise; parameter groups that are there already are kept, each divided in two.
    lower_rate
        By how much all but the last layer learn more slowly, above 0 and at most 1.

    Raises
    ------
    ConfigurationError
        If layers are to be frozen that a further phase of training would change all the same.
    """
    if freezing == "all-but-last" and options.then is not None:
        what = "a further phase of training changes all layers, so that none can be kept"
        raise ConfigurationError(what, where="--freeze", got=freezing, wanted="none")
    callbacks = [*options.callbacks, *([KeepFrozen()] if freezing == "all-but-last" else [])]
    return replace(options, parameters=_slower(options.parameters, lower_rate), callbacks=callbacks)


@final
class KeepFrozen(lightning.Callback):
    """Keeps frozen layers in the mode of evaluation, so that batch normalisation keeps its statistics, too."""

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Set the mode before every step: Lightning puts the whole network into training after each validation."""
        del trainer, batch, batch_idx
        for module in pl_module.modules():
            own = list(module.parameters(recurse=False))
            if own and not any(parameter.requires_grad for parameter in own):
                module.training = False


def _slower(parameters: ParameterGroups | None, lower_rate: float) -> ParameterGroups:
    """Divide each group of weights into the last layer and what lies below it, which learns more slowly."""
    usual = parameters or learning_parameters

    def groups(network: nn.Module) -> Sequence[Mapping[str, Any]]:
        answers = {id(parameter) for parameter in network.get_submodule(last_layer(network)).parameters()}
        divided: list[Mapping[str, Any]] = []
        for group in usual(network):
            rate, all_of_it = group.get("rate", 1.0), list(group["params"])
            for is_last, share in ((True, 1.0), (False, lower_rate)):
                chosen = [parameter for parameter in all_of_it if (id(parameter) in answers) == is_last]
                if chosen:
                    divided.append({**group, "params": chosen, "rate": rate * share})
        return divided

    return groups


def _rows(
    names: Sequence[str],
    own: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    before: Sequence[str],
    after: Sequence[str],
) -> tuple[str, ...]:
    """Copy the rows of the last layer whose answers both networks have; return these."""
    same = tuple(before) == tuple(after)
    if same and all(name in weights and weights[name].shape == own[name].shape for name in names):
        for name in names:
            own[name].copy_(weights[name])
        return tuple(after)
    if not all(name in weights and _fits(own[name], weights[name], len(after), len(before)) for name in names):
        return ()
    place = {label: number for number, label in enumerate(before)}
    kept = tuple(label for label in after if label in place)
    to = torch.tensor([number for number, label in enumerate(after) if label in place], dtype=torch.long)
    source = torch.tensor([place[label] for label in kept], dtype=torch.long)
    for name in names:
        new, old = own[name], weights[name]
        # An answer may have several rows, one after the other.
        new.view(len(after), -1)[to] = old.contiguous().view(len(before), -1)[source].to(new.dtype)
    return kept


def _fits(new: Tensor, old: Tensor, after: int, before: int) -> bool:
    """Tell whether two tensors have equally many numbers for each answer."""
    if not new.ndim or new.ndim != old.ndim or new.shape[1:] != old.shape[1:]:
        return False
    return new.shape[0] % after == 0 and old.shape[0] % before == 0 and new.shape[0] // after == old.shape[0] // before


def _refuse_other_layers(
    own: Mapping[str, Tensor], weights: Mapping[str, Tensor], last: str, given: frozenset[str]
) -> None:
    """Refuse another architecture, and name the first layers that differ."""
    there = {name for name in weights if _layer(name) != last and name.split(".")[0] not in given}
    said = [
        f"{name} {_shape(weights.get(name))}, here {_shape(own.get(name))}"
        for name in dict.fromkeys([*own, *sorted(there)])
        if name not in there or name not in own or weights[name].shape != own[name].shape
    ]
    if said:
        more = f" and {len(said) - _SHOWN:,} more" if len(said) > _SHOWN else ""
        what = "this network is not built like the one that it is to start from"
        advice = "Leave the settings of the network out: they are then those of the other model."
        raise InputError(
            what, where="--from", got="; ".join(said[:_SHOWN]) + more, wanted="the same layers", advice=advice
        )


def _shape(tensor: Tensor | None) -> str:
    return "none" if tensor is None else " x ".join(map(str, tensor.shape)) or "one number"


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _SHOWN:,} more" if len(labels) > _SHOWN else ""
    return ", ".join(labels[:_SHOWN]) + more
