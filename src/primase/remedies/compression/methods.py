"""The ways to make networks smaller, each from the first network to the last, with what is to be told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import torch
from torch import nn

from primase.data.encoding import Batch
from primase.errors import ConfigurationError
from primase.remedies.compression.channels import without_channels
from primase.remedies.compression.distilling import distillation
from primase.remedies.compression.factorising import factorise
from primase.remedies.compression.pruning import pruned
from primase.remedies.compression.quantising import quantise
from primase.remedies.compression.settings import CompressionSettings, Method
from primase.remedies.compression.sharing import shared
from primase.remedies.compression.tuning import Tuner, fine_tuning, in_phases
from primase.training.configuration import TrainingConfiguration
from primase.training.fitted import Fitted


@final
@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How one network is made smaller.

    Parameters
    ----------
    build
        Makes the untrained network of the settings.
    copied
        Makes a copy of the trained one.
    training
        How networks of the application are trained.
    tuner
        Trains again what was made smaller.
    learned
        Tells of a network that is not trained again how the trained one has learned.
    """

    build: Callable[[], nn.Module]
    copied: Callable[[], nn.Module]
    training: TrainingConfiguration
    tuner: Tuner
    learned: Callable[[nn.Module], Fitted]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What a compression has at hand.

    Parameters
    ----------
    parents
        The trained networks.
    plans
        One for each network that is to be made.
    batch
        Of a few examples.
    """

    settings: CompressionSettings
    parents: Sequence[nn.Module]
    plans: Sequence[Plan]
    batch: Batch


@final
@dataclass(frozen=True, slots=True)
class Done:
    """The smaller networks, and in words how they were made."""

    members: Sequence[Fitted]
    text: str


def make_smaller(work: Work) -> Done:
    """Make networks smaller in the way that was asked for.

    Raises
    ------
    ConfigurationError
        If it does not suit the networks.
    """
    if work.settings.structured:
        return _leave_out(work)
    return _WAYS[work.settings.method](work)


def _prune(work: Work) -> Done:
    sparsity = work.settings.sparsity
    members = [pruned(plan.copied(), plan.tuner, sparsity) for plan in work.plans]
    text = (
        f"The smallest {sparsity:.1%} of the weights of each network were set to zero, in three steps, after each of "
        "which the others were trained again (Han et al. 2015). Zeros are not written to disk. They are still "
        "multiplied with: the network is not faster."
    )
    return Done(members, text)


def _leave_out(work: Work) -> Done:
    share = work.settings.sparsity
    members = [
        plan.tuner.tune(without_channels(plan.copied(), plan.build, work.batch, share), "channels")
        for plan in work.plans
    ]
    text = (
        f"In each layer the {share:.0%} of the channels with the smallest weights were left out, with all that read "
        "them, and the rest was trained again. The network has less to compute."
    )
    return Done(members, text)


def _quantise(work: Work) -> Done:
    members = []
    for plan in work.plans:
        network = plan.copied()
        quantise(network)
        members.append(plan.learned(network))
    text = (
        "Weights were rounded to whole numbers from -127 to 127, with a scale for each channel, and are written in a "
        "Huffman code. Nothing was trained again: the learning curves are those of the larger network. It computes "
        "with the rounded weights in 32 bits: it is not faster."
    )
    return Done(members, text)


def _distil(work: Work) -> Done:
    settings, members = work.settings, []
    for plan in work.plans:
        training = fine_tuning(
            plan.training,
            epochs=settings.epochs or plan.training.epochs,
            learning_rate=settings.learning_rate or plan.training.learning_rate,
        )
        taught = distillation(
            work.parents,
            plan.tuner.options,
            temperature=settings.temperature,
            share=settings.soft,
            label_smoothing=plan.training.label_smoothing,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.tuner.seed)
            network = plan.build()
        members.append(replace(plan.tuner, configuration=training).tune(network, "distil", options=taught))
    text = (
        f"Smaller networks ({len(members)}) learned from what the larger ones ({len(work.parents)}) answer (Hinton et "
        f"al. 2015): {settings.soft:.0%} of the loss is about these, at a temperature of {settings.temperature:g}, and "
        "the rest about the known answers. The configuration of the bundle is that of the smaller network."
    )
    return Done(members, text)


def _low_rank(work: Work) -> Done:
    settings, members, told = work.settings, [], []
    for plan in work.plans:
        network = plan.copied()
        edits = factorise(network, energy=settings.energy, rank=settings.rank)
        if not edits:
            what = "no layer would get smaller by being taken apart"
            where, got = ("--rank", settings.rank) if settings.rank else ("--energy", settings.energy)
            raise ConfigurationError(what, where=where, got=str(got), wanted="a smaller number")
        told.append(", ".join(f"{edit['layer']} to rank {edit['rank']}" for edit in edits))
        members.append(plan.tuner.tune(network, "low-rank"))
    text = (
        "Layers were replaced by two thinner ones, the nearest of that rank (Eckart and Young 1936), and trained "
        f"again; layers that would not get smaller were left. In the first network: {told[0]}."
    )
    return Done(members, text)


def _deep_compression(work: Work) -> Done:
    settings, members = work.settings, []
    for plan in work.plans:
        network = plan.copied()
        sparse = pruned(network, plan.tuner, settings.sparsity)
        steps = [(name, replace(sparse, history=history)) for name, history in sparse.phases.items()]
        sharing = shared(network, plan.tuner, settings.bits)
        members.append(in_phases([*steps, ("pruning", sparse), ("sharing", sharing)]))
    text = (
        f"The smallest {settings.sparsity:.1%} of the weights were set to zero, in three steps; the others of each "
        f"layer take at most {2**settings.bits} values, found by k-means; both with training in between. What is left "
        "is written in a Huffman code (deep compression; Han et al. 2016). The network computes in 32 bits as before: "
        "it is smaller on disk, and not faster."
    )
    return Done(members, text)


_WAYS: Final[Mapping[Method, Callable[[Work], Done]]] = {
    "prune": _prune,
    "quantise": _quantise,
    "distil": _distil,
    "low-rank": _low_rank,
    "deep-compression": _deep_compression,
}
