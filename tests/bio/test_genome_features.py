from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from primase.bio.genome_features import PROMOTER_BP, read_chromosomes, read_genome_windows
from primase.bio.nucleotides import decode_nucleotides
from primase.errors import ReadError

LENGTH = 2050
LETTERS = "".join(np.random.default_rng(5).choice(list("acgt"), size=LENGTH))

FEATURES = """     CDS             join(401..450,551..700)
                     /locus_tag="forward, with an intron of 100"
     CDS             complement(join(1201..1250,1252..1300))
                     /locus_tag="reverse, with a frameshift"
     tRNA            790..809
     tRNA            1590..1605
     rep_origin      order(601..605,690..700)
     LTR             other.1:5..10
     misc_feature    1..2000
"""


def record(accession: str, features: str, chromosome: str | None) -> str:
    named = f'                     /chromosome="{chromosome}"\n' if chromosome else ""
    lines = []
    for start in range(0, LENGTH, 60):
        groups = [LETTERS[place : place + 10] for place in range(start, min(start + 60, LENGTH), 10)]
        lines.append(f"{start + 1:>9} " + " ".join(groups))
    return "\n".join(
        [
            f"LOCUS       {accession}                 {LENGTH} bp    DNA     linear   SYN 01-JAN-2020",
            "DEFINITION  made up.",
            f"ACCESSION   {accession}",
            "FEATURES             Location/Qualifiers",
            f"     source          1..{LENGTH}",
            f"{named}{features}ORIGIN",
            *lines,
            "//",
            "",
        ]
    )


def archive(path: Path, *members: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for number, text in enumerate(members):
            file.writestr(f"chr{number}.gb", text)
    return path


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    return archive(tmp_path / "genome.zip", record("AB1", FEATURES, "IV"), record("AB2", "", None))


def test_exons_introns_and_promoters_follow_from_the_coding_sequences(genome: Path) -> None:
    first, second = read_chromosomes(genome)
    assert (first.name, second.name) == ("IV", "AB2")
    assert decode_nucleotides(first.codes) == LETTERS.upper()
    assert {kind: spans.tolist() for kind, spans in first.features.items()} == {
        "coding": [[400, 450], [550, 700], [1200, 1250], [1251, 1300]],
        "intron": [[450, 550]],
        "promoter": [[100, 400], [1300, 1300 + PROMOTER_BP]],
        "tRNA": [[789, 809], [1589, 1605]],
        "replication_origin": [[600, 700]],
    }
    assert second.features == {}


def test_windows_carry_what_half_covers_them_or_lies_half_in_them(genome: Path) -> None:
    windows = read_genome_windows(genome, fewest=0)
    labels = {name: windows.labels[:, column] for column, name in enumerate(windows.names)}
    carried = {name: np.flatnonzero(column).tolist() for name, column in labels.items()}
    assert carried == {
        # 50 and 50 bp of the two exons together half cover the window that the intron between them half covers too.
        "coding": [2, 3, 6],
        "intron": [2],
        "promoter": [0, 1, 6, 7],
        # 11 and 9 of 20 bp, and 11 and 5 of 16: each in the window with the larger part.
        "tRNA": [3, 7],
        "replication_origin": [3],
    }
    assert windows.left_out == {}
    assert windows.labels.shape == (20, 5)
    assert windows.labels.dtype == np.int8


def test_windows_stand_one_after_the_other_on_each_chromosome(genome: Path) -> None:
    windows = read_genome_windows(genome, fewest=0)
    assert windows.chromosomes == ("IV", "AB2")
    assert windows.offsets.tolist() == [0, LENGTH, 2 * LENGTH]
    assert windows.chromosome.tolist() == [0] * 10 + [1] * 10
    assert windows.starts.tolist() == [*range(0, 2000, 200)] * 2
    assert (windows.ends - windows.starts == 200).all()
    place = windows.offsets[1] + windows.starts[13]
    assert decode_nucleotides(windows.letters[place : place + 200]) == LETTERS[600:800].upper()


def test_a_brute_force_over_every_base_agrees(genome: Path) -> None:
    windows = read_genome_windows(genome, window_bp=37, fewest=0)
    chromosome = next(iter(read_chromosomes(genome)))
    assert len(windows.names) == 5
    for column, kind in enumerate(windows.names):
        for number in range(LENGTH // 37):
            inside = set(range(number * 37, number * 37 + 37))
            spans = [set(range(start, end)) for start, end in chromosome.features[kind].tolist()]
            covered = 2 * len(inside & set().union(*spans)) >= 37
            held = any(2 * len(inside & span) >= len(span) for span in spans)
            assert windows.labels[number, column] == (covered or held), (kind, number)


def test_rare_features_and_those_of_few_chromosomes_are_left_out(tmp_path: Path, genome: Path) -> None:
    windows = read_genome_windows(genome, fewest=3)
    assert windows.names == ("promoter", "coding")
    assert windows.left_out == {"intron": 1, "replication_origin": 1, "tRNA": 2}
    transfer = "     tRNA            790..809\n"
    members = [record(f"AB{number}", transfer if number < 2 else "", str(number)) for number in range(4)]
    assert read_genome_windows(archive(tmp_path / "four.zip", *members), fewest=1).left_out == {"tRNA": 2}


def test_what_is_no_annotated_genome_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"no archive")
    with pytest.raises(ReadError, match="ZIP archive of GenBank files"):
        read_genome_windows(broken)
    with pytest.raises(ReadError, match=r"no file '\*\.gb'"):
        read_genome_windows(archive(tmp_path / "empty.zip"))
    with pytest.raises(ReadError, match=r"chr0\.gb"):
        read_genome_windows(archive(tmp_path / "text.zip", "no GenBank file\n"))
    with pytest.raises(ReadError, match="cannot be read"):
        read_genome_windows(tmp_path / "missing.zip")
