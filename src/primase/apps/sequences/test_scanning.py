from __future__ import annotations

import json
import re
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pybigtools
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from primase.apps.dna_function.app import DnaConfiguration
from primase.apps.dna_function.workflow import DnaWorkflow
from primase.apps.rna_binding.app import RnaConfiguration
from primase.apps.rna_binding.workflow import RnaWorkflow
from primase.apps.sequences import scan_blocks, scan_files, scanning
from primase.apps.sequences.scan_windows import ScanWindows, Stretches, regions, whole_chromosomes
from primase.apps.workflow import Scan
from primase.bio.genome import Genome
from primase.bio.intervals import read_intervals
from primase.bio.nucleotides import encode_nucleotides, reverse_complement
from primase.configuration import configure
from primase.data.sequences import SequenceEncoder
from primase.data.tasks import Task
from primase.errors import ConfigurationError, InputError, Interrupted
from primase.evaluation.calibration import TemperatureScaling
from primase.evaluation.per_label import PerLabel, uncalibrated
from primase.events import Notice, Progress, silent
from primase.predictor.predictor import Predictor

SMALL = {"filters": (8,), "widths": (7,), "pools": (4,), "units": 4, "hidden": 8}
TARGETS = ("A", "b/c", "B|C")
WINDOW = 40


def genome_of(**lengths):
    sizes = np.array(list(lengths.values()), dtype=np.int64)
    letters = (1 << np.random.default_rng(0).integers(0, 4, int(sizes.sum()))).astype(np.uint8)
    return Genome(Path("genome.fa"), tuple(lengths), sizes, np.cumsum(sizes) - sizes, letters)


class Model:
    """An untrained network with its workflow; a scan does not care what was learned."""

    def __init__(self, workflow, configuration, task, length, calibrator=None):
        torch.manual_seed(1)
        self.workflow, self.configuration = workflow, configuration
        encoder = SequenceEncoder(length)
        network = workflow.network(encoder, task, configuration).eval()
        self.predictor = Predictor(task, encoder, (network,), calibrator or uncalibrated(task))

    def scan(self, inputs, out, listener=silent, **settings):
        request = Scan(Path(inputs), Path(out), "model", **settings)
        return self.workflow.scan(self.predictor, self.configuration, request, listener)

    def answers(self, texts):
        """Predict for sequences one by one, without any of what a scan does."""
        rows = []
        for text in texts:
            codes = torch.tensor(encode_nucleotides(text, where="test")[None].tolist(), dtype=torch.uint8)
            with torch.inference_mode():
                logits = self.predictor.members[0](codes).double().numpy()
            rows.append(self.predictor.calibrator.answers(logits)[0])
        return np.array(rows)


@pytest.fixture
def dna():
    calibrator = PerLabel(tuple(TemperatureScaling(heat) for heat in (0.5, 1.0, 2.0)))
    configuration = configure(DnaConfiguration, SMALL)
    return Model(DnaWorkflow(), configuration, Task("multilabel", TARGETS), WINDOW, calibrator)


@pytest.fixture
def rna():
    return Model(RnaWorkflow(), RnaConfiguration(), Task("binary", ("not bound", "bound")), WINDOW)


@pytest.fixture
def chromosomes():
    random = np.random.default_rng(3)
    made = {name: "".join(random.choice(list("ACGT"), size)) for name, size in (("2", 413), ("10", 200), ("m", 25))}
    made["2"] = made["2"][:100] + "N" * 100 + made["2"][200:]
    return made


@pytest.fixture
def fasta(tmp_path, chromosomes):
    path = tmp_path / "genome.fa"
    path.write_text("".join(f">{name} a chromosome\n{text}\n" for name, text in chromosomes.items()))
    return path


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(scanning, "BLOCK_LETTERS", 7 * WINDOW)


def dense_windows(text, window, stride):
    """List the windows as one would by hand."""
    if len(text) < window:
        left = (window - len(text) + 1) // 2
        return [(0, len(text), "." * left + text + "." * (window - len(text) - left))]
    starts = [*range(0, len(text) - window, stride), len(text) - window]
    return [(start, start + window, text[start : start + window]) for start in starts]


