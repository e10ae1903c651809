from __future__ import annotations

import gzip
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pyhmmer.easel import Alphabet, TextSequence
from pyhmmer.hmmer import hmmscan
from pyhmmer.plan7 import HMM, Background, Builder

from primase.bio import domain_cache, domains
from primase.bio.domain_cache import DomainCache, sequence_key
from primase.bio.domains import find_domains
from primase.bio.profiles import ProfileSet
from primase.errors import InputError, ReadError
from primase.events import Event, Notice, Progress

AMINO = "ACDEFGHIKLMNPQRSTVWY"


def _random_protein(length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices(AMINO, k=length))


FAMILIES = {f"Fam{number}": _random_protein(60, number) for number in range(6)}


def _model(name: str, sequence: str, cutoff: float | None, alphabet: Alphabet | None = None) -> HMM[Any]:
    alphabet = alphabet or Alphabet.amino()
    digital = TextSequence(name=name, sequence=sequence).digitize(alphabet)
    model, _, _ = Builder(alphabet).build(digital, Background(alphabet))
    if cutoff is not None:
        model.cutoffs.gathering = (cutoff, cutoff)
    model.accession = f"PX{name[3:]}.1"
    return model


def _write(path: Path, models: Sequence[HMM[Any]], *, binary: bool = False) -> Path:
    with path.open("wb") as file:
        for model in models:
            model.write(file, binary=binary)
    return path


@pytest.fixture(scope="module")
def profile_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = [_model(name, sequence, 20.0) for name, sequence in FAMILIES.items()]
    return _write(tmp_path_factory.mktemp("profiles") / "six.hmm", models)


@pytest.fixture(scope="module")
def loose_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = [_model(name, sequence, 20.0 if name < "Fam3" else None) for name, sequence in FAMILIES.items()]
    return _write(tmp_path_factory.mktemp("profiles") / "loose.hmm", models)


def _proteins(count: int, seed: int = 0) -> tuple[list[str], list[set[str]]]:
    """Proteins with planted domains, some of them worn down so far that they are near the cut-off."""
    chance = random.Random(seed)
    proteins, planted = [], []
    for number in range(count):
        names = chance.sample(sorted(FAMILIES), k=chance.choice([0, 1, 1, 2, 3]))
        parts = [_random_protein(chance.randint(1, 50), 1000 + number)]
        for name in names:
            worn = [chance.choice(AMINO) if chance.random() < 0.1 else letter for letter in FAMILIES[name]]
            parts += ["".join(worn), _random_protein(20, 5000 + number)]
        proteins.append("".join(parts))
        planted.append(set(names))
    return proteins, planted


def test_planted_domains_are_found_in_order_and_no_others(profile_file: Path) -> None:
    proteins, planted = _proteins(40)
    found = list(find_domains(iter(proteins), ProfileSet(profile_file)))
    assert [set(names) for names in found] == planted
    assert all(len(names) == len(set(names)) for names in found)


def test_the_best_domain_comes_first_and_a_repeated_one_once(profile_file: Path) -> None:
    short, long = FAMILIES["Fam1"][:35], FAMILIES["Fam4"]
    proteins = [short + "GSGSGS" + long, long + "GSGSGS" + short, short + "GSGS" + short + "GSGS" + short]
    found = list(find_domains(proteins, ProfileSet(profile_file)))
    assert found == [("Fam4", "Fam1"), ("Fam4", "Fam1"), ("Fam1",)]


def test_a_hit_below_its_gathering_cutoff_does_not_count(tmp_path: Path) -> None:
    strict = _write(tmp_path / "strict.hmm", [_model("Fam1", FAMILIES["Fam1"], 1000.0)])
    assert list(find_domains([FAMILIES["Fam1"]], ProfileSet(strict))) == [()]


def test_the_cutoff_of_the_single_domain_counts_too(tmp_path: Path) -> None:
    model = _model("Fam1", FAMILIES["Fam1"], None)
    half = FAMILIES["Fam1"][:30]
    (score,) = {round(hit.score) for hit in next(iter(hmmscan(_digital(half), [model])))}
    model.cutoffs.gathering = (score + 5.0, score + 5.0)
    strict = ProfileSet(_write(tmp_path / "strict.hmm", [model]))
    twice = half + "GSGSGSGSGSGSGSGSGSGS" * 3 + half
    assert list(find_domains([twice], strict)) == [()]
    model.cutoffs.gathering = (score + 5.0, score - 5.0)
    loose = ProfileSet(_write(tmp_path / "loose.hmm", [model]))
    assert list(find_domains([twice], loose)) == [("Fam1",)]


