"""Motifs that were planted are found, and nothing is found where there is nothing."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from primase.bio.motif_matrices import MotifMatrix
from primase.bio.nucleotides import encode_nucleotides, reverse_complement
from primase.errors import InputError
from primase.events import Progress
from primase.insight.alignment import align
from primase.insight.enrichment import enrichment
from primase.insight.modisco import find_motifs_by_modisco
from primase.insight.motif_matching import FEWEST_KNOWN, match_motifs
from primase.insight.motifs import MotifSearch, find_motifs
from primase.insight.mutagenesis import mutate_everywhere
from primase.insight.seqlets import find_seqlets

LENGTH = 80


def codes_of(text):
    return encode_nucleotides(text, where="a test")


def planted(motifs, count=300, *, both=False, noise=0.1, seed=0):
    """Plant one of some motifs in each sequence; contributions are one per planted letter, with its sign, and noise."""
    generator = np.random.default_rng(seed)
    codes = (1 << generator.integers(0, 4, (count, LENGTH))).astype(np.uint8)
    contributions = generator.normal(0, noise, codes.shape)
    truth = []
    for row in range(count):
        motif, sign = motifs[row % len(motifs)]
        site = codes_of(motif)
        reverse = both and generator.random() < 0.5
        start = int(generator.integers(0, LENGTH - len(site) + 1))
        codes[row, start : start + len(site)] = reverse_complement(site) if reverse else site
        contributions[row, start : start + len(site)] += sign
        truth.append((row, start, reverse))
    return codes, contributions, truth


def matrix_of(motif, name="planted"):
    onehot = np.zeros((4, len(motif)))
    onehot[["ACGT".index(letter) for letter in motif], range(len(motif))] = 1
    return MotifMatrix(name, onehot)


def test_the_motif_of_a_network_is_found_from_mutagenesis(known):
    texts, starts = known.planted(200, LENGTH)
    encoded = known.encoded(texts)
    found = mutate_everywhere(known.predictor(known.MotifNetwork()), encoded, np.ones(200, dtype=np.int64))
    codes = encoded.batch(np.arange(200))["letters"].numpy()
    (motif, *others) = find_motifs(codes, found.contributions, both_strands=False)
    assert motif.consensus == known.MOTIF
    assert not others
    right = set(zip(range(200), starts.tolist(), strict=True))
    sites = set(zip(motif.sites.examples.tolist(), motif.sites.starts.tolist(), strict=True))
    assert len(sites & right) >= 0.95 * len(right)
    np.testing.assert_allclose(motif.contributions.sum(axis=0), 4.0, atol=0.3)
    assert motif.enrichment.p_value < 1e-10
    assert motif.enrichment.found > 2 * motif.enrichment.found_in_shuffled


def test_several_motifs_of_either_sign_are_told_apart():
    codes, contributions, truth = planted([("ACTAAC", 1), ("TGTATATA", 1), ("GGGCGGGGC", -1)])
    found = find_motifs(codes, contributions, both_strands=False)
    assert {(motif.consensus, motif.sign) for motif in found} == {("ACTAAC", 1), ("TGTATATA", 1), ("GGGCGGGGC", -1)}
    assert [motif.name for motif in found] == ["motif-1", "motif-2", "motif-3"]
    totals = [abs(motif.sites.contributions.sum()) for motif in found]
    assert totals == sorted(totals, reverse=True)
    (lowering,) = (motif for motif in found if motif.sign < 0)
    assert set(zip(lowering.sites.examples.tolist(), lowering.sites.starts.tolist(), strict=True)) == {
        (row, start) for row, start, _ in truth if row % 3 == 2
    }
    np.testing.assert_allclose(lowering.contributions.sum(axis=0), -1, atol=0.1)
    assert lowering.examples == 100


def test_both_strands_are_one_motif_where_they_are_asked_for():
    codes, contributions, truth = planted([("TGACGTT", 1)], both=True)
    (motif,) = find_motifs(codes, contributions, both_strands=True)
    assert motif.consensus in {"TGACGTT", "AACGTCA"}
    turned = motif.consensus == "AACGTCA"
    sites = zip(
        motif.sites.examples.tolist(),
        motif.sites.starts.tolist(),
        (motif.sites.reverse != turned).tolist(),
        strict=True,
    )
    assert set(sites) == set(truth)
    assert motif.sites.reverse.mean() <= 0.5
    apart = find_motifs(codes, contributions, both_strands=False)
    assert {motif.consensus for motif in apart} == {"TGACGTT", "AACGTCA"}
    assert not any(motif.sites.reverse.any() for motif in apart)


def test_a_degenerate_place_is_written_as_one():
    codes, contributions, _ = planted([("ACTAAC", 1), ("ACTAAT", 1)])
    (motif,) = find_motifs(codes, contributions, both_strands=False)
    assert motif.consensus == "ACTAAY"
    np.testing.assert_allclose(motif.matrix.sum(axis=0), 1)
    assert motif.matrix[:, 5] == pytest.approx([0, 0.5, 0, 0.5], abs=0.05)
    assert motif.to_matrix().sites == len(motif.sites) == motif.examples


@pytest.mark.parametrize("shape", [np.sign, np.abs, lambda values: values**3])
def test_nothing_is_found_in_noise(shape):
    generator = np.random.default_rng(0)
    codes = (1 << generator.integers(0, 4, (300, LENGTH))).astype(np.uint8)
    assert find_motifs(codes, shape(generator.normal(size=codes.shape)), both_strands=True) == []


def test_padding_holds_no_site():
    codes, contributions, _ = planted([("ACTAAC", 1)])
    codes[:, :10] = codes[:, -10:] = 0
    contributions[:, :10] = contributions[:, -10:] = 5.0
    (motif,) = find_motifs(codes, contributions, both_strands=False)
    assert motif.consensus == "ACTAAC"
    assert motif.sites.starts.min() >= 10
    assert (motif.sites.starts + motif.width).max() <= LENGTH - 10


def test_few_or_short_sequences_have_no_motif():
    codes, contributions, _ = planted([("ACTAAC", 1)], count=5)
    assert find_motifs(codes, contributions, both_strands=False) == []
    assert find_motifs(codes[:0], contributions[:0], both_strands=True) == []
    assert find_motifs(codes[:, :6], contributions[:, :6], both_strands=True) == []


def test_progress_is_told():
    heard = []
    codes, contributions, _ = planted([("ACTAAC", 1)], count=50)
    find_motifs(codes, contributions, both_strands=False, search=MotifSearch(seed=1), listener=heard.append)
    assert heard == [Progress("motifs", 1, 2, "signs"), Progress("motifs", 2, 2, "signs")]


def test_seqlets_are_the_planted_sites_and_lie_apart():
    codes, contributions, truth = planted([("ACTAACTT", 1)])
    contributions[0, 20:36] = 2.0
    found = find_seqlets(codes, contributions, sign=1, width=8, false_discoveries=0.01, seed=0)
    assert {(row, start) for row, start, _ in truth[1:]} <= set(
        zip(found.rows.tolist(), found.starts.tolist(), strict=True)
    )
    assert set(found.starts[found.rows == 0].tolist()) >= {20, 28}
    for row in range(300):
        starts = np.sort(found.starts[found.rows == row])
        assert (np.diff(starts) >= 8).all()
    assert (np.diff(found.sums) <= 0).all()


@pytest.mark.parametrize("both", [False, True])
def test_shifted_and_turned_stretches_are_aligned(both):
    generator = np.random.default_rng(0)
    profile = np.zeros((4, 20))
    profile[generator.integers(0, 4, 8), np.arange(6, 14)] = 1
    shifts = generator.integers(-4, 5, 60)
    reverse = (generator.random(60) < 0.4) & both
    stretches = np.stack([np.roll(profile, shift, axis=1) for shift in shifts])
    stretches[reverse] = stretches[reverse][:, ::-1, ::-1]
    (group,) = align(stretches + generator.normal(0, 0.05, stretches.shape), both_strands=both, similarity=0.6, least=5)
    assert len(group.members) == 60
    for member, offset, turned in zip(group.members, group.offsets, group.reverse, strict=True):
        moved = np.roll(stretches[member], -offset, axis=1)
        first = np.roll(stretches[group.members[0]], -group.offsets[0], axis=1)
        moved, first = (part[::-1, ::-1] if way else part for part, way in ((moved, turned), (first, group.reverse[0])))
        np.testing.assert_array_equal(moved, first)


def test_random_sites_are_not_enriched():
    """Sites at random places fit the sequences that they come from, which the other half of the sequences shows."""
    generator = np.random.default_rng(0)
    codes = (1 << generator.integers(0, 4, (400, LENGTH))).astype(np.uint8)
    rows = np.arange(12)
    p_values = [
        enrichment(codes[start : start + 12], rows, codes[start : start + 12, 10:60], both_strands=True, seed=0).p_value
        for start in range(0, 400 - 12, 12)
    ]
    assert min(p_values) > 0.001
    assert np.mean(p_values) > 0.3


def test_sites_on_the_other_strand_are_counted_where_there_is_one():
    codes, _, truth = planted([("TGACGTTTCA", 1)], both=True)
    rows, starts, reverse = (np.array(column) for column in zip(*truth, strict=True))
    forward = rows[~reverse]
    letters = np.stack([codes[row, start : start + 10] for row, start, turned in truth if not turned])
    both, one = (enrichment(codes, forward, letters, both_strands=strands, seed=0) for strands in (True, False))
    assert both.found > 290
    assert one.found < 290 - reverse.sum() / 2
    assert starts.max() < LENGTH


@pytest.mark.slow
def test_planted_motifs_match_themselves_among_others():
    """Tomtom compiles for a minute when it is called for the first time."""
    codes, contributions, _ = planted([("ACTAAC", 1), ("TGTATATA", 1)])
    found = find_motifs(codes, contributions, both_strands=False)
    generator = np.random.default_rng(1)
    known = [matrix_of("".join(generator.choice(list("ACGT"), 8)), f"other-{number}") for number in range(60)]
    known += [matrix_of("ACTAAC"), matrix_of("TGTATATA")]
    matches = match_motifs([motif.to_matrix() for motif in found], known, both_strands=False)
    for motif, (best, *others) in zip(found, matches, strict=True):
        assert best.known.name == "planted"
        assert best.known.consensus() == motif.consensus
        assert best.e_value == pytest.approx(62 * best.p_value)
        assert best.p_value <= best.q_value < 0.05
        assert (best.offset, best.overlap, best.reverse) == (0, motif.width, False)
        assert len(others) == 2
        assert best.q_value <= min(other.q_value for other in others)
    turned = MotifMatrix("turned", matrix_of("TTATGTGT").other_strand.frequencies[:, 2:])
    few = [matrix_of("TTATGTGT"), matrix_of("GGGGGCCC", "other")]
    assert len(few) < FEWEST_KNOWN
    (((best, _),)) = match_motifs([turned], few, both_strands=True)
    assert (best.known.name, best.reverse, best.offset, best.overlap) == ("planted", True, 2, 6)
    assert match_motifs([turned], [], both_strands=True) == [[]]


def test_modisco_is_refused_for_rna_or_when_it_is_not_there(monkeypatch):
    codes, contributions, _ = planted([("ACTAAC", 1)])
    hypothetical = np.zeros((300, 4, LENGTH))
    with pytest.raises(InputError, match="both strands"):
        find_motifs_by_modisco(codes, hypothetical, contributions, both_strands=False)
    monkeypatch.setitem(sys.modules, "modiscolite.tfmodisco", None)
    with pytest.raises(InputError, match="not installed"):
        find_motifs_by_modisco(codes, hypothetical, contributions, both_strands=True)


def test_the_patterns_of_modisco_become_motifs(monkeypatch):
    """The program itself is not installed here; what is returned in its place has the shape of its results."""
    codes, contributions, truth = planted([("TGACGTTT", 1)], both=True)
    asked = {}

    def found(one_hot, hypothetical_contribs):
        asked.update(one_hot=one_hot, hypothetical=hypothetical_contribs)
        seqlets = [
            SimpleNamespace(example_idx=row, start=start - 3, end=start + 11, is_revcomp=reverse)
            for row, start, reverse in truth
        ]
        return [SimpleNamespace(seqlets=seqlets)], None

    program = ModuleType("modiscolite.tfmodisco")
    program.TFMoDISco = found
    monkeypatch.setitem(sys.modules, "modiscolite", ModuleType("modiscolite"))
    monkeypatch.setitem(sys.modules, "modiscolite.tfmodisco", program)
    hypothetical = np.ones((300, 4, LENGTH))
    (motif,) = find_motifs_by_modisco(codes, hypothetical, contributions, both_strands=True)
    assert motif.consensus in {"TGACGTTT", "AAACGTCA"}
    assert len(motif.sites) == 300
    assert asked["one_hot"].shape == asked["hypothetical"].shape == (300, LENGTH, 4)
    assert asked["one_hot"].sum() == 300 * LENGTH