# Where windows lie


@example(lengths=[1], window=2, stride=1, block=1)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    window=st.integers(1, 30),
    stride=st.integers(1, 40),
    block=st.integers(1, 9),
)
def test_windows_reach_both_ends_and_bins_never_overlap(lengths, window, stride, block):
    genome = genome_of(**{f"chr{number}": length for number, length in enumerate(lengths)})
    windows = ScanWindows(genome, whole_chromosomes(genome, (), silent), window=window, stride=stride)
    found, bins = {}, {}
    for first in range(0, len(windows), block):
        last = min(first + block, len(windows))
        places = windows.places(first, last)
        low, high = windows.borders(places)
        names = windows.names(places)
        for name, start, end in zip(names, low.tolist(), high.tolist(), strict=True):
            found.setdefault(name, []).append((start, end))
        for name, start, end in zip(names, *(part.tolist() for part in windows.bins(first, last)), strict=True):
            bins.setdefault(name, []).append((start, end))
    for number, length in enumerate(lengths):
        name = f"chr{number}"
        assert found[name] == [(low, high) for low, high, _ in dense_windows("A" * length, window, stride)]
        assert all(0 <= start < end <= length for start, end in bins[name])
        assert all(before[1] <= after[0] for before, after in zip(bins[name], bins[name][1:], strict=False))
        for (start, end), (low, high) in zip(bins[name], found[name], strict=True):
            assert low <= start < end <= high
            assert end - start <= min(stride, window)
        if len(found[name]) == 1 and length >= window:
            (start, end), (low, high) = bins[name][0], found[name][0]
            assert abs((start + end) - (low + high)) <= 1


def test_a_bin_is_a_stride_around_the_centre():
    genome = genome_of(chr1=105)
    windows = ScanWindows(genome, whole_chromosomes(genome, (), silent), window=40, stride=20)
    starts, ends = windows.bins(0, len(windows))
    assert windows.places(0, 5).starts.tolist() == [0, 20, 40, 60, 65]
    assert starts.tolist() == [10, 30, 50, 70, 82]
    assert ends.tolist() == [30, 50, 70, 82, 95]


@example(drawn=[("b", 0, 10), ("b", 10, 10)], window=5)
@given(
    drawn=st.lists(st.tuples(st.sampled_from(["b", "a", "c"]), st.integers(0, 50), st.integers(1, 40)), min_size=1),
    window=st.integers(1, 30),
)
def test_regions_cover_what_is_asked_once(tmp_path_factory, drawn, window):
    lengths = {"c": 100, "b": 100, "a": 20}
    rows = [(name, min(start, lengths[name] - 1), min(start + size, lengths[name])) for name, start, size in drawn]
    path = tmp_path_factory.mktemp("bed") / "regions.bed"
    path.write_text("".join(f"{name}\t{start}\t{max(end, start + 1)}\n" for name, start, end in rows))
    genome = genome_of(**lengths)
    found = regions(genome, read_intervals(path), (), window, silent)
    covered = {name: np.zeros(length, dtype=int) for name, length in lengths.items()}
    for number, start, end in zip(found.chromosomes, found.starts, found.ends, strict=True):
        covered[genome.names[number]][start:end] += 1
        assert end - start >= min(window, lengths[genome.names[number]])
    assert all(counts.max() <= 1 for counts in covered.values())
    for name, start, end in rows:
        assert covered[name][start : max(end, start + 1)].all()
    places = [(genome.names[number], start) for number, start in zip(found.chromosomes, found.starts, strict=True)]
    assert places == sorted(places)
    runs = sum(int((np.diff(np.concatenate([[0], counts])) == 1).sum()) for counts in covered.values())
    assert len(found) == runs  # what touches is one
    asked = {name: np.zeros(length, dtype=bool) for name, length in lengths.items()}
    for name, start, end in rows:
        asked[name][max(0, start - window) : max(end, start + 1) + window] = True
    assert all(asked[name][counts > 0].all() for name, counts in covered.items())


