from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score, roc_auc_score

from primase.apps.sequences.anchors import last_letters, marked_regions, marking_case, whole_blocks
from primase.apps.sequences.positions import Position, answer_columns, best_position, information
from primase.apps.sequences.probes import borders, composition, ends, length, region_composition, sequence_probes
from primase.bio.nucleotides import decode_nucleotides, encode_nucleotides
from primase.bio.reading import open_text
from primase.data.examples import Examples
from primase.data.sequences import Sequences
from primase.data.tasks import Task

TASK = Task.from_labels(("unbound", "bound"))
GENERATOR = np.random.default_rng(11)


def labelled(texts: list[str], targets: object) -> Examples[Sequences]:
    sequences = Sequences.from_codes([encode_nucleotides(text, where="a test") for text in texts])
    return Examples(np.arange(len(texts)).astype(str).astype(object), sequences, np.array(targets))


def random_texts(count: int, size: int = 30) -> list[str]:
    return ["".join(row) for row in GENERATOR.choice(list("ACGT"), size=(count, size))]


def turned(sequences: Sequences) -> Sequences:
    """Keep the same letters on the other strand of a reversed row, so that they read the same."""
    pairs = str.maketrans("ACGTacgt", "TGCAtgca")
    texts = [sequences.text(index)[::-1].translate(pairs) for index in range(len(sequences))]
    other = Sequences.from_codes([encode_nucleotides(text, where="a test") for text in texts])
    return Sequences(
        other.letters, other.starts, other.lengths, other.lows, other.highs, np.ones(len(texts), dtype=bool)
    )


def site_texts(count: int, before: str) -> list[str]:
    flanks, sites = random_texts(2 * count, 20), random_texts(count, 15)
    cuts = GENERATOR.integers(8, 19, count)
    return [
        flanks[number][:cut].lower() + before.lower() + sites[number] + flanks[count + number].lower()
        for number, cut in enumerate(cuts)
    ]


@given(st.lists(st.text("ACGTNacgtn", max_size=40), min_size=1, max_size=8))
def test_every_sequence_is_gone_through_once_and_as_a_whole(texts: list[str]) -> None:
    sequences = labelled(texts, [0] * len(texts)).inputs
    for read in (sequences, turned(sequences)):
        found = {
            int(index): decode_nucleotides(row).rstrip("-")
            for indices, letters in whole_blocks(read)
            for index, row in zip(indices, letters, strict=True)
        }
        assert found == dict(enumerate(texts))


def test_blocks_stay_within_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primase.apps.sequences.anchors.GATHERED_LETTERS", 100)
    sequences = labelled(["A" * size for size in (3, 90, 20, 70, 1, 0, 30)], [0] * 7).inputs
    blocks = [letters.shape for _, letters in whole_blocks(sequences)]
    assert sum(rows for rows, _ in blocks) == 7
    assert all(rows * width <= 100 for rows, width in blocks)


def test_letters_are_counted_from_either_end() -> None:
    sequences = labelled(["ACGT", "AC", ""], [0] * 3).inputs
    for read in (sequences, turned(sequences)):
        assert [decode_nucleotides(row) for row in last_letters(read, 3)] == ["CGT", "-AC", "---"]
        assert [decode_nucleotides(row) for row in Position("start", 1).letters(read)] == ["C", "C", "-"]
        assert [decode_nucleotides(row) for row in Position("end", -2).letters(read)] == ["G", "A", "-"]


def test_the_marked_region_is_found_on_either_strand() -> None:
    sequences = labelled(["acgTTTac", "aCgTa", "acg", "ACG"], [0] * 4).inputs
    for read in (sequences, turned(sequences)):
        regions = marked_regions(read, "upper")
        assert regions.starts.tolist() == [3, 1, 0, 0]
        assert regions.ends.tolist() == [6, 4, 0, 3]
        assert regions.marked.tolist() == [3, 2, 0, 3]
        assert regions.whole.tolist() == [True, False, False, True]


def test_case_marks_a_region_only_if_most_sequences_have_one_between_flanks() -> None:
    assert marking_case(labelled(["acgTTTac"] * 9 + ["ACG"], [0] * 10).inputs) == "upper"
    assert marking_case(labelled(["ACGtttAC"] * 9 + ["ACG"], [0] * 10).inputs) == "lower"
    assert marking_case(labelled(["acgTTaTTac"] * 10, [0] * 10).inputs) is None
    assert marking_case(labelled(["acgTTTacTT", "TTac", "ACGT", "acgTTTac"], [0] * 4).inputs) is None


def test_columns_say_what_they_should() -> None:
    examples = labelled(["aaCGTNgg", "ccc"], [0, 1])
    assert length(examples).tolist() == [[8], [3]]
    assert composition(examples).tolist() == [[2 / 8, 1 / 8, 3 / 8, 1 / 8, 4 / 8, 1 / 8], [0, 1, 0, 0, 1, 0]]
    first = ends(examples).reshape(2, 24, 4)
    assert first[0, 0].tolist() == [1, 0, 0, 0]
    assert first[0, 5].tolist() == [0.25] * 4
    assert first[1, 23].tolist() == [0, 1, 0, 0]
    assert first[1, 3:21].sum() == 0
    around = borders(examples, case="upper").reshape(2, 24, 4)
    assert around[0, 5].tolist() == [1, 0, 0, 0]  # the a before the region
    assert around[0, 6].tolist() == [0, 1, 0, 0]  # its C
    assert around[0, 18].tolist() == [0, 0, 1, 0]  # the g behind it
    assert around[1].sum() == 0
    inside = region_composition(examples, case="upper")
    assert inside[0].tolist() == [0, 1 / 4, 1 / 4, 1 / 4, 2 / 4, 1 / 4, 2 / 4, 0, 2 / 4, 0, 2 / 4, 0]