def _digital(sequence: str) -> Any:
    return TextSequence(name="x", sequence=sequence).digitize(Alphabet.amino())


def test_profiles_without_cutoffs_are_judged_as_hmmscan_does_and_the_listener_is_told(loose_file: Path) -> None:
    proteins, _ = _proteins(25, seed=1)
    # Pieces of a domain give scores on both sides of the limit.
    proteins += [FAMILIES["Fam5"][:length] for length in range(8, 40)]
    profiles = ProfileSet(loose_file)
    events: list[Event] = []
    found = list(find_domains(proteins, profiles, listener=events.append))
    free = {model.name for model in profiles.models if not model.cutoffs.gathering_available()}
    assert free == {"Fam3", "Fam4", "Fam5"}
    for sequence, names in zip(proteins, found, strict=True):
        hits = next(iter(hmmscan(_digital(sequence), profiles.models)))
        assert set(names) & free == {hit.name for hit in hits if hit.evalue <= 1e-3} & free
    assert {("Fam5" in names) for names in found[25:]} == {True, False}
    notices = [event for event in events if isinstance(event, Notice)]
    assert [("3 of the profiles" in notice.text, "E-value of 0.001" in notice.text) for notice in notices] == [
        (True, True)
    ]


def _worn_pieces(count: int) -> list[str]:
    chance = random.Random(7)
    pieces = []
    for _ in range(count):
        piece = FAMILIES[chance.choice(["Fam1", "Fam5"])][: chance.randint(10, 30)]
        pieces.append("".join(chance.choice(AMINO) if chance.random() < 0.1 else letter for letter in piece))
    return pieces


@pytest.mark.parametrize("batch", [50, 1000])
@pytest.mark.parametrize("threads", [1, 2])
def test_results_depend_neither_on_batches_nor_on_threads(
    loose_file: Path, monkeypatch: pytest.MonkeyPatch, batch: int, threads: int
) -> None:
    # HMMER's filters drop hits of a P-value above 1e-5. Only with more than a hundred sequences does an E-value that
    # depends on their number tell hits apart; the worn pieces are near the limit.
    proteins, _ = _proteins(15, seed=2)
    proteins += _worn_pieces(400)
    together = list(find_domains(proteins, ProfileSet(loose_file), threads=1))
    monkeypatch.setattr(domains, "_BATCH_SEQUENCES", batch)
    assert list(find_domains(proteins, ProfileSet(loose_file), threads=threads)) == together


def test_every_form_of_the_file_gives_the_same_profiles(tmp_path: Path, profile_file: Path) -> None:
    binary = _write(tmp_path / "six.h3m", ProfileSet(profile_file).models, binary=True)
    forms = [profile_file, binary]
    for path in (profile_file, binary):
        packed = tmp_path / f"{path.name}.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        forms.append(packed)
    proteins, planted = _proteins(5)
    for path in forms:
        profiles = ProfileSet(path)
        assert profiles.names == tuple(FAMILIES)
        assert profiles.accessions[2] == "PX2.1"
        assert len(profiles) == 6
        assert profiles.without_cutoffs == 0
        assert [set(names) for names in find_domains(proteins, profiles)] == planted


@pytest.mark.parametrize(
    "sequence", ["A", "MK", "X", "XXXXXXXX", "BZJUOX", "", "W" * 500, _random_protein(100_000, 101)]
)
def test_odd_sequences_have_no_domains_and_do_no_harm(profile_file: Path, sequence: str) -> None:
    assert list(find_domains([sequence, FAMILIES["Fam1"]], ProfileSet(profile_file))) == [(), ("Fam1",)]


def test_of_a_sequence_beyond_the_limit_the_first_part_is_searched_and_that_is_said(profile_file: Path) -> None:
    filler = _random_protein(99_900, 103)
    inside, outside = FAMILIES["Fam1"] + filler + filler, filler + filler + FAMILIES["Fam1"]
    events: list[Event] = []
    assert list(find_domains(["MKV", inside, outside], ProfileSet(profile_file), listener=events.append)) == [
        (),
        ("Fam1",),
        (),
    ]
    notices = [event for event in events if isinstance(event, Notice)]
    assert [notice.severity for notice in notices] == ["warning", "warning"]
    assert "Sequence 2 has 199,860 residues" in notices[0].text