def test_nothing_is_kept_for_each_window():
    genome = genome_of(a=10)
    genome = replace(genome, lengths=np.array([10**12]))
    stretches = Stretches(np.array([0]), np.array([0]), np.array([10**12]))
    windows = ScanWindows(genome, stretches, window=200, stride=1)
    assert len(windows) == 10**12 - 199
    assert windows.places(len(windows) - 1, len(windows)).starts.tolist() == [10**12 - 200]


# What is predicted


def test_parquet_says_what_the_network_says_of_each_window(dna, fasta, chromosomes, tmp_path, small_blocks):
    out = tmp_path / "scan.parquet"
    assert list(dna.scan(fasta, out, stride=13)) == [out]
    table = pl.read_parquet(out)
    assert table.columns == ["chromosome", "start", "end", "strand", *(f"probability_{name}" for name in TARGETS)]
    expected = [(name, *row) for name in sorted(chromosomes) for row in dense_windows(chromosomes[name], WINDOW, 13)]
    assert table.select("chromosome", "start", "end").rows() == [row[:3] for row in expected]
    assert set(table["strand"]) == {"."}
    unknown = np.array([set(row[3]) == {"N"} for row in expected])
    assert 0 < unknown.sum() < len(expected)
    kept = [row[3].replace(".", "") for row in expected]
    whole = np.array([len(text) == WINDOW for text in kept]) & ~unknown
    values = table.select(pl.col("^probability_.*$")).to_numpy()
    assert np.isnan(values[unknown]).all()
    answers = dna.answers([text for text, chosen in zip(kept, whole, strict=True) if chosen])
    np.testing.assert_allclose(values[whole], answers, atol=1e-5)
    assert np.isfinite(values[~unknown]).all()
    assert [path.name for path in tmp_path.iterdir() if "scan" in path.name] == ["scan.parquet"]


def test_a_short_chromosome_is_one_padded_window(dna, fasta, chromosomes, tmp_path):
    events = []
    dna.scan(fasta, tmp_path / "scan.parquet", events.append, chromosomes=("m",))
    codes = np.zeros((1, WINDOW), dtype=np.uint8)
    codes[0, 8:33] = encode_nucleotides(chromosomes["m"], where="test")
    with torch.inference_mode():
        logits = dna.predictor.members[0](torch.from_numpy(codes)).double().numpy()
    table = pl.read_parquet(tmp_path / "scan.parquet")
    expected = dna.predictor.calibrator.answers(logits)
    np.testing.assert_allclose(table.select(pl.col("^probability_.*$")).to_numpy(), expected, atol=1e-5)
    assert table.rows()[0][:4] == ("m", 0, 25, ".")
    assert any("Shorter than the window" in event.text for event in events if isinstance(event, Notice))


def test_rna_is_scanned_as_two_strands(rna, fasta, chromosomes, tmp_path):
    rna.scan(fasta, tmp_path / "scan.parquet", chromosomes=("10",))
    table = pl.read_parquet(tmp_path / "scan.parquet")
    windows = dense_windows(chromosomes["10"], WINDOW, WINDOW // 2)
    turned = [
        "".join("ACGT"[int(code).bit_length() - 1] for code in reverse_complement(encode_nucleotides(text, where="t")))
        for _, _, text in windows
    ]
    both = [text for window, other in zip(windows, turned, strict=True) for text in (window[2], other)]
    assert table["strand"].to_list() == ["+", "-"] * len(windows)
    assert table["start"].to_list() == [start for start, _, _ in windows for _ in range(2)]
    np.testing.assert_allclose(table["probability_bound"], rna.answers(both)[:, 1], atol=1e-5)
    assert table.columns[-1] == "probability_bound"


def test_a_network_that_reads_one_strand_of_dna_is_asked_about_both(fasta, tmp_path):
    configuration = configure(DnaConfiguration, {**SMALL, "both_strands": False})
    Model(DnaWorkflow(), configuration, Task("multilabel", ("A",)), WINDOW).scan(fasta, tmp_path / "scan.parquet")
    assert set(pl.read_parquet(tmp_path / "scan.parquet")["strand"]) == {"+", "-"}


def test_regions_have_the_answers_of_the_whole(dna, fasta, tmp_path):
    bed = tmp_path / "regions.bed"
    bed.write_text("2\t200\t280\n2\t240\t320\n10\t0\t100\n")
    dna.scan(fasta, tmp_path / "whole.parquet", stride=20)
    dna.scan(bed, tmp_path / "part.parquet", genome=fasta, stride=20)
    part, whole = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("part", "whole"))
    assert len(part) == 5 + 4
    keys = ["chromosome", "start", "end", "strand"]
    both = part.join(whole, on=keys, how="left", maintain_order="left")
    for name in TARGETS:
        np.testing.assert_allclose(both[f"probability_{name}"], both[f"probability_{name}_right"], atol=1e-6)


