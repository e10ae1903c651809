"""`primase scan` as a user types it: what it writes, what it refuses, and what an interruption leaves."""

import random
import signal
import time

import numpy as np
import polars as pl
import pytest
import torch

from primase.apps.discovery import applications
from primase.apps.sequences import scanning
from primase.configuration import configure
from primase.data.sequences import SequenceEncoder
from primase.data.tasks import Task
from primase.evaluation.per_label import uncalibrated
from primase.predictor.bundle import Bundle, write_bundle

SMALL = {"filters": (16,), "widths": (11,), "pools": (4,), "units": 8, "hidden": 8, "members": 1}
WINDOW = 60


def write_model(folder, name, task, **settings):
    """Write a bundle with random weights: how a genome is scanned does not hang on what was learned."""
    application = applications()[name]
    configuration, encoder = configure(application.configuration, settings), SequenceEncoder(WINDOW)
    torch.manual_seed(0)
    network = application.load().network(encoder, task, configuration)
    folder.mkdir()
    write_bundle(
        folder,
        Bundle(
            application=name,
            task=task.to_state(),
            configuration=configuration.model_dump(mode="json"),
            encoder=encoder.state(),
            calibration=uncalibrated(task).to_state(),
            members=[network.state_dict()],
        ),
    )


def write_fasta(path, seed=0, **lengths):
    draw = random.Random(seed)
    records = [f">{name}\n{''.join(draw.choices('ACGT', k=size))}\n" for name, size in lengths.items()]
    path.write_text("".join(records))


@pytest.fixture
def work(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    write_model(folder / "model", "dna-function", Task("multilabel", ("CTCF", "H3K4me3")), **SMALL)
    write_fasta(folder / "genome.fa", chr2=1000, chr10=500, chrM=40)
    (folder / "regions.bed").write_text("chr2\t100\t400\nchr10\t0\t200\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def refused(command_line, work, cache):
    def run(*words):
        before = {path.relative_to(work): path.is_file() and path.read_bytes() for path in work.rglob("*")}
        outcome = command_line("scan", *words)
        assert outcome.status == 2, outcome
        assert outcome.output == ""
        assert "Traceback" not in outcome.error
        assert len([line for line in outcome.error.splitlines() if line.startswith(("primase: ", "Error: "))]) == 1
        assert {path.relative_to(work): path.is_file() and path.read_bytes() for path in work.rglob("*")} == before
        return outcome.error

    return run


def test_a_genome(command_line, work):
    outcome = command_line("scan", "model", "genome.fa", "--out", "scan.parquet", "--stride", "10", "--target", "CTCF")
    assert (outcome.status, outcome.output) == (0, "Wrote scan.parquet\n")
    assert outcome.error.count("warning: Shorter than the window of 60 letters") == 1
    table = pl.read_parquet("scan.parquet")
    assert table.columns == ["chromosome", "start", "end", "strand", "probability_CTCF"]
    assert table["chromosome"].to_list() == ["chr10"] * 45 + ["chr2"] * 95 + ["chrM"]


def test_regions_and_chromosomes(command_line, work):
    words = ["model", "regions.bed", "--genome", "genome.fa", "--chromosomes", "chr2", "--out", "scan.bed"]
    assert command_line("scan", *words, "--minimum", "0").status == 0
    lines = [line.split("\t") for line in (work / "scan.bed").read_text().splitlines()]
    assert [(line[0], int(line[1])) for line in lines[::2]] == [("chr2", start) for start in range(100, 350, 30)]
    assert [line[3] for line in lines[:2]] == ["CTCF", "H3K4me3"]


def test_big_wig(command_line, work):
    outcome = command_line("scan", "model", "genome.fa", "--target", "CTCF", "--target", "H3K4me3", "--out", "scan.bw")
    assert outcome.output.splitlines() == ["Wrote scan.CTCF.bw", "Wrote scan.H3K4me3.bw"]


def test_rna_has_two_strands(command_line, work):
    write_model(work / "rna", "rna-binding", Task("binary", ("not bound", "bound")), members=1)
    assert command_line("scan", "rna", "genome.fa", "--out", "scan.parquet").status == 0
    table = pl.read_parquet("scan.parquet")
    assert table.columns[3:] == ["strand", "probability_bound"]
    assert set(table["strand"]) == {"+", "-"}


def test_the_same_in_python(work):
    import primase  # noqa: PLC0415  # loads torch

    written = primase.load("model").scan("genome.fa", "scan.parquet", stride=30, targets=("CTCF",))
    assert [str(path) for path in written] == ["scan.parquet"]
    assert np.isfinite(pl.read_parquet("scan.parquet")["probability_CTCF"].to_numpy()).all()


# Refusals


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target", "CTFC"], "--target: the model has no such target. Found: CTFC. Accepted: CTCF, H3K4me3"),
        (["--window", "10"], "--window: the window is shorter than the filters"),
        (["--window", "0"], "0 is not in the range x>=1"),
        (["--stride", "0"], "0 is not in the range x>=1"),
        (["--minimum", "0.5"], "--minimum: a minimum is for BED"),
        (["--minimum", "1.5"], "1.5 is not in the range"),
        (["--chromosomes", "chr2,chr3"], "--chromosomes: a chromosome that is named is not in genome.fa. Found: chr3"),
        (["--genome", "genome.fa"], "the input is a FASTA file, and a genome is named too"),
    ],
)
def test_a_wrong_option(refused, words, message):
    assert message in refused("model", "genome.fa", "--out", "scan.parquet", *words)


