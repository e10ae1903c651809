from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from primase.apps.sequences.audit import audit_chromosomes, audit_sequences
from primase.apps.sequences.giveaways import auroc, find_giveaways
from primase.bio.nucleotides import encode_nucleotides
from primase.data.audit import Finding
from primase.data.examples import Examples
from primase.data.sequences import Places, Sequences
from primase.data.splits import Partition

LABELS = ("unbound", "bound")
GENERATOR = np.random.default_rng(7)


def random_texts(count: int, length: int = 60, letters: str = "ACGT") -> list[str]:
    return ["".join(row) for row in GENERATOR.choice(list(letters), size=(count, length))]


def labelled(texts: list[str], targets: object, places: Places | None = None) -> Examples[Sequences]:
    sequences = Sequences.from_codes([encode_nucleotides(text, where="a test") for text in texts], places)
    return Examples(np.array([f"s{number}" for number in range(len(texts))], object), sequences, np.array(targets))


def found(findings: list[Finding]) -> dict[str, Finding]:
    names = [finding.finding for finding in findings]
    assert len(set(names)) == len(names), names
    return {finding.finding: finding for finding in findings}


def test_the_area_is_that_of_scikit_learn() -> None:
    values = GENERATOR.integers(0, 9, 200).astype(float)
    answers = GENERATOR.integers(0, 2, 200)
    expected = roc_auc_score(answers, values)
    assert auroc(values, np.flatnonzero(answers == 1), np.flatnonzero(answers == 0)) == pytest.approx(expected)


def test_random_sequences_give_nothing_away() -> None:
    findings = audit_sequences(labelled(random_texts(600), np.arange(600) % 2), LABELS, window=60)
    assert [finding.text for finding in findings if finding.severity == "warning"] == []
    assert "0.5 is chance" in found(findings)["GC content of the classes"].text
    assert found(findings)["lengths"].text.startswith("All sequences have 60 letters")


def test_a_difference_in_composition_is_a_warning() -> None:
    texts = [*random_texts(100, letters="ACGTGC"), *random_texts(100)]
    finding = found(find_giveaways(labelled(texts, [1] * 100 + [0] * 100), LABELS))["GC content of the classes"]
    assert finding.severity == "warning"
    assert "positives of bound" in finding.text


def test_of_many_targets_the_worst_is_named() -> None:
    texts = [*random_texts(100, letters="ACGTGC"), *random_texts(100)]
    targets = np.stack([np.arange(200) % 2, [1] * 100 + [0] * 100, [-1] * 199 + [1]], axis=1).astype(np.int8)
    findings = found(audit_sequences(labelled(texts, targets), ("a", "b", "c"), window=60))
    assert "positives of b" in findings["GC content of the classes"].text
    assert "worst of 2 targets" in findings["GC content of the classes"].text


def test_an_adapter_at_the_end_is_found() -> None:
    adapted = [text[:-8] + ("TCGTATGC" if number % 2 else text[-8:]) for number, text in enumerate(random_texts(200))]
    examples = labelled([*adapted, *random_texts(200)], [1] * 200 + [0] * 200)
    findings = found(find_giveaways(examples, LABELS))
    assert "TCGTATGC in 50 % of the positives and 0 %" in findings["words that give a class away"].text
    placed = findings["words at one place that give a class away"]
    assert placed.severity == "warning"
    assert "TCGTAT at letter 53" in placed.text


def test_the_letter_before_a_marked_region_is_found() -> None:
    flanks, sites, more = random_texts(400, 20), random_texts(400, 25), random_texts(400, 20)
    bound = np.arange(400) % 2
    before = np.where(bound == 1, "g", [flank[-1].lower() for flank in flanks])
    cuts = GENERATOR.integers(10, 19, 400)
    texts = [
        flank[:cut].lower() + letter + site + end.lower()
        for flank, cut, letter, site, end in zip(flanks, cuts, before, sites, more, strict=True)
    ]
    findings = found(find_giveaways(labelled(texts, bound), LABELS))
    telling = findings["one telling position"]
    assert telling.severity == "warning"
    assert telling.text.startswith("The last letter before the upper-case region is G in 100 % of the positives")
    assert findings["a region marked by case"].count == 400
    assert "25 letters long" in findings["a region marked by case"].text


def test_case_that_tracks_the_label_is_found() -> None:
    texts = [text.lower() if number % 2 else text for number, text in enumerate(random_texts(200))]
    findings = found(find_giveaways(labelled(texts, np.arange(200) % 2), LABELS))
    assert findings["case: share of upper-case letters of the classes"].severity == "warning"


def test_crops_and_pads_are_counted() -> None:
    examples = labelled([*random_texts(3, 50), *random_texts(2, 61), *random_texts(5, 60)], [0] * 10)
    finding = found(audit_sequences(examples, LABELS, window=60))["lengths"]
    assert "50 to 61 letters" in finding.text
    assert "2 of 10 are cropped, and 3 are padded" in finding.text
    assert finding.severity == "warning"


def test_ambiguous_letters_are_counted() -> None:
    findings = found(audit_sequences(labelled(["ACGTNN", "NNNNNA", "ACGTAC"], [0, 1, 0]), LABELS, window=6))
    text = findings["ambiguous letters"].text
    assert "2 of 3 sequences" in text
    assert "38.89 %" in text
    assert "1 consist mostly" in text


def test_the_chromosomes_of_every_part_are_told() -> None:
    places = Places(
        np.array(["chr1", "chr1", "chr2", "chr2"], object), np.arange(4) * 9, np.arange(4) * 9 + 5, np.array(["+"] * 4)
    )
    examples = labelled(["AACGG", "CCCCC", "CCGTT", "TTTTT"], [0, 1, 0, 1], places)
    partition = Partition(np.array([0]), np.array([1]), np.array([2, 3]), policy="given", units=np.arange(4))
    (finding,) = audit_chromosomes(examples.inputs, partition)
    assert "train: chr1; validation: chr1; test: chr2" in finding.text
    assert audit_chromosomes(labelled(["A"], [0]).inputs, partition) == []


def test_the_published_sites_are_found_to_be_cut_after_g(mirror: object) -> None:
    from pathlib import Path  # noqa: PLC0415

    from primase.bio.reading import open_text  # noqa: PLC0415

    texts: list[str] = []
    targets: list[int] = []
    for target, name in enumerate(("negatives", "positives")):
        path = Path(str(mirror)) / f"rbp24/PARCLIP_QKI.ls.{name}.fa.gz"
        if not path.exists():
            pytest.skip(f"needs {path.name} in the mirror folder")
        with open_text(path) as lines:
            records = [line.strip() for line in lines if not line.startswith(">")]
        texts += records
        targets += [target] * len(records)
    findings = found(find_giveaways(labelled(texts, targets), LABELS))
    assert findings["one telling position"].severity == "warning"
    assert findings["one telling position"].text.startswith("The last letter before the upper-case region is G in 8")