# Files


def test_bed_holds_what_reaches_the_minimum(dna, fasta, tmp_path, small_blocks):
    dna.scan(fasta, tmp_path / "scan.parquet", targets=("B|C", "A"))
    table = pl.read_parquet(tmp_path / "scan.parquet")
    least = float(np.nanmedian(table["probability_A"].to_numpy()))
    dna.scan(fasta, tmp_path / "scan.bed", targets=("B|C", "A"), minimum=least)
    expected = [
        (row["chromosome"], str(row["start"]), str(row["end"]), name, str(round(min(value * 1000, 1000))), ".")
        for row in table.rows(named=True)
        for name in ("B|C", "A")
        if (value := row[f"probability_{name}"]) is not None and value >= np.float32(least)
    ]
    lines = [tuple(line.split("\t")) for line in (tmp_path / "scan.bed").read_text().splitlines()]
    assert lines == expected
    assert 0 < len(lines) < 2 * len(table)
    assert lines == sorted(lines, key=lambda line: (line[0], int(line[1])))


def test_a_bed_file_may_be_empty_and_says_so(dna, fasta, tmp_path):
    events = []
    dna.scan(fasta, tmp_path / "scan.bed", events.append, minimum=1.0)
    assert (tmp_path / "scan.bed").read_text() == ""
    assert any("No window reaches" in event.text for event in events if isinstance(event, Notice))


def test_big_wig_has_a_file_per_target(dna, fasta, chromosomes, tmp_path, small_blocks):
    written = dna.scan(fasta, tmp_path / "scan.bw")
    assert [path.name for path in written] == ["scan.A.bw", "scan.b_c-2.bw", "scan.B_C-3.bw"]
    dna.scan(fasta, tmp_path / "scan.parquet")
    table = pl.read_parquet(tmp_path / "scan.parquet")
    for path, target in zip(written, TARGETS, strict=True):
        with pybigtools.open(str(path)) as file:
            assert file.chroms() == {name: len(text) for name, text in chromosomes.items()}
            for name in chromosomes:
                rows = table.filter(pl.col("chromosome") == name, pl.col(f"probability_{target}").is_not_null())
                records = list(file.records(name))
                np.testing.assert_allclose([value for *_, value in records], rows[f"probability_{target}"], rtol=1e-6)
                for (start, end, _), low, high in zip(records, rows["start"], rows["end"], strict=True):
                    assert low <= start < end <= high


def test_big_wig_of_one_target_has_the_name_that_was_asked_for(dna, rna, fasta, tmp_path):
    assert [path.name for path in dna.scan(fasta, tmp_path / "one.bw", targets=("A",))] == ["one.bw"]
    assert [path.name for path in rna.scan(fasta, tmp_path / "two.bw")] == ["two.plus.bw", "two.minus.bw"]
    values = []
    for strand in ("plus", "minus"):
        with pybigtools.open(str(tmp_path / f"two.{strand}.bw")) as file:
            values.append([value for *_, value in file.records("10")])
    rna.scan(fasta, tmp_path / "two.parquet", chromosomes=("10",))
    table = pl.read_parquet(tmp_path / "two.parquet")
    for strand, found in zip("+-", values, strict=True):
        np.testing.assert_allclose(found, table.filter(pl.col("strand") == strand)["probability_bound"], rtol=1e-6)