@pytest.mark.parametrize("sequence", ["MKV*A", "mkv", "MK V", "MKé"])
def test_a_letter_that_is_no_amino_acid_is_named(profile_file: Path, sequence: str) -> None:
    with pytest.raises(InputError, match=r"sequence 2: a letter that is not protein"):
        list(find_domains(["MKV", sequence], ProfileSet(profile_file)))


def test_progress_rises_to_the_total(profile_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domains, "_BATCH_SEQUENCES", 4)
    proteins, _ = _proteins(10)
    events: list[Event] = []
    list(find_domains(proteins, ProfileSet(profile_file), listener=events.append, total=10))
    progress = [event for event in events if isinstance(event, Progress)]
    assert [event.done for event in progress] == sorted(event.done for event in progress)
    assert progress[-1] == Progress("search domains", 10, 10, "proteins")
    assert len(progress) > 3


def test_no_more_than_a_batch_is_taken_before_results_come_out(
    profile_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domains, "_BATCH_SEQUENCES", 3)
    taken: list[int] = []

    def counted() -> Iterator[str]:
        for number in range(100):
            taken.append(number)
            yield FAMILIES["Fam1"]

    assert next(find_domains(counted(), ProfileSet(profile_file))) == ("Fam1",)
    assert len(taken) == 3


