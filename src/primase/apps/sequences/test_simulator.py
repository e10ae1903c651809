from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from primase.apps.sequences.anchors import whole_blocks
from primase.apps.sequences.giveaways import find_giveaways
from primase.apps.sequences.simulator import ESRRB, GABPA, ORDER, PUM2, simulate_dna, simulate_rna, turned
from primase.bio.alphabets import RNA
from primase.bio.fasta import read_fasta
from primase.bio.kmers import kmer_features
from primase.bio.nucleotides import encode_nucleotides
from primase.data.examples import Examples
from primase.data.sequences import Sequences

COUNT = 400


def read_rna(folder: Path) -> tuple[dict[str, str], np.ndarray]:
    parts = [
        {r.id: r.sequence for r in read_fasta(folder / f"{p}.fa", alphabet=RNA)} for p in ("negatives", "positives")
    ]
    return {**parts[0], **parts[1]}, np.repeat([0, 1], [len(part) for part in parts])


def read_dna(folder: Path) -> list[dict[str, str]]:
    with (folder / "sequences.tsv").open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def examples(texts: list[str], targets: np.ndarray) -> Examples[Sequences]:
    sequences = Sequences.from_codes([encode_nucleotides(text, where="a test") for text in texts])
    return Examples(np.arange(len(texts)).astype(str).astype(object), sequences, targets)


def matches(text: str, motif: str) -> float:
    wanted = {"PUM2": PUM2, "GABPA": GABPA, "ESRRB": ESRRB}[motif].probabilities
    return float(np.mean([row["ACGT".index(letter)] > 0.1 for row, letter in zip(wanted, text, strict=True)]))


def test_rna_has_sites_where_the_truth_says(tmp_path: Path) -> None:
    simulated = simulate_rna(tmp_path, COUNT, 3)
    texts, targets = read_rna(tmp_path)
    assert simulated.inputs == ["--positives", "positives.fa", "--negatives", "negatives.fa"]
    assert {len(text) for text in texts.values()} == {101}
    assert targets.sum() == COUNT // 2
    assert not any("T" in text for text in texts.values())
    found = [texts[row["id"]][row["start"] : row["end"]].replace("U", "T") for row in simulated.planted]
    assert np.mean([matches(text, "PUM2") for text in found]) > 0.95
    assert {row["id"] for row in simulated.planted} == {name for name in texts if name.startswith("positive")}
    assert {row["strand"] for row in simulated.planted} == {"+"}
    per_sequence = np.unique([row["id"] for row in simulated.planted], return_counts=True)[1]
    assert set(per_sequence.tolist()) == {1, 2}


def test_rna_gives_nothing_away_but_the_motif(tmp_path: Path) -> None:
    simulate_rna(tmp_path, COUNT, 3)
    texts, targets = read_rna(tmp_path)
    data = examples(list(texts.values()), targets)
    warnings = [finding.text for finding in find_giveaways(data, ("no", "yes")) if finding.severity == "warning"]
    assert warnings == []
    words = kmer_features(next(whole_blocks(data.inputs))[1])
    model = LogisticRegression(C=3, solver="liblinear")
    guesses = cross_val_predict(model, words, targets, method="predict_proba", cv=5)[:, 1]
    assert roc_auc_score(targets, guesses) > 0.9


def test_dna_answers_follow_from_the_planted_sites(tmp_path: Path) -> None:
    simulated = simulate_dna(tmp_path, COUNT, 3)
    assert simulated.inputs == ["--table", "sequences.tsv", "--target-column", f"GABPA,ESRRB,{ORDER}"]
    sites: dict[str, dict[str, dict[str, object]]] = {}
    for row in simulated.planted:
        sites.setdefault(row["id"], {})[row["motif"]] = dict(row)
    empty = 0
    for row in read_dna(tmp_path):
        assert len(row["sequence"]) == 200
        here = sites.get(row["id"], {})
        forward = {name: site["strand"] == "+" for name, site in here.items()}
        in_order = False
        if len(here) == 2:
            assert forward["GABPA"] == forward["ESRRB"]
            first_on_plus = here["GABPA"]["start"] < here["ESRRB"]["start"]  # type: ignore[operator]
            in_order = first_on_plus == forward["GABPA"]
        expected = {"GABPA": "GABPA" in here, "ESRRB": "ESRRB" in here, ORDER: in_order}
        for target, answer in expected.items():
            empty += row[target] == ""
            assert row[target] in {"", str(int(answer))}
    assert 0.02 < empty / (3 * COUNT) < 0.09