def test_what_goes_wrong_in_big_wig_is_not_swallowed(tmp_path, capfd):
    def interrupted():
        yield "1", 0, 10, 0.5
        raise Interrupted(signal.SIGINT)

    with pytest.raises(Interrupted):
        scan_files.write_big_wig(tmp_path / "a.bw", {"1": 100}, interrupted())
    with pytest.raises(OSError, match="not whole"):
        scan_files.write_big_wig(tmp_path / "b.bw", {"1": 100}, iter([("1", 0, 10, 0.5), ("1", 5, 15, 0.5)]))


# Interruption


class StopAfter:
    """Interrupts after so many blocks of one call."""

    def __init__(self, blocks):
        self.left = blocks
        self.seen = []

    def __call__(self, event):
        if isinstance(event, Progress) and event.stage == scanning.SCAN:
            self.seen.append(event.done)
            self.left -= 1
            if not self.left:
                raise Interrupted(signal.SIGTERM)


@pytest.mark.parametrize("ending", ["parquet", "bed"])
def test_a_resumed_scan_ends_where_a_whole_one_ends(dna, fasta, tmp_path, small_blocks, ending):
    dna.scan(fasta, tmp_path / f"whole.{ending}")
    out = tmp_path / f"scan.{ending}"
    for resume in (False, True):
        with pytest.raises(Interrupted):
            dna.scan(fasta, out, StopAfter(1), resume=resume)
        assert not out.exists()
    values = tmp_path / f"scan.{ending}.partial" / scan_blocks.VALUES
    with values.open("ab") as file:
        file.write(b"cut off in the middle of a block")
    rest = StopAfter(-1)
    dna.scan(fasta, out, rest, resume=True)
    assert rest.seen[0] == 3 * 7
    assert out.read_bytes() == (tmp_path / f"whole.{ending}").read_bytes()
    assert not values.parent.exists()


def test_an_interruption_while_writing_loses_nothing(dna, fasta, tmp_path, monkeypatch):
    def stop(self, out, scanned, staging):
        raise Interrupted(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(scan_files.ParquetWriter, "write", stop)
        with pytest.raises(Interrupted):
            dna.scan(fasta, tmp_path / "scan.parquet")
    rest = StopAfter(-1)
    dna.scan(fasta, tmp_path / "scan.parquet", rest, resume=True)
    assert rest.seen == []
    assert (tmp_path / "scan.parquet").exists()


def test_a_full_disk_loses_nothing(dna, fasta, tmp_path, monkeypatch):
    def full(self, out, scanned, staging):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(scan_files.ParquetWriter, "write", full)
        with pytest.raises(InputError, match=r"No space left.*--resume"):
            dna.scan(fasta, tmp_path / "scan.parquet")
    rest = StopAfter(-1)
    dna.scan(fasta, tmp_path / "scan.parquet", rest, resume=True)
    assert rest.seen == []


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"stride": 11}, "stride was 20 and is 11"),
        ({"window": 44, "stride": 20}, "window was 40 and is 44"),
        ({"targets": ("A",)}, "targets was"),
        ({"chromosomes": ("2",)}, "chromosomes was"),
    ],
)
def test_another_scan_is_not_resumed(dna, fasta, tmp_path, small_blocks, settings, named):
    with pytest.raises(Interrupted):
        dna.scan(fasta, tmp_path / "scan.parquet", StopAfter(1))
    before = (tmp_path / "scan.parquet.partial" / scan_blocks.VALUES).read_bytes()
    with pytest.raises(InputError, match="an interrupted scan is in the way"):
        dna.scan(fasta, tmp_path / "scan.parquet")
    with pytest.raises(ConfigurationError, match=named):
        dna.scan(fasta, tmp_path / "scan.parquet", resume=True, **settings)
    assert (tmp_path / "scan.parquet.partial" / scan_blocks.VALUES).read_bytes() == before


