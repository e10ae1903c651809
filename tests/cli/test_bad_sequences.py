"""Bad sequences, genomes, intervals and tables: one message that names what is wrong and where; and good ones work."""

import gzip

import numpy as np
import polars as pl
import pytest
from scipy import io

RNA, DNA = "rna-binding", "dna-function"


def letters(count, length, alphabet="ACGU", seed=0):
    return ["".join(row) for row in np.random.default_rng(seed).choice(list(alphabet), (count, length))]


def fasta(sequences, name="record"):
    return "".join(f">{name}_{number}\n{text}\n" for number, text in enumerate(sequences))


def table(rows, header):
    return "\n".join(["\t".join(header), *("\t".join(map(str, row)) for row in rows)]) + "\n"


@pytest.fixture
def work(tmp_path):
    """Lay out a user's folder with good files in it."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "bound.fa").write_text(fasta(letters(30, 40), "bound"))
    (folder / "unbound.fa").write_text(fasta(letters(30, 40, seed=1), "unbound"))
    sequences = letters(60, 40, "ACGT", seed=2)
    rows = [(f"s{number}", text, number % 2, number % 3 // 2) for number, text in enumerate(sequences)]
    (folder / "marks.tsv").write_text(table(rows, ["id", "sequence", "open", "marked"]))
    genome = {name: letters(1, 2000, "ACGT", seed)[0] for seed, name in enumerate(["chrI", "chrII", "chrIII"])}
    (folder / "genome.fa").write_text("".join(f">{name}\n{text}\n" for name, text in genome.items()))
    for seed, name in enumerate(["peaks", "others"]):
        starts = np.random.default_rng(seed).integers(0, 900, 60) * 2 + seed
        lines = [f"{list(genome)[place % 3]}\t{start}\t{start + 60}" for place, start in enumerate(starts)]
        (folder / f"{name}.bed").write_text("\n".join(lines) + "\n")
    return folder


def pair(positives="bound.fa", negatives="unbound.fa"):
    return ["--positives", positives, "--negatives", negatives]


def rna(*words, out="model"):
    return ["train", RNA, *(words or pair()), "--epochs", "1", "--filters", "8,8,8", "--out", out]


def dna(*words, out="model"):
    return ["train", DNA, *words, "--epochs", "1", "--filters", "8,8", "--units", "4", "--out", out]


def tabular(*words, path="marks.tsv", target="open,marked"):
    return dna("--table", path, "--target-column", target, *words)


def intervals(*words, positives="peaks.bed", genome="genome.fa"):
    return dna(*pair(positives, "others.bed"), "--genome", genome, *words)


# FASTA


def test_proteins_given_as_rna(refuses, work):
    (work / "proteins.fa").write_text(">P1 a kinase\nMKVLLAEFGHIKLPQRSTWY*\n")
    message = refuses(*rna(*pair("proteins.fa")))
    assert all(
        word in message for word in ("proteins.fa, line 1, record 'P1'", "no nucleotide", "looks like a protein")
    )


def test_a_letter_that_is_no_nucleotide(refuses, work):
    (work / "odd.fa").write_text(">good\nACGU\n>bad\nACGU\nAC5U\n")
    message = refuses(*rna(*pair("odd.fa")))
    assert all(word in message for word in ("odd.fa, line 3, record 'bad'", "'5' at position 7 of 8"))
    assert "protein" not in message


def test_an_alignment(refuses, work):
    (work / "aligned.fa").write_text(">a\nAC--GU\n")
    message = refuses(*rna(*pair("aligned.fa")))
    assert all(word in message for word in ("aligned.fa", "'-' at position 3", "remove the gaps"))


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_fasta(refuses, work, content):
    (work / "nothing.fa").write_text(content)
    message = refuses(*rna(*pair(negatives="nothing.fa")))
    assert "nothing.fa: no records: the file is empty" in message


def test_a_record_without_letters(refuses, work):
    (work / "hollow.fa").write_text(">a\nACGU\n>b\n>c\nACGU\n")
    assert "hollow.fa, line 3, record 'b': a record without a sequence" in refuses(*rna(*pair("hollow.fa")))


def test_a_truncated_gzip(refuses, work):
    whole = gzip.compress((work / "bound.fa").read_bytes())
    (work / "cut.fa.gz").write_bytes(whole[: len(whole) // 2])
    assert "cut.fa.gz: the gzip file is damaged or cut off" in refuses(*rna(*pair("cut.fa.gz")))


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (["--positives", "bound.fa"], "--positives needs --negatives"),
        (["--negatives", "unbound.fa"], "--negatives needs --positives"),
        ([*pair(), "--test-positives", "bound.fa"], "--test-positives needs --test-negatives"),
    ],
)
def test_one_of_a_pair(refuses, words, absent):
    assert absent in refuses(*rna(*words))


def test_a_test_part_without_anything_to_train_on(refuses):
    message = refuses(*rna("--test-positives", "bound.fa", "--test-negatives", "unbound.fa"))
    assert "there is no input" in message


def test_one_id_with_two_answers(refuses, work):
    (work / "both.fa").write_text((work / "unbound.fa").read_text() + ">bound_7\nACGUACGU\n")
    message = refuses(*rna(*pair(negatives="both.fa")))
    assert all(word in message for word in ("both.fa, record 'bound_7'", "one id has two answers", "bound.fa"))


def test_one_class_only_in_headers(refuses, work):
    (work / "one.fa").write_text("".join(f">r{place} label=1\n{text}\n" for place, text in enumerate(letters(30, 40))))
    message = refuses(*rna("--fasta", "one.fa"))
    assert all(word in message for word in ("one.fa", "one class only", "at least two different answers"))


def test_a_header_without_an_answer(refuses, work):
    (work / "mute.fa").write_text(">a label=1\nACGU\n>b\nACGU\n")
    message = refuses(*rna("--fasta", "mute.fa"))
    assert all(word in message for word in ("mute.fa", "'b'", "the header tells no answer", "label=1"))


def test_both_strands_of_rna(refuses):
    message = refuses(*rna(*pair(), "--both-strands"))
    assert all(word in message for word in ("--both-strands", " RNA is one strand", "dna-function"))


# Splits


def test_a_split_by_group_without_a_column(refuses):
    message = refuses(*rna(*pair(), "--split", "group"))
    assert all(word in message for word in ("--split group", "--group-column"))


def test_a_group_column_that_is_not_there(refuses):
    message = refuses(*tabular("--group-column", "family"))
    assert all(word in message for word in ("marks.tsv", "'family'", "id, sequence, open, marked", "--group-column"))


def test_a_split_by_chromosome_without_places(refuses):
    message = refuses(*rna(*pair(), "--split", "chromosome"))
    assert all(word in message for word in ("--split chromosome", "bound_0", ">chr1:100-200"))


def test_a_test_chromosome_that_no_sequence_lies_on(refuses):
    message = refuses(*intervals("--split", "chromosome", "--test-chromosomes", "chrII,chrXX"))
    assert all(word in message for word in ("--test-chromosomes", "Found: chrXX", "chrI, chrII, chrIII"))


def test_one_chromosome_to_validate_and_to_test_on(refuses):
    words = ["--split", "chromosome", "--test-chromosomes", "chrII", "--validation-chromosomes", "chrI,chrII"]
    message = refuses(*intervals(*words))
    assert "--validation-chromosomes and --test-chromosomes both name chrII" in message


@pytest.mark.parametrize("word", ["--test-chromosomes", "--validation-chromosomes"])
def test_chromosomes_named_for_another_split(refuses, word):
    message = refuses(*intervals("--split", "cluster", word, "chrII"))
    assert f"{word} is for --split chromosome" in message


def test_validation_chromosomes_alone(refuses):
    message = refuses(*intervals("--validation-chromosomes", "chrII"))
    assert "--validation-chromosomes needs --test-chromosomes" in message


def test_test_chromosomes_beside_a_test_part(refuses):
    words = [*pair("peaks.bed", "others.bed"), "--test-positives", "peaks.bed", "--test-negatives", "others.bed"]
    message = refuses(*dna(*words, "--genome", "genome.fa", "--test-chromosomes", "chrII"))
    assert all(word in message for word in ("--split chromosome", "the parts are given", "--test-"))


@pytest.mark.parametrize("words", [["--test-table", "marks.tsv"], ["--test-fasta", "bound.fa"]], ids=" ".join)
def test_parts_in_different_forms(refuses, words):
    message = refuses(*rna(*pair(), *words))
    assert all(word in message for word in ("different forms", "--negatives", words[0]))


def test_given_parts_without_a_test_part(refuses):
    assert "--test-" in refuses(*rna(*pair(), "--split", "given"))


# Intervals and genomes


def test_intervals_without_a_genome(refuses):
    message = refuses(*dna(*pair("peaks.bed", "others.bed")))
    assert all(word in message for word in ("peaks.bed", "--genome"))


def test_an_interval_past_the_end_of_its_chromosome(refuses, work):
    (work / "far.bed").write_text("chrI\t0\t100\nchrII\t1950\t2001\n")
    message = refuses(*intervals(positives="far.bed"))
    assert all(word in message for word in ("far.bed, line 2", "chrII:1950-2001", "past the end", "2,000"))


def test_a_genome_that_lacks_a_chromosome(refuses, work):
    (work / "strange.bed").write_text("chrI\t0\t100\nII\t5\t105\n")
    message = refuses(*intervals(positives="strange.bed"))
    assert all(
        word in message for word in ("strange.bed, line 2", "lacks the chromosome", "II", "genome.fa", "'chrII'")
    )


def test_a_genome_with_a_letter_that_is_no_nucleotide(refuses, work):
    (work / "odd.fa").write_text(">chrI\nACGT\nAJGT\n>chrII\nAC\n>chrIII\nAC\n")
    message = refuses(*intervals(genome="odd.fa"))
    assert all(word in message for word in ("odd.fa", "'chrI'", "'J' at position 6"))


def test_an_interval_that_ends_before_it_starts(refuses, work):
    (work / "back.bed").write_text("chrI\t0\t100\nchrI\t100\t50\n")
    assert "back.bed, line 2: the interval ends before it starts" in refuses(*intervals(positives="back.bed"))


def test_intervals_where_headers_are_looked_for(refuses):
    message = refuses(*dna("--fasta", "peaks.bed", "--genome", "genome.fa"))
    assert all(word in message for word in ("peaks.bed", "--positives"))


def test_a_missing_genome(refuses):
    assert "absent.fa: the file does not exist" in refuses(*intervals(genome="absent.fa"))


def test_fasta_beside_intervals_of_another_kind(refuses, work):
    (work / "empty.bed").write_text("# nothing\n")
    assert "empty.bed: no intervals: the file is empty" in refuses(*intervals(positives="empty.bed"))


def test_borders_of_intervals_cannot_be_masked(refuses):
    assert "--mask-borders" in refuses(*intervals("--mask-borders", "3"))


# Tables


def test_other_target_columns_in_the_test_table(refuses, work):
    (work / "test.tsv").write_text(table([("t1", "ACGTACGT", 1)], ["id", "sequence", "open"]))
    message = refuses(*tabular("--test-table", "test.tsv"))
    assert all(word in message for word in ("test.tsv", "'marked'", "id, sequence, open", "--target-column"))


def test_a_pattern_that_finds_more_columns_in_the_test_table(refuses, work):
    (work / "test.tsv").write_text(table([("t1", "ACGTACGT", 1, 0, 1)], ["id", "sequence", "open", "marked", "m2"]))
    message = refuses(*tabular("--test-table", "test.tsv", target="open,m*"))
    assert all(word in message for word in ("test.tsv", "m2"))


def test_a_target_column_that_is_not_there(refuses):
    message = refuses(*tabular(target="open,closed"))
    assert all(word in message for word in ("marks.tsv", "'closed'", "id, sequence, open, marked", "--target-column"))


def test_a_pattern_that_no_column_has(refuses):
    assert "'H3*'" in refuses(*tabular(target="H3*"))


def test_a_column_without_answers(refuses, work):
    rows = [(f"s{number}", text, number % 2, "") for number, text in enumerate(letters(60, 40, "ACGT"))]
    (work / "void.tsv").write_text(table(rows, ["id", "sequence", "open", "marked"]))
    message = refuses(*tabular(path="void.tsv"))
    assert all(word in message for word in ("void.tsv, column 'marked'", "all answers of a column are empty"))


@pytest.mark.parametrize("answer", ["0", "1"])
def test_a_column_with_one_answer_only(refuses, command_line, work, answer):
    rows = [(f"s{number}", text, number % 2, answer) for number, text in enumerate(letters(60, 40, "ACGT"))]
    (work / "same.tsv").write_text(table(rows, ["id", "sequence", "open", "marked"]))
    message = refuses(*tabular(path="same.tsv", target="marked"))
    assert all(word in message for word in ("same.tsv", "column 'marked'", "one class only"))
    # One of several columns is no reason to stop, but to say so.
    outcome = command_line("audit", DNA, "--table", "same.tsv", "--target-column", "open,marked")
    assert outcome.status == 0
    assert "marked" in next(line for line in outcome.output.splitlines() if "rare classes" in line)


def test_an_answer_that_is_neither_yes_nor_no(refuses, work):
    text = (work / "marks.tsv").read_text().splitlines()
    text[8] += "5"
    (work / "five.tsv").write_text("\n".join(text))
    message = refuses(*tabular(path="five.tsv"))
    assert all(word in message for word in ("five.tsv, line 9", "'marked'", "neither yes nor no", "1 or 0"))


def test_a_table_without_sequences(refuses):
    message = refuses(*tabular("--sequence-column", "dna"))
    assert all(word in message for word in ("marks.tsv", "'dna'", "--sequence-column"))


def test_a_row_without_a_sequence(refuses, work):
    rows = [("a", "ACGT", 1, 0), ("b", "", 0, 1)]
    (work / "gap.tsv").write_text(table(rows, ["id", "sequence", "open", "marked"]))
    assert "gap.tsv, line 3: a row without a sequence" in refuses(*tabular(path="gap.tsv"))


def test_a_row_with_a_letter_that_is_no_nucleotide(refuses, work):
    rows = [("a", "ACGT", 1, 0), ("b", "ACXT", 0, 1)]
    (work / "odd.tsv").write_text(table(rows, ["id", "sequence", "open", "marked"]))
    message = refuses(*tabular(path="odd.tsv"))
    assert all(word in message for word in ("odd.tsv, line 3", "'X' at position 3 of 4"))


def test_one_id_with_two_answers_in_a_table(refuses, work):
    with (work / "marks.tsv").open("a") as file:
        file.write("s4\tACGTACGTACGT\t1\t1\n")
    message = refuses(*tabular())
    assert all(word in message for word in ("marks.tsv, line 62", "'s4'", "one id has two answers", "line 6"))


def test_a_position_that_is_none(refuses, work):
    rows = [("a", "chrI", 10, 60, 1), ("b", "chrI", "ten", 60, 0)]
    (work / "places.tsv").write_text(table(rows, ["id", "chromosome", "start", "end", "open"]))
    message = refuses(*tabular("--genome", "genome.fa", path="places.tsv", target="open"))
    assert all(word in message for word in ("places.tsv, line 3", "the start of an interval is no position", "ten"))


# What a network cannot read


@pytest.mark.parametrize("preset", ["small", "danq"])
def test_a_window_shorter_than_the_first_filter(refuses, preset):
    words = ["--window", "10", "--preset", preset]
    message = refuses("train", DNA, "--table", "marks.tsv", "--target-column", "open", *words, "--out", "model")
    assert all(word in message for word in ("shorter than the filters", "10 letters", "at least", "narrower filters"))


def test_rna_shorter_than_the_first_filter(refuses):
    message = refuses(*rna(*pair(), "--window", "8"))
    assert all(word in message for word in ("shorter than the filters", "8 letters", "at least 11 letters"))


def test_lists_of_different_lengths(refuses):
    message = refuses(*rna(*pair(), "--widths", "7"))
    assert all(word in message for word in ("3 numbers of filters", "1 widths", "as many of each"))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--filters", "8,0,8"], "--filters"),
        (["--widths", "0,1,1"], "--widths"),
        (["--pools", "0,1,1"], "--pools"),
        (["--pools", "two"], "--pools"),
        (["--dropout", "1"], "--dropout"),
        (["--convolution", "3d"], "--convolution"),
        (["--shift", "-1"], "--shift"),
        (["--window", "-5"], "--window"),
        (["--test-chromosomes", "chr1", "--split", "random"], "--split"),
    ],
    ids=" ".join,
)
def test_an_option_that_is_not_accepted(refuses, words, named):
    assert named in refuses("train", RNA, *pair(), *words, "--out", "model")


@pytest.mark.parametrize("value", ["0.3", "0.3,1.5", "0.1,0.2,0.3", "many"])
def test_dropout_of_dna_is_two_shares(refuses, value):
    assert "--dropout" in refuses(*tabular("--dropout", value))


# Files of DeepSEA


@pytest.mark.parametrize("content", [b"", b"nothing of MATLAB\n" * 100, b"MATLAB 5.0 MAT-file, cut off"])
def test_a_file_that_is_no_matlab_file(refuses, work, content):
    (work / "train.mat").write_bytes(content)
    message = refuses(*dna("--table", "train.mat"))
    assert "train.mat" in message


def test_a_matlab_file_of_something_else(refuses, work):
    io.savemat(work / "train.mat", {"weights": np.zeros((3, 3))})
    message = refuses(*dna("--table", "train.mat"))
    assert all(word in message for word in ("train.mat", "trainxdata", "weights"))


def test_deepsea_files_of_two_kinds(refuses, work):
    for part, word, length in (("train", "train", 20), ("test", "test", 24)):
        columns = np.zeros((8, 4, length), dtype=np.uint8)
        columns[:, 0] = 1
        io.savemat(work / f"{part}.mat", {f"{word}xdata": columns, f"{word}data": np.zeros((8, 3), dtype=np.uint8)})
    message = refuses(*dna("--table", "train.mat", "--test-table", "test.mat"))
    assert all(word in message for word in ("train.mat: 20 letters", "test.mat: 24 letters"))


# Good input in the forms that people have it


def test_shuffled_peaks_may_have_the_names_of_peaks(command_line, work, monkeypatch):
    monkeypatch.chdir(work)
    for name in ("peaks", "others"):
        lines = (work / f"{name}.bed").read_text().splitlines()
        (work / f"{name}.bed").write_text("".join(f"{line}\tpeak_{row}\n" for row, line in enumerate(lines)))
    outcome = command_line(*intervals())
    assert outcome.status == 0, outcome
    assert pl.read_parquet(work / "model" / "members.parquet")["id"].str.contains(r"^chrI+:\d+-\d+\(\.\)$").all()


def same_predictions(first, second):
    return pl.read_parquet(first / "predictions.parquet").equals(pl.read_parquet(second / "predictions.parquet"))


@pytest.mark.parametrize("form", ["windows", "gzip", "lower", "dna", "mixed"])
def test_the_forms_that_files_have_mean_the_same(command_line, work, monkeypatch, form):
    monkeypatch.chdir(work)
    assert command_line(*rna()).status == 0
    change = {
        "windows": lambda text: text.replace("\n", "\r\n"),
        "gzip": lambda text: text,
        "lower": lambda text: "\n".join(line if line[0] == ">" else line.lower() for line in text.splitlines()),
        "dna": lambda text: "\n".join(line if line[0] == ">" else line.replace("U", "T") for line in text.splitlines()),
        "mixed": lambda text: "\n".join(
            line if line[0] == ">" else line[:9].replace("U", "t") + line[9:] for line in text.splitlines()
        ),
    }[form]
    pack = gzip.compress if form == "gzip" else bytes
    for name in ("bound", "unbound"):
        (work / f"{name}.other").write_bytes(pack(change((work / f"{name}.fa").read_text()).encode()))
    outcome = command_line(*rna(*pair("bound.other", "unbound.other"), out="again"))
    assert outcome.status == 0, outcome
    assert same_predictions(work / "model", work / "again")


def test_intervals_and_their_sequences_mean_the_same(command_line, work, monkeypatch):
    monkeypatch.chdir(work)
    genome = {}
    for record in (work / "genome.fa").read_text().split(">")[1:]:
        name, text = record.split()
        genome[name] = text
    for kind in ("peaks", "others"):
        records = []
        for line in (work / f"{kind}.bed").read_text().splitlines():
            name, start, end = line.split("\t")
            records.append(f">{name}:{start}-{end}\n{genome[name][int(start) : int(end)]}\n")
        (work / f"{kind}.fa").write_text("".join(records))
    outcome = command_line(*intervals("--split", "chromosome", "--test-chromosomes", "chrII"))
    assert outcome.status == 0, outcome
    members = pl.read_parquet(work / "model" / "members.parquet")
    assert members["id"].str.starts_with("chrII:").to_list() == (members["part"] == "test").to_list()
    words = [*pair("peaks.fa", "others.fa"), "--split", "chromosome", "--test-chromosomes", "chrII"]
    outcome = command_line(*dna(*words, out="again"))
    assert outcome.status == 0, outcome
    columns = [column for column in pl.read_parquet(work / "model" / "predictions.parquet").columns if column != "id"]
    first, second = (pl.read_parquet(work / name / "predictions.parquet") for name in ("model", "again"))
    assert first.select(columns).equals(second.select(columns))


def test_a_missing_cell_of_several_is_unknown(command_line, work, monkeypatch):
    monkeypatch.chdir(work)
    text = (work / "marks.tsv").read_text().splitlines()
    text[3] = text[3].rpartition("\t")[0] + "\t"
    text[4] = "\t".join([*text[4].split("\t")[:2], "", ""])
    (work / "sparse.tsv").write_text("\n".join(text))
    outcome = command_line(*tabular(path="sparse.tsv"))
    assert outcome.status == 0, outcome
    assert len(pl.read_parquet(work / "model" / "members.parquet")) == 59