def test_dna_sites_read_as_their_motif_on_their_strand(tmp_path: Path) -> None:
    simulated = simulate_dna(tmp_path, COUNT, 3)
    texts = {row["id"]: row["sequence"] for row in read_dna(tmp_path)}
    for name in ("GABPA", "ESRRB"):
        rows = [row for row in simulated.planted if row["motif"] == name]
        found = [(texts[row["id"]][row["start"] : row["end"]], row["strand"]) for row in rows]
        read = [matches(text if strand == "+" else turned(text), name) for text, strand in found]
        assert np.mean(read) > 0.9
        assert {strand for _, strand in found} == {"+", "-"}


def test_words_tell_the_motifs_but_not_their_order(tmp_path: Path) -> None:
    simulate_dna(tmp_path, 3 * COUNT, 3)
    rows = [row for row in read_dna(tmp_path) if all(row[name] for name in ("GABPA", "ESRRB", ORDER))]
    data = examples([row["sequence"] for row in rows], np.zeros(len(rows), int))
    words = kmer_features(next(whole_blocks(data.inputs))[1], both_strands=True)

    def area(target: str, chosen: np.ndarray) -> float:
        answers = np.array([int(row[target]) for row in rows])[chosen]
        model = LogisticRegression(C=10, solver="liblinear")
        guesses = cross_val_predict(model, words[chosen], answers, method="predict_proba", cv=4)[:, 1]
        return float(roc_auc_score(answers, guesses))

    pairs = np.flatnonzero([row["GABPA"] == row["ESRRB"] == "1" for row in rows])
    assert area("GABPA", np.arange(len(rows))) > 0.9
    assert area(ORDER, pairs) == pytest.approx(0.5, abs=0.1)


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for simulate in (simulate_rna, simulate_dna):
        contents = []
        for name, seed in (("one", 1), ("two", 1), ("three", 2)):
            folder = tmp_path / f"{simulate.__name__} {name}"
            folder.mkdir()
            simulated = simulate(folder, 20, seed)
            files = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
            contents.append((files, json.dumps([simulated.planted, simulated.facts])))
        assert contents[0] == contents[1]
        assert contents[0] != contents[2]


def test_motifs_are_written_for_the_meme_suite(tmp_path: Path) -> None:
    facts = simulate_dna(tmp_path, 10, 1).facts
    text = (tmp_path / "motifs.meme").read_text()
    assert text.startswith("MEME version 4")
    assert "MOTIF GABPA\nletter-probability matrix: alength= 4 w= 10" in text
    for motif in (PUM2, GABPA, ESRRB):
        assert motif.probabilities.sum(axis=1) == pytest.approx(np.ones(len(motif.probabilities)))
    assert set(facts["motifs"]) == {"GABPA", "ESRRB"}


def test_shuffled_sites_have_the_letters_but_not_the_motif() -> None:
    generator = np.random.default_rng(0)
    for motif in (PUM2, GABPA, ESRRB):
        sites = [motif.shuffled(generator) for _ in range(200)]
        drawn = [motif.draw(generator) for _ in range(200)]
        assert max(max(matches(site, motif.name), matches(turned(site), motif.name)) for site in sites) < 1
        shares = [np.array(["".join(side).count(letter) for letter in "ACGT"]) / 200 for side in (sites, drawn)]
        assert shares[0] == pytest.approx(shares[1], abs=0.3)