def test_another_model_does_not_go_on(dna, fasta, tmp_path, small_blocks):
    with pytest.raises(Interrupted):
        dna.scan(fasta, tmp_path / "scan.bed", StopAfter(1))
    request = Scan(fasta, tmp_path / "scan.bed", "another", resume=True)
    with pytest.raises(ConfigurationError, match="model was model and is another"):
        dna.workflow.scan(dna.predictor, dna.configuration, request, silent)
    dna.scan(fasta, tmp_path / "scan.bed", minimum=0.1, resume=True)  # decides nothing but what is written


def test_the_estimate_comes_before_the_second_block(dna, fasta, tmp_path, small_blocks):
    events = []
    dna.scan(fasta, tmp_path / "scan.parquet", events.append)
    kinds = [event for event in events if isinstance(event, Notice | Progress)]
    estimates = [number for number, event in enumerate(kinds) if "on this machine" in getattr(event, "text", "")]
    progress = [number for number, event in enumerate(kinds) if getattr(event, "stage", "") == scanning.SCAN]
    assert len(estimates) == 1
    assert progress[0] == estimates[0] + 1
    total = kinds[progress[-1]].total
    assert kinds[estimates[0]].text.startswith(f"{total} windows of 40 letters, 20 apart: about ")
    assert re.search(r"takes about [\d.]+ kB on disk", kinds[estimates[0]].text)


def test_the_manifest_is_readable(dna, fasta, tmp_path, small_blocks):
    with pytest.raises(Interrupted):
        dna.scan(fasta, tmp_path / "scan.bw", StopAfter(2))
    manifest = json.loads((tmp_path / "scan.bw.partial" / scan_blocks.MANIFEST).read_text())
    assert manifest["stride"] == WINDOW // 2
    assert manifest["targets"] == list(TARGETS)


# Windows of another length


def test_a_network_without_a_sense_of_place_reads_other_lengths(dna, fasta, tmp_path, chromosomes):
    events = []
    dna.scan(fasta, tmp_path / "scan.parquet", events.append, window=100, chromosomes=("10",))
    table = pl.read_parquet(tmp_path / "scan.parquet")
    texts = [text for _, _, text in dense_windows(chromosomes["10"], 100, 50)]
    np.testing.assert_allclose(table.select(pl.col("^probability.*$")).to_numpy(), dna.answers(texts), atol=1e-5)
    assert any("trained on 40 letters" in event.text for event in events if isinstance(event, Notice))


@pytest.mark.parametrize("name", ["dna", "rna"])
def test_a_window_shorter_than_the_filters_is_refused(request, name, fasta, tmp_path):
    with pytest.raises(ConfigurationError, match=r"--window.*shorter than the filters.*Found: 6.*at least"):
        request.getfixturevalue(name).scan(fasta, tmp_path / "scan.bed", window=6)


@pytest.mark.parametrize("kind", ["dna", "rna"])
def test_a_network_with_a_sense_of_place_reads_one_length(kind, fasta, tmp_path):
    if kind == "dna":
        configuration = configure(DnaConfiguration, {**SMALL, "head": "flat"})
        model = Model(DnaWorkflow(), configuration, Task("multilabel", ("A",)), WINDOW)
    else:
        configuration = configure(RnaConfiguration, {"convolution": "2d"})
        model = Model(RnaWorkflow(), configuration, Task("binary", ("no", "yes")), WINDOW)
    with pytest.raises(ConfigurationError, match=r"--window.*one length only.*Found: 80\. Accepted: 40"):
        model.scan(fasta, tmp_path / "scan.bed", window=80)
    model.scan(fasta, tmp_path / "scan.bed", window=WINDOW)
    assert (tmp_path / "scan.bed").exists()