def test_probes_are_those_that_make_sense() -> None:
    def names(texts: list[str]) -> list[str]:
        return [probe.name.split(" (")[0] for probe in sequence_probes(labelled(texts, np.arange(len(texts)) % 2))]

    plain = ["composition", "ends"]
    assert names(random_texts(40)) == [*plain, "best single position"]
    assert names([*random_texts(40), "ACGT"]) == ["length", *plain, "best single position"]
    assert names([text.lower() if number % 3 else text for number, text in enumerate(random_texts(40))]) == [
        *plain,
        "case",
        "best single position",
    ]
    assert names(site_texts(40, "G")) == [
        "length",
        *plain,
        "case",
        "letters around the borders of the upper-case region",
        "composition inside and outside the upper-case region",
        "best single position",
    ]


def test_information_is_that_of_scikit_learn() -> None:
    letters = GENERATOR.choice(np.array([1, 2, 4, 8, 15, 0], np.uint8), size=(300, 3))
    answers = answer_columns(np.stack([(letters[:, 1] == 2) ^ (GENERATOR.random(300) < 0.2), letters[:, 0] == 4], 1))
    answers[:50, 0] = -1
    told = information(letters, answers)
    kinds = np.where(np.isin(letters, [1, 2, 4, 8]), letters, 15)
    for position in range(3):
        for label in range(2):
            known = answers[:, label] >= 0
            nats = mutual_info_score(kinds[known, position], answers[known, label])
            assert told[position, label] == pytest.approx(nats / np.log(2), abs=1e-6)


def test_the_position_that_tells_most_is_found() -> None:
    bound = np.arange(300) % 2
    texts = random_texts(300)
    from_start = [text[:4] + "G" + text[5:] if target else text for text, target in zip(texts, bound, strict=True)]
    assert str(best_position(labelled(from_start, bound))) == "letter 5"
    cut = [text[: GENERATOR.integers(10, 31)] for text in texts]
    from_end = [text[:-2] + "G" + text[-1] if target else text for text, target in zip(cut, bound, strict=True)]
    assert str(best_position(labelled(from_end, bound))) == "letter 2 from the end"
    assert best_position(labelled(["ACGT"] * 4, [0, 1, 0, 1])) is None


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (Position("region start", -1, "upper"), "the last letter before the upper-case region"),
        (Position("region start", 0, "upper"), "the first letter of the upper-case region"),
        (Position("region start", -3, "upper"), "letter 3 before the upper-case region"),
        (Position("region start", 2, "lower"), "letter 3 of the lower-case region"),
        (Position("region end", -1, "upper"), "the last letter of the upper-case region"),
        (Position("region end", -2, "upper"), "letter 2 from the end of the upper-case region"),
        (Position("region end", 0, "upper"), "the first letter after the upper-case region"),
        (Position("region end", 3, "upper"), "letter 4 after the upper-case region"),
    ],
)
def test_positions_are_named_as_a_reader_would(position: Position, expected: str) -> None:
    assert str(position) == expected


def test_a_shortcut_at_a_border_is_named_and_learned() -> None:
    texts, targets = [*site_texts(200, "G"), *site_texts(200, "")], [1] * 200 + [0] * 200
    order = GENERATOR.permutation(400)
    examples = labelled(texts, targets).take(order)
    train, validation, test = (examples.take(np.arange(*part)) for part in ((0, 240), (240, 300), (300, 400)))
    probes = {probe.name: probe for probe in sequence_probes(train)}
    for name in (
        "best single position (the last letter before the upper-case region)",
        "letters around the borders of the upper-case region",
    ):
        guesses = probes[name].fit(TASK, train, validation).answers(test)[:, 1]
        assert roc_auc_score(test.targets, guesses) > 0.8, name


@pytest.mark.slow
def test_the_shortcut_of_the_published_sites_is_found(mirror: Path) -> None:
    parts = {}
    for part in ("train", "ls"):
        texts: list[str] = []
        targets: list[int] = []
        for target, name in enumerate(("negatives", "positives")):
            path = mirror / "rbp24" / f"PARCLIP_QKI.{part}.{name}.fa.gz"
            if not path.exists():
                pytest.skip(f"needs {path.name} in the mirror folder")
            with open_text(path) as lines:
                records = [line.strip() for line in lines if not line.startswith(">")]
            texts += records
            targets += [target] * len(records)
        parts[part] = labelled(texts, targets)
    drawn = np.random.default_rng(0).permutation(len(parts["train"]))
    train, validation = parts["train"].take(drawn[2000:]), parts["train"].take(drawn[:2000])
    reached = {}
    for probe in sequence_probes(train):
        guesses = probe.fit(TASK, train, validation).answers(parts["ls"])[:, 1]
        reached[probe.name] = roc_auc_score(parts["ls"].targets, guesses)
    assert reached["best single position (the last letter before the upper-case region)"] > 0.82
    assert reached["letters around the borders of the upper-case region"] > 0.94
    assert reached["composition inside and outside the upper-case region"] > 0.93
    assert reached["length"] < 0.6
