"""Expression with a known truth: a few factors that no file names decide all genes, some of them in crooked ways.

Every sample has a handful of factors, such as the activity of a pathway. Each landmark gene follows one of them; the
other genes follow one or two, along a straight line, or by their product, their size whatever the sign, or a threshold.
Factors of a product that are independent have no correlation with it: a linear model learns nothing of such a gene.

A sample belongs to a subtype, which moves the factors, to a patient, who may have two samples that are much alike, and
to a batch, which shifts all genes a little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Float, Int

from primase.apps.workflow import Simulated

FACTORS: Final = 4
LANDMARKS: Final = 48
TARGETS: Final = 96
LANDMARK: Final = "LM"
TARGET: Final = "TG"
SUBTYPES: Final = ("basal", "luminal", "normal")
BATCHES: Final = 3
PLANTED_SAMPLES: Final = 40
PLANTED_TARGETS: Final = 8
"""What drives a gene is listed for so many samples and genes: it is the same for all."""

BASELINE: Final = 7.0
"""The mean of a gene, as a logarithm to base 2."""
NOISE: Final = 0.25
BATCH_SHIFT: Final = 0.1
PATIENTS_WITH_TWO: Final = 0.2

Shape = Literal["linear", "product", "size", "threshold"]
Truth = Literal["linear", "nonlinear"]
_CROOKED: Final[tuple[Shape, ...]] = ("product", "size", "threshold")

Factors = Float[np.ndarray, "samples factors"]


@dataclass(frozen=True, slots=True)
class _Rule:
    """How a gene follows factors."""

    shape: Shape
    factors: tuple[int, ...]
    weights: tuple[float, ...]

    def level(self, factors: Factors) -> Float[np.ndarray, "samples"]:
        """Compute the expression without noise, as a logarithm less its baseline."""
        chosen = factors[:, list(self.factors)]
        match self.shape:
            case "linear":
                return np.asarray(chosen @ np.array(self.weights))
            case "product":
                return np.asarray(self.weights[0] * chosen.prod(axis=1))
            case "size":
                return np.asarray(self.weights[0] * (np.abs(chosen[:, 0]) - 0.8))
            case "threshold":
                return np.asarray(self.weights[0] * np.where(np.abs(chosen[:, 0]) > 1, 1.0, -0.5))


def simulate(
    folder: Path, count: int, seed: int, *, truth: Truth = "nonlinear", scale: Literal["raw", "log"] = "raw"
) -> Simulated:
    """Write ``expression.tsv`` (samples in rows), ``landmarks.txt`` and ``factors.tsv``, the truth that none can see.

    Parameters
    ----------
    folder
        Where to write.
    count
        The number of samples.
    seed
        The same seed gives the same files.
    truth
        Whether all genes follow the factors along straight lines, or half of the targets in crooked ways.
    scale
        Whether the file has counts (rounded), or logarithms to base 2.

    Returns
    -------
    Simulated
        Planted are, for the first samples and targets, the landmarks that follow the factors which drive the target:
        ``id`` is the sample, ``target`` and ``feature`` are genes. Facts are ``landmarks`` (the factor of each),
        ``targets`` (shape and factors of each), ``factors`` (their names) and the name of the table.
    """
    generator = np.random.default_rng(seed)
    patients = _patients(count, generator)
    subtypes = generator.integers(len(SUBTYPES), size=int(patients.max()) + 1)[patients]
    batches = generator.integers(BATCHES, size=count)
    factors = _factors(patients, subtypes, generator)
    rules = _rules(truth, generator)
    values = _values(rules, factors, batches, generator)
    if scale == "raw":
        values = np.rint(np.exp2(values) - 1)
    ids = [f"sample_{number + 1:0{len(str(count))}}" for number in range(count)]
    words = {
        "id": ids,
        "patient": [f"patient_{number + 1}" for number in patients],
        "batch": [f"batch_{number + 1}" for number in batches],
        "subtype": [SUBTYPES[number] for number in subtypes],
    }
    # The order of the columns tells nothing.
    order = generator.permutation(len(rules))
    names = [[*rules][place] for place in order.tolist()]
    _write(folder / "expression.tsv", words, names, values[:, order], "%d" if scale == "raw" else "%.4f")
    facts = _facts(rules)
    (folder / "landmarks.txt").write_text("\n".join(facts["landmarks"]) + "\n", encoding="utf-8")
    _write(folder / facts["factor_table"], {"id": ids}, facts["factors"], factors, "%.6f")
    inputs = ["--table", "expression.tsv", "--group-column", "patient", "--label-column", "subtype"]
    return Simulated(inputs, _planted(ids, facts), facts)


def _rules(truth: Truth, generator: np.random.Generator) -> dict[str, _Rule]:
    """Say of each gene, by its name, how it follows factors: first the landmarks, then the targets."""
    rules = {}
    for number in range(LANDMARKS):
        weight = float(generator.choice([-1.0, 1.0]) * generator.uniform(0.8, 1.4))
        rules[f"{LANDMARK}{number + 1}"] = _Rule("linear", (number % FACTORS,), (weight,))
    for number in range(TARGETS):
        rules[f"{TARGET}{number + 1}"] = _target(number, truth, generator)
    return rules


def _values(
    rules: Mapping[str, _Rule],
    factors: Factors,
    batches: Int[np.ndarray, "samples"],
    generator: np.random.Generator,
) -> Float[np.ndarray, "samples genes"]:
    """Compute expression as a logarithm to base 2, at least 0, with batches and noise."""
    levels = np.column_stack([rule.level(factors) for rule in rules.values()])
    means = generator.normal(BASELINE, 0.7, levels.shape[1])
    shifts = generator.normal(0, BATCH_SHIFT, (BATCHES, levels.shape[1]))[batches]
    return np.asarray(np.maximum(means + levels + shifts + generator.normal(0, NOISE, levels.shape), 0))


def _facts(rules: Mapping[str, _Rule]) -> dict[str, Any]:
    names = [f"factor_{number + 1}" for number in range(FACTORS)]
    return {
        "factors": names,
        "factor_table": "factors.tsv",
        "landmarks": {gene: names[rule.factors[0]] for gene, rule in rules.items() if gene.startswith(LANDMARK)},
        "targets": {
            gene: {"shape": rule.shape, "factors": [names[number] for number in rule.factors]}
            for gene, rule in rules.items()
            if gene.startswith(TARGET)
        },
    }


def _patients(count: int, generator: np.random.Generator) -> Int[np.ndarray, "samples"]:
    """Give some patients two samples, in random order."""
    numbers: list[int] = []
    while len(numbers) < count:
        number = numbers[-1] + 1 if numbers else 0
        numbers += [number] * (2 if generator.random() < PATIENTS_WITH_TWO else 1)
    return np.asarray(generator.permutation(np.array(numbers[:count])))


def _factors(
    patients: Int[np.ndarray, "samples"], subtypes: Int[np.ndarray, "samples"], generator: np.random.Generator
) -> Factors:
    """Draw factors, about which the subtype and the patient have a say, of mean 0 and variance about 1."""
    of_patients = generator.normal(0, 1, (int(patients.max()) + 1, FACTORS))[patients]
    own = generator.normal(0, 1, (len(patients), FACTORS))
    moved = np.zeros((len(SUBTYPES), FACTORS))
    for subtype in range(len(SUBTYPES)):
        moved[subtype, subtype % FACTORS] = 1.0
    centred = moved - moved.mean(axis=0)
    return np.asarray(0.9 * of_patients + 0.3 * own + 0.8 * centred[subtypes])


def _target(number: int, truth: Truth, generator: np.random.Generator) -> _Rule:
    first, second = (int(one) for one in generator.choice(FACTORS, size=2, replace=False))
    signs = generator.choice([-1.0, 1.0], size=2) * generator.uniform(0.8, 1.2, size=2)
    if truth == "linear" or number % 2 == 0:
        return _Rule("linear", (first, second), (float(signs[0]), float(signs[1])))
    shape = _CROOKED[number // 2 % len(_CROOKED)]
    return _Rule(shape, (first, second) if shape == "product" else (first,), (float(signs[0]),))


def _planted(ids: Sequence[str], facts: Mapping[str, Any]) -> list[dict[str, str]]:
    carriers = {
        factor: [name for name, own in facts["landmarks"].items() if own == factor] for factor in facts["factors"]
    }
    targets = [*facts["targets"].items()][:PLANTED_TARGETS]
    return [
        {"id": sample, "target": target, "feature": landmark, "factor": factor}
        for sample in ids[:PLANTED_SAMPLES]
        for target, rule in targets
        for factor in rule["factors"]
        for landmark in carriers[factor]
    ]


def _write(
    path: Path,
    words: Mapping[str, Sequence[str]],
    columns: Sequence[str],
    values: Float[np.ndarray, "samples columns"],
    form: str,
) -> None:
    lines = ["\t".join([*words, *columns])]
    rows = zip(zip(*words.values(), strict=True), values.tolist(), strict=True)
    lines += ["\t".join([*cells, *(form % value for value in numbers)]) for cells, numbers in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