def _counting_search(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    searched: list[str] = []
    original = domains._search

    def search(sequences: Sequence[str], *others: Any) -> list[tuple[str, ...]]:
        searched.extend(sequences)
        return original(sequences, *others)

    monkeypatch.setattr(domains, "_search", search)
    return searched


def test_each_sequence_is_searched_once_and_then_the_profiles_are_not_read(
    tmp_path: Path, profile_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = _counting_search(monkeypatch)
    proteins, _ = _proteins(8)
    with DomainCache(tmp_path / "new" / "domains.sqlite") as cache:
        first = list(find_domains([*proteins, *proteins], ProfileSet(profile_file, cache=cache), cache=cache))
    assert searched == proteins
    with DomainCache(tmp_path / "new" / "domains.sqlite") as cache:
        profiles = ProfileSet(profile_file, cache=cache)
        assert list(find_domains([*proteins, *proteins], profiles, cache=cache)) == first
        assert searched == proteins
        assert "models" not in vars(profiles)
        extra = FAMILIES["Fam2"] + "MKV"
        assert list(find_domains([proteins[0], extra], profiles, cache=cache)) == [first[0], ("Fam2",)]
    assert searched == [*proteins, extra]


def test_other_profiles_or_another_search_do_not_use_old_results(
    tmp_path: Path, profile_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = _write(tmp_path / "one.hmm", [_model("Fam9", FAMILIES["Fam1"], 20.0)])
    searched = _counting_search(monkeypatch)
    with DomainCache(tmp_path / "domains.sqlite") as cache:
        for path, expected in ((profile_file, "Fam1"), (other, "Fam9"), (profile_file, "Fam1")):
            profiles = ProfileSet(path, cache=cache)
            assert list(find_domains([FAMILIES["Fam1"]], profiles, cache=cache)) == [(expected,)]
        assert len(searched) == 2
        monkeypatch.setattr(domain_cache, "SEARCH_VERSION", 2)
        list(find_domains([FAMILIES["Fam1"]], ProfileSet(profile_file, cache=cache), cache=cache))
    assert len(searched) == 3


def test_the_notice_about_cutoffs_comes_with_known_results_too(tmp_path: Path, loose_file: Path) -> None:
    with DomainCache(tmp_path / "domains.sqlite") as cache:
        for _ in range(2):
            events: list[Event] = []
            profiles = ProfileSet(loose_file, cache=cache)
            list(find_domains([FAMILIES["Fam1"]], profiles, cache=cache, listener=events.append))
            assert sum(isinstance(event, Notice) for event in events) == 1


def test_an_interruption_loses_one_batch_at_most(
    tmp_path: Path, profile_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domains, "_BATCH_SEQUENCES", 2)
    proteins, _ = _proteins(6)

    def interrupted() -> Iterator[str]:
        yield from proteins[:5]
        raise KeyboardInterrupt

    with DomainCache(tmp_path / "domains.sqlite") as cache:
        profiles = ProfileSet(profile_file, cache=cache)
        with pytest.raises(KeyboardInterrupt):
            list(find_domains(interrupted(), profiles, cache=cache))
        searched = _counting_search(monkeypatch)
        list(find_domains(proteins, profiles, cache=cache))
    assert searched == proteins[4:]


def test_the_checksum_is_remembered_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write(tmp_path / "one.hmm", [_model("Fam1", FAMILIES["Fam1"], 20.0)])
    read: list[Path] = []
    original = domain_cache.file_sha256

    def counted(path: Path) -> str:
        read.append(path)
        return original(path)

    monkeypatch.setattr(domain_cache, "file_sha256", counted)
    with DomainCache(tmp_path / "domains.sqlite") as cache:
        first = ProfileSet(path, cache=cache).sha256
        assert ProfileSet(path, cache=cache).sha256 == first == original(path)
        assert len(read) == 1
        path.write_bytes(path.read_bytes() * 2)
        assert cache.checksum(path) == original(path) != first
        assert len(read) == 2


WRITER = """
import sys
from pathlib import Path
from primase.bio.domain_cache import DomainCache, sequence_key
with DomainCache(Path(sys.argv[1])) as cache:
    known = cache.remember_profiles("0" * 64, without_cutoffs=0)
    for number in range(60):
        cache.store(known, {sequence_key(f"{sys.argv[2]}{number}"): ("A", "B"), sequence_key(str(number)): ()})
"""


def test_two_processes_fill_one_new_cache_together(tmp_path: Path) -> None:
    path = tmp_path / "domains.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in "xy"]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    with DomainCache(path) as cache:
        known = cache.known_profiles("0" * 64)
        assert known is not None
        keys = [sequence_key(f"{name}{number}") for name in ("x", "y", "") for number in range(60)]
        found = cache.find(known, keys)
    assert [found[key] for key in keys] == [("A", "B")] * 120 + [()] * 60


def test_a_batch_that_cannot_be_stored_whole_is_not_stored_at_all(tmp_path: Path) -> None:
    with DomainCache(tmp_path / "domains.sqlite") as cache:
        known = cache.remember_profiles("0" * 64, without_cutoffs=0)
        wrong: Any = {b"good": ("A",), None: ("B",)}
        with pytest.raises(sqlite3.IntegrityError):
            cache.store(known, wrong)
        assert cache.find(known, [b"good"]) == {}
        cache.store(known, {b"good": ("A",)})
        assert cache.find(known, [b"good"]) == {b"good": ("A",)}


def test_a_cache_that_is_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "domains.sqlite"
    path.write_text("this is no database, and long enough for SQLite to see that at once" * 20)
    with pytest.raises(ReadError, match=r"domains\.sqlite: the cache of domains cannot be opened"):
        DomainCache(path)
    other = tmp_path / "newer.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ReadError, match="version 99"):
        DomainCache(other)


@pytest.mark.parametrize("content", [b"", b"hello\n", b">a\nMK\n", bytes(range(256)), b"\x1f\x8bxxxx"])
def test_what_is_no_profile_file_is_refused_at_once(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.hmm"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"x\.hmm"):
        ProfileSet(path)


@pytest.mark.parametrize("form", ["hmm", "hmm.gz", "h3m", "h3m.gz"])
def test_a_cut_off_profile_file_is_an_error(tmp_path: Path, profile_file: Path, form: str) -> None:
    whole = _write(tmp_path / "whole", ProfileSet(profile_file).models, binary="h3m" in form).read_bytes()
    content = gzip.compress(whole) if form.endswith(".gz") else whole
    path = tmp_path / "cut.hmm"
    path.write_bytes(content[: int(len(content) * 0.7)])
    with pytest.raises(ReadError, match=r"cut\.hmm"):
        _ = ProfileSet(path).models


def test_profiles_of_nucleotides_are_refused(tmp_path: Path) -> None:
    model = _model("Dna", "ACGTACGATCGATCGATCGTAGCATCAGC", None, Alphabet.dna())
    with pytest.raises(ReadError, match="not of proteins"):
        ProfileSet(_write(tmp_path / "dna.hmm", [model]))


def test_two_profiles_of_one_name_are_refused(tmp_path: Path) -> None:
    models = [_model("Fam1", FAMILIES["Fam1"], 20.0), _model("Fam1", FAMILIES["Fam2"], 20.0)]
    with pytest.raises(ReadError, match="Fam1"):
        _ = ProfileSet(_write(tmp_path / "twice.hmm", models)).models


def test_a_missing_profile_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"nowhere\.hmm: the file does not exist"):
        ProfileSet(tmp_path / "nowhere.hmm")


def test_importing_the_room_does_not_import_hmmer_or_torch() -> None:
    code = (
        "import sys, primase.bio.domains, primase.bio.domain_sets, primase.bio.similarity, primase.bio.fasta; "
        "sys.exit(bool({'pyhmmer', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