@pytest.mark.parametrize("name", ["scan", "scan.csv", "scan.bigbed", "scan.bed.gz"])
def test_a_wrong_ending(refused, name):
    message = refused("model", "genome.fa", "--out", name)
    assert "the format of a scan is told by the ending" in message
    assert "Accepted: .parquet, .bed, .bw" in message


def test_a_name_that_is_taken(refused, work):
    (work / "scan.bed").write_text("mine")
    (work / "scan.H3K4me3.bw").write_text("mine")
    assert "scan.bed: there is already a file of this name" in refused("model", "genome.fa", "--out", "scan.bed")
    assert "scan.H3K4me3.bw: there is already a file" in refused("model", "genome.fa", "--out", "scan.bw")


def test_a_folder_that_does_not_exist(refused):
    assert "nowhere: the folder does not exist" in refused("model", "genome.fa", "--out", "nowhere/scan.bed")


def test_the_partial_folder_is_taken(refused, work):
    (work / "scan.bed.partial").mkdir()
    (work / "scan.bed.partial" / "thesis.txt").write_text("mine")
    assert "this name is needed for the scan" in refused("model", "genome.fa", "--out", "scan.bed", "--resume")


def test_a_flat_network_with_another_window(refused, work):
    write_model(work / "flat", "dna-function", Task("multilabel", ("A",)), **SMALL, head="flat")
    message = refused("flat", "genome.fa", "--window", "120", "--out", "scan.bed")
    assert "reads windows of one length only" in message
    assert "Accepted: 60" in message


def test_a_genome_that_lacks_a_chromosome(refused, work):
    (work / "other.bed").write_text("chr2\t0\t100\n2\t5\t100\n")
    message = refused("model", "other.bed", "--genome", "genome.fa", "--out", "scan.bed")
    assert "other.bed, line 2: the genome lacks the chromosome" in message
    assert "The genome calls it 'chr2'" in message


def test_a_region_past_the_end(refused, work):
    (work / "other.bed").write_text("chr2\t900\t1001\n")
    message = refused("model", "other.bed", "--genome", "genome.fa", "--out", "scan.bed")
    assert "other.bed, line 1: the interval ends past the end of its chromosome" in message


def test_regions_without_a_genome(refused):
    message = refused("model", "regions.bed", "--out", "scan.bed")
    assert "regions.bed: regions are given, but not the genome" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no records: the file is empty"),
        (">chr1\n>chr2\n", "there is nothing to scan: no record has a letter"),
        (">chr1\n" + "N" * 300 + "\n", "no window holds a letter that is known"),
        (">p1\nMKLVEF\n", "record 'p1': "),
        ("chromosome,start\n", "this is not a FASTA file"),
    ],
)
def test_a_genome_that_is_none(refused, work, text, message):
    (work / "other.fa").write_text(text)
    error = refused("model", "other.fa", "--out", "scan.bed")
    assert "other.fa" in error
    assert message in error


def test_a_missing_genome(refused):
    assert "absent.fa: the file does not exist" in refused("model", "absent.fa", "--out", "scan.bed")


def test_an_application_without_genomes(refused, work):
    (work / "enzymes").mkdir()
    (work / "enzymes" / "bundle.json").write_text('{"schema": 1, "application": "enzyme-identification"}')
    assert "enzyme-identification is not capable of this" in refused("enzymes", "genome.fa", "--out", "scan.bed")


# Interruption

BLOCK_LETTERS = 3000
LONG = f"""
import sys
from primase.apps.sequences import scanning
scanning.BLOCK_LETTERS = {BLOCK_LETTERS}
from primase.cli.main import main
sys.argv = ["primase", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_a_signal_leaves_what_is_done(command_line, work, start, monkeypatch, number, status):
    write_fasta(work / "long.fa", chr1=50_000)
    (work / "run.py").write_text(LONG)
    words = ["model", "long.fa", "--stride", "10", "--target", "CTCF"]
    values = work / "scan.parquet.partial" / "values.f4"
    process = start("run.py", "scan", *words, "--out", "scan.parquet")
    deadline = time.monotonic() + 60
    while not (values.exists() and values.stat().st_size > 400) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    output, error = process.communicate(timeout=60)
    assert (process.returncode, output) == (status, ""), error
    assert error.strip().splitlines()[-1] == "primase: interrupted."
    assert not (work / "scan.parquet").exists()
    done = values.stat().st_size // 4 // 50
    assert 2 <= done < 100
    message = command_line("scan", *words, "--out", "scan.parquet")
    assert message.status == 2
    assert "Add --resume" in message.error
    monkeypatch.setattr(scanning, "BLOCK_LETTERS", BLOCK_LETTERS)
    finished = command_line("scan", *words, "--out", "scan.parquet", "--resume")
    assert finished.status == 0, finished.error
    assert len(pl.read_parquet("scan.parquet")) == 4_995
    assert not values.parent.exists()
