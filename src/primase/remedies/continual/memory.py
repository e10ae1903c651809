"""What a model keeps to learn more later without its old data: exemplars, information on its weights, small tests.

Two files beside the weights of a bundle: ``memory.json``, in words, and ``memory.safetensors``, in numbers. They hold
training and test examples as the network reads them, which may be as confidential as the data themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from primase.data.encoding import SupervisedBatches
from primase.errors import BundleError
from primase.remedies.continual.rehearsal import Remembered

WORDS: Final = "memory.json"
NUMBERS: Final = "memory.safetensors"
SCHEMA: Final = 1

MOST_TESTED: Final = 1_000
"""So many test examples of each step are kept at most."""
MOST_BYTES: Final = 32 << 20
"""So much room they take at most."""


@final
@dataclass(frozen=True, slots=True)
class Step:
    """One step of learning: the first training, or an extension.

    Parameters
    ----------
    name
        What the input was called.
    method
        How it was learned; ``"train"`` for the first.
    labels
        The answers that its training examples have.
    examples
        The number of its training examples.
    settings
        The words by which its input was named, to read it again.
    figures
        Of every step so far, on its test, after this one was learned, among all labels.
    own_figures
        The same where only the labels of each step are to choose from.
    before, chance
        The figure on its test before it was learned, where all of its labels were known, and that of guessing.
    """

    name: str
    method: str
    labels: tuple[str, ...]
    examples: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    figures: tuple[float | None, ...] = ()
    own_figures: tuple[float | None, ...] = ()
    before: float | None = None
    chance: float | None = None

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Step:
        """Read what ``asdict`` wrote."""
        several = ("labels", "figures", "own_figures")
        return cls(**{**state, **{name: tuple(state[name]) for name in several}})


@final
@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """All that is kept.

    Parameters
    ----------
    tests
        Of every step.
    exemplars
        Training examples of all steps.
    information
        Of each network of the model, per weight.
    """

    steps: tuple[Step, ...]
    tests: tuple[Remembered, ...]
    exemplars: Remembered
    information: tuple[Mapping[str, Tensor], ...]


def kept_for_test(batches: SupervisedBatches, seed: int) -> Remembered:
    """Keep test examples drawn at random, as many as there is room for."""
    if not len(batches):
        return Remembered({}, batches.targets.numpy())
    one = Remembered.of(batches, np.array([0])).bytes
    count = max(min(MOST_TESTED, MOST_BYTES // max(one, 1)), 1)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(batches))[:count])
    return Remembered.of(batches, drawn)


def write_memory(folder: Path, memory: Memory) -> None:
    """Write a memory beside the weights of a bundle; the numbers first, as the words vouch for them."""
    tensors: dict[str, Tensor] = {}
    for number, test in enumerate(memory.tests):
        tensors |= _named(f"test/{number}", test)
    tensors |= _named("exemplars", memory.exemplars)
    for number, information in enumerate(memory.information):
        tensors |= {f"information/{number}/{name}": value for name, value in information.items()}
    content = safetensors.torch.save({name: tensor.contiguous() for name, tensor in tensors.items()})
    largest = [part.largest_batch for part in (*memory.tests, memory.exemplars)]
    words = {
        "schema": SCHEMA,
        "steps": [asdict(step) for step in memory.steps],
        "members": len(memory.information),
        "largest_batch": min(largest),
        "sha256": sha256(content).hexdigest(),
    }
    for name, text in ((NUMBERS, content), (WORDS, json.dumps(words, indent=1, ensure_ascii=False).encode())):
        staged = folder / f"{name}.part"
        staged.write_bytes(text)
        staged.replace(folder / name)


def read_memory(folder: Path) -> Memory | None:
    """Read the memory of a bundle; None where it has none.

    Raises
    ------
    BundleError
        If it is incomplete, altered, or of a newer version of primase.
    """
    if not (folder / WORDS).exists():
        return None
    try:
        words = json.loads((folder / WORDS).read_text(encoding="utf-8"))
        content = (folder / NUMBERS).read_bytes()
        if int(words["schema"]) > SCHEMA:
            what = "this memory was written by a newer version of primase"
            raise BundleError(what, where=str(folder / WORDS), got=f"schema {words['schema']}")
        if sha256(content).hexdigest() != words["sha256"]:
            what = "the memory of the bundle is not the one that was written"
            raise BundleError(what, where=str(folder / NUMBERS), advice="Copy the bundle again or train anew.")
        tensors = safetensors.torch.load(content)
        steps = tuple(Step.from_state(state) for state in words["steps"])
        size = int(words["largest_batch"])
        return Memory(
            steps,
            tuple(_remembered(tensors, f"test/{number}", size) for number in range(len(steps))),
            _remembered(tensors, "exemplars", size),
            tuple(_below(tensors, f"information/{number}") for number in range(int(words["members"]))),
        )
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        what = "the memory of the bundle cannot be read"
        raise BundleError(what, where=str(folder / WORDS), got=repr(error)) from None


def _named(prefix: str, part: Remembered) -> dict[str, Tensor]:
    named = {f"{prefix}/inputs/{name}": tensor for name, tensor in part.tensors.items()}
    return {**named, f"{prefix}/targets": torch.from_numpy(np.ascontiguousarray(part.targets))}


def _remembered(tensors: Mapping[str, Tensor], prefix: str, size: int) -> Remembered:
    return Remembered(_below(tensors, f"{prefix}/inputs"), tensors[f"{prefix}/targets"].numpy(), size)


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def step_names(steps: Sequence[Step]) -> list[str]:
    """Name steps apart, by their number and what was learned."""
    return [f"{number}. {step.name}" for number, step in enumerate(steps, start=1)]
