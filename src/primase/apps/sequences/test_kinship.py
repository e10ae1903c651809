import numpy as np
import pytest

from primase.apps.sequences import kinship as kinship_module
from primase.apps.sequences.kinship import OVERLAPPING, all_places_known, cluster, fingerprints, kinship
from primase.bio.nucleotides import decode_nucleotides, encode_nucleotides, reverse_complement
from primase.data.sequences import Places, Sequences
from primase.data.splits import Partition
from primase.events import Notice, silent

LETTERS = 60


def encoded(text):
    return encode_nucleotides(text, where="a test")


def turned(text):
    return decode_nucleotides(reverse_complement(encoded(text)))


def drawn(count, length=LETTERS, seed=0):
    generator = np.random.default_rng(seed)
    return ["".join(row) for row in generator.choice(list("ACGT"), (count, length))]


def placed(texts, chromosomes, starts, length=None):
    starts = np.array(starts)
    ends = starts + np.array([length or len(text) for text in texts])
    places = Places(np.array(chromosomes, dtype=object), starts, ends, np.array(["."] * len(texts), dtype=object))
    return Sequences.from_codes([encoded(text) for text in texts], places)


def divided(count, tested):
    train = np.array([row for row in range(count) if row not in tested])
    return Partition(train, train[:1], np.array(tested), "random", np.arange(count))


def test_fingerprints_forget_case_and_of_dna_the_strand():
    texts = ["ACGTT", "acgtt", turned("ACGTT"), "ACGTA", "ACGTN"]
    sequences = Sequences.from_codes([encoded(text) for text in texts])
    one, both = (fingerprints(sequences, both_strands=strands).tolist() for strands in (False, True))
    assert one[0] == one[1] != one[2]
    assert both[0] == both[1] == both[2]
    assert len(set(one)) == 4
    assert len(set(both)) == 3
    assert fingerprints(Sequences.from_codes([encoded("")]), both_strands=True).tolist() == [""]


def test_clusters_are_overlaps_where_all_places_are_known():
    first, second, third = drawn(3)
    # The last stands elsewhere on the genome, and is the reverse complement of the second.
    texts = [first, second, third, turned(second)]
    sequences = placed(texts, ["1", "1", "1", "2"], [0, LETTERS - 1, 2 * LETTERS, 0])
    assert cluster(sequences, both_strands=True, listener=silent).tolist() == [0, 0, 1, 0]
    assert cluster(sequences, both_strands=False, listener=silent).tolist() == [0, 0, 1, 2]


def test_clusters_are_shared_stretches_where_a_place_is_not_known():
    first, second, third = drawn(3)
    shared = first[20:] + second[:20]
    texts = [first, third, shared, turned(third)]
    sequences = placed(texts, ["1", "1", "", "1"], [0, 30, 0, 500])
    assert not all_places_known(sequences)
    both = cluster(sequences, both_strands=True, listener=silent)
    assert both[0] == both[2]
    assert both[1] == both[3] != both[0]
    one = cluster(sequences, both_strands=False, listener=silent)
    assert one[1] != one[3]


def test_too_many_sequences_are_not_compared_and_that_is_said(monkeypatch):
    monkeypatch.setattr(kinship_module, "MOST_COMPARED", 2)
    first, second = drawn(2)
    sequences = Sequences.from_codes([encoded(text) for text in (first, first[10:] + second[:10], first)])
    heard = []
    first, second, third = cluster(sequences, both_strands=False, listener=heard.append).tolist()
    assert first == third != second
    (notice,) = heard
    assert isinstance(notice, Notice)
    assert notice.severity == "warning"


def test_kinship_by_places_and_by_letters():
    texts = drawn(8)
    texts[6] = texts[1][15:] + texts[6][:15]  # shares 45 letters with one in train
    texts[7] = turned(texts[2])
    sequences = placed(texts, ["1"] * 8, [0, 100, 200, 300, 400, 420, 800, 900])
    partition = divided(8, [3, 5, 6, 7])
    found = kinship(sequences, partition, both_strands=True, listener=silent)
    assert found.related.tolist() == [False, True, True, True]
    assert found.finding.count == 3
    assert found.finding.severity == "warning"
    assert "3 of 4 test sequences (75.0%)" in found.finding.text
    assert "by their places on the genome or by a shared stretch of letters, on either strand" in found.finding.text
    assert found.subsets[OVERLAPPING].tolist() == found.related.tolist()
    assert found.subsets[f"not {OVERLAPPING}"].tolist() == (~found.related).tolist()
    one = kinship(sequences, partition, both_strands=False, listener=silent)
    assert one.related.tolist() == [False, True, True, False]


def test_the_flanks_of_a_site_overlap_as_well():
    texts = drawn(3)
    # Sites of ten letters, each in the middle of sixty: their flanks reach 25 letters further.
    sequences = placed(texts, ["1", "1", "1"], [100, 155, 220], length=10)
    found = kinship(sequences, divided(3, [1, 2]), both_strands=False, listener=silent)
    assert found.related.tolist() == [True, False]


@pytest.mark.parametrize("known", [True, False])
def test_no_kinship_is_said_without_alarm(known):
    texts = drawn(4)
    sequences = (
        placed(texts, ["1"] * 4, [0, 100, 200, 300]) if known else Sequences.from_codes(list(map(encoded, texts)))
    )
    found = kinship(sequences, divided(4, [2]), both_strands=False, listener=silent)
    assert not found.related.any()
    assert found.finding.severity == "info"
    assert ("genome" in found.finding.text) == known
