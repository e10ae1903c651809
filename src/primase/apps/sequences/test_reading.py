import gzip
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from primase.apps.sequences.blocks import holds_intervals, holds_table
from primase.apps.sequences.configuration import SequenceData
from primase.apps.sequences.kinship import cluster
from primase.apps.sequences.reading import Asked, read_labelled, stream_unlabelled
from primase.apps.workflow import Labelled
from primase.bio.nucleotides import decode_nucleotides, encode_nucleotides, reverse_complement
from primase.data.examples import Examples
from primase.data.sequences import Sequences
from primase.data.tasks import Task
from primase.errors import ConfigurationError, InputError, ReadError
from primase.events import silent

ASKED = Asked(("no", "yes"), {})
GENOME = {"chr1": "ACGTTGCAAC" * 10, "chr2": "GGGGGCCCCCAAAAATTTTT" * 4}


def turned(text):
    return decode_nucleotides(reverse_complement(encode_nucleotides(text, where="a test")))


def texts(examples):
    return [examples.inputs.text(row) for row in range(len(examples))]


def read(task=None, asked=ASKED, **words):
    return read_labelled(SequenceData(**words), asked, task, silent)


def stream(path, length=8, **words):
    return list(stream_unlabelled(path, SequenceData(**words), length, silent))


@pytest.fixture
def files(tmp_path):
    def write(name, text):
        path = tmp_path / name
        data = text.encode()
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
        return path

    write("genome.fa", "".join(f">{name}\n{text}\n" for name, text in GENOME.items()))
    return write


# Pairs of FASTA files


def test_a_pair_of_files(files):
    found = read(positives=files("p.fa", ">a\nACGU\n>b x\nac\nGN\n"), negatives=files("n.fa.gz", ">c\nTTTTT\n"))
    examples = found.examples
    assert found.task == Task("binary", ("no", "yes"))
    assert examples.ids.tolist() == ["a", "b", "c"]
    assert examples.targets.tolist() == [1, 1, 0]
    assert texts(examples) == ["ACGT", "acGN", "TTTTT"]
    assert examples.parts is None
    assert examples.inputs.places is None


def test_parts_that_are_apart(files):
    pair = {"positives": files("p.fa", ">a\nA\n"), "negatives": files("n.fa", ">b\nC\n")}
    apart = {"test_positives": files("tp.fa", ">c\nG\n"), "test_negatives": files("tn.fa", ">d\nT\n>e\nT\n")}
    examples = read(**pair, **apart).examples
    assert examples.parts.tolist() == ["train", "train", "test", "test", "test"]
    assert examples.targets.tolist() == [1, 0, 1, 0, 0]


def test_a_pair_in_the_words_of_a_trained_model(files):
    pair = {"positives": files("p.fa", ">a\nA\n"), "negatives": files("n.fa", ">b\nC\n")}
    task = Task("binary", ("background", "hardy"))
    found = read(task, **pair)
    assert found.task == task
    assert found.examples.targets.tolist() == [1, 0]
    with pytest.raises(InputError, match="nobody can tell which answer of the model positives are"):
        read(Task("binary", ("hardy", "tender")), **pair)


def test_places_in_headers(files):
    pair = {
        "positives": files("p.fa", ">chr1:5-9(-)\nACGT\n>x chr2,3,5,+\nACGT\n"),
        "negatives": files("n.fa", ">c\nC\n"),
    }
    places = read(**pair).examples.inputs.places
    assert places.chromosomes.tolist() == ["chr1", "chr2", ""]
    assert places.starts.tolist()[:2] == [5, 3]
    assert places.strands.tolist()[:2] == ["-", "+"]
    assert places.known.tolist() == [True, True, False]


def test_answers_in_headers(files):
    fasta = files("h.fa", ">chr1,1,5,+; class:1\nACGT\n>chr1,9,13,-; class:0\nACGT\n")
    found = read(fasta=fasta)
    assert found.task == Task("binary", ("0", "1"))
    assert found.examples.targets.tolist() == [1, 0]
    assert found.examples.inputs.places.starts.tolist() == [1, 9]


# Tables


TABLE = "id\tsequence\topen\tmarked\tplace\nr1\tACGT\t1\t0\tx\nr2\tAC\t\t1\ty\nr3\tGGG\t\t\ty\nr4\tTTT\t0\t0\tx\n"


def test_several_targets_with_unknown_ones(files):
    found = read(table=files("t.tsv", TABLE), target_column=("open", "marked"))
    assert found.task == Task("multilabel", ("open", "marked"))
    assert found.examples.ids.tolist() == ["r1", "r2", "r4"]
    assert found.examples.targets.tolist() == [[1, 0], [-1, 1], [0, 0]]
    (finding,) = found.findings
    assert (finding.finding, finding.count) == ("no answer", 1)


def test_one_target_and_groups(files):
    found = read(table=files("t.tsv", TABLE), target_column=("open",), group_column="place")
    assert found.task == Task("binary", ("0", "1"))
    assert found.examples.targets.tolist() == [1, 0]
    groups = found.examples.groups["place"]
    assert groups[0] == groups[1]


def test_columns_by_a_pattern_leave_out_what_means_something_else(files):
    header, rest = TABLE.split("\n", 1)
    table = files(
        "t.tsv", header.replace("open", "m1").replace("marked", "m2").replace("place", "m_place") + "\n" + rest
    )
    found = read(table=table, target_column=("m*",), group_column="m_place")
    assert found.task.labels == ("m1", "m2")


def test_the_columns_of_both_parts_must_be_the_same(files):
    other = files("u.tsv", "id\tsequence\topen\tmarked\tmore\nq\tACGT\t1\t0\t1\n")
    assert len(read(table=files("t.tsv", TABLE), test_table=other, target_column=("open", "marked")).examples) == 4
    with pytest.raises(InputError, match=r"u\.tsv: .*not those of the other part\. Found: open, marked, more"):
        read(table=files("t.tsv", TABLE), test_table=other, target_column=("open", "m*"))


def test_a_multilabel_model_finds_its_columns_by_itself(files):
    task = Task("multilabel", ("marked", "open"))
    assert read(task, table=files("t.tsv", TABLE)).examples.targets.tolist() == [[0, 1], [1, -1], [0, 0]]


def test_rows_without_ids_are_numbered(files):
    found = read(table=files("t.csv", "sequence,target\nAC,0\nGT,1\n"))
    assert found.examples.ids.tolist() == ["row 1", "row 2"]
    found = read(
        table=files("t.csv", "sequence,target\nAC,0\nGT,1\n"), test_table=files("u.csv", "sequence,target\nAC,1\n")
    )
    assert found.examples.ids.tolist() == ["train row 1", "train row 2", "test row 1"]


def test_a_table_with_places_and_sequences(files):
    table = files("t.csv", "sequence,target,chrom,start,end,strand\nAC,0,chr1,4,6,-\nGT,1,chr2,0,2,?\n")
    places = read(table=table).examples.inputs.places
    assert places.chromosomes.tolist() == ["chr1", "chr2"]
    assert (places.starts.tolist(), places.ends.tolist()) == ([4, 0], [6, 2])
    assert places.strands.tolist() == ["-", "."]


def test_parquet(tmp_path):
    pl.DataFrame({"id": ["a", "b"], "sequence": ["ACGT", "GG"], "target": [0, 1]}).write_parquet(tmp_path / "t.parquet")
    assert texts(read(table=tmp_path / "t.parquet").examples) == ["ACGT", "GG"]
    (block,) = stream(tmp_path / "t.parquet")
    assert texts(block) == ["ACGT", "GG"]


# Intervals


def test_intervals_of_a_genome(files, tmp_path):
    pair = {
        "positives": files("p.bed", "track name=x\nchr1\t10\t20\tone\t0\t+\nchr2\t0\t10\ttwo\t0\t-\n"),
        "negatives": files("n.bed", "chr1 30 40\nchr2 5 15\n"),
    }
    examples = read(**pair, genome=tmp_path / "genome.fa").examples
    assert texts(examples) == [
        GENOME["chr1"][10:20],
        turned(GENOME["chr2"][:10]),
        GENOME["chr1"][30:40],
        GENOME["chr2"][5:15],
    ]
    assert examples.ids.tolist() == ["one", "two", "chr1:30-40(.)", "chr2:5-15(.)"]
    assert examples.inputs.places.strands.tolist() == ["+", "-", ".", "."]
    # A longer window reads what lies around in the genome, up to the end of the chromosome.
    wider = examples.inputs.windows(np.array([0, 2]), 14)
    assert [decode_nucleotides(one) for one in wider] == [GENOME["chr1"][8:22], GENOME["chr1"][28:42]]


def test_intervals_are_resized_around_their_centre(files, tmp_path):
    pair = {"positives": files("p.bed", "chr1\t10\t20\n"), "negatives": files("n.bed", "chr1\t0\t4\n")}
    examples = read(**pair, genome=tmp_path / "genome.fa", window=8).examples
    assert texts(examples) == [GENOME["chr1"][11:19], f"--{GENOME['chr1'][:6]}"]


def test_a_table_of_intervals(files, tmp_path):
    table = files("t.csv", "id,chromosome,start,end,strand,target\na,chr1,10,20,-,0\nb,chr2,3,13,+,1\n")
    examples = read(table=table, genome=tmp_path / "genome.fa").examples
    assert examples.ids.tolist() == ["a", "b"]
    assert texts(examples) == [turned(GENOME["chr1"][10:20]), GENOME["chr2"][3:13]]


def test_intervals_of_several_lengths_are_windows_of_one_length(files, tmp_path):
    pair = {"positives": files("p.bed", "chr1\t10\t12\nchr1\t16\t18\n"), "negatives": files("n.bed", "chr2\t0\t12\n")}
    sequences = read(**pair, genome=tmp_path / "genome.fa").examples.inputs
    assert sequences.lengths.tolist() == [12, 12, 12]
    # The first two do not overlap, but what is read of them does.
    assert cluster(sequences, both_strands=True, listener=silent).tolist() == [0, 0, 1]


def test_names_that_stand_twice_give_way_to_coordinates(files, tmp_path):
    pair = {
        "positives": files("p.bed", "chr1\t10\t20\tpeak\nchr2\t0\t9\tsummit\n"),
        "negatives": files("n.bed", "chr1\t30\t40\tpeak\n"),
    }
    examples = read(**pair, genome=tmp_path / "genome.fa").examples
    assert examples.ids.tolist() == ["chr1:10-20(.)", "chr2:0-9(.)", "chr1:30-40(.)"]
    same = files("m.bed", "chr1\t10\t20\n")
    with pytest.raises(InputError, match="one id has two answers"):
        read(positives=files("p.bed", "chr1\t10\t20\n"), negatives=same, genome=tmp_path / "genome.fa")


# What is refused


@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        ([("a", "1", "0"), ("a", "1", "0")], False),
        ([("a", "1", ""), ("a", "", "0")], False),
        ([("a", "1", "0"), ("a", "0", "0")], True),
        ([("a", "1", "0"), ("b", "1", "1"), ("a", "", "1")], True),
        ([("a", "1", "0"), ("a", "", ""), ("a", "0", "0")], True),
        ([("a", "1", "0"), ("b", "0", "0")], False),
    ],
)
def test_one_id_with_two_answers(files, rows, refused):
    rows = [*rows, ("y", "0", "1"), ("z", "1", "0")]
    body = "".join(f"{name},ACGT,{first},{second}\n" for name, first, second in rows)
    words = {"table": files("t.csv", f"id,sequence,p,q\n{body}"), "target_column": ("p", "q")}
    if not refused:
        assert read(**words).task.labels == ("p", "q")
        return
    with pytest.raises(InputError, match=r"t\.csv, line \d, id 'a': one id has two answers\. Found: .*t\.csv, line 2"):
        read(**words)


def test_parts_in_different_forms(files):
    table = files("t.tsv", TABLE)
    with pytest.raises(InputError, match=r"different forms\. Found: --fasta and --test-table"):
        read(fasta=files("h.fa", ">a 1\nAC\n"), test_table=table, target_column=("open",))


# Registered data sets


def whole(task=None, labels=("a", "b")):
    sequences = Sequences.from_codes([encode_nucleotides("ACGT", where="a test")] * 2)
    examples = Examples(np.array(["x", "y"], dtype=object), sequences, np.array([[0, 1], [1, 0]], dtype=np.int8))
    return Labelled(examples, task or Task("multilabel", labels))


def test_a_data_set_of_files_is_read_as_they_would_be(files):
    path = files("t.tsv", TABLE)
    asked = replace(ASKED, datasets={"some": lambda _: {"table": path, "target_column": ("open",)}})
    assert read(asked=asked, dataset="some").examples.ids.tolist() == ["r1", "r4"]


def test_a_data_set_of_examples_is_taken_as_it_is():
    labelled = whole()
    asked = replace(ASKED, datasets={"some": lambda _: labelled})
    assert read(asked=asked, dataset="some") is labelled
    assert read(labelled.task, asked=asked, dataset="some") is labelled
    with pytest.raises(InputError, match=r"not those that the model gives\. Found: a, b\. Accepted: a, c"):
        read(Task("multilabel", ("a", "c")), asked=asked, dataset="some")
    with pytest.raises(ConfigurationError, match="--mask-borders"):
        read(asked=asked, dataset="some", mask_borders=2)
    with pytest.raises(ConfigurationError, match=r"--dataset other: .*Accepted: some"):
        read(asked=asked, dataset="other")


# What is to be predicted


def test_fasta_is_streamed_in_blocks(files, monkeypatch):
    monkeypatch.setattr("primase.apps.sequences.reading.STREAM_BLOCK", 2)
    blocks = stream(files("x.fa", "".join(f">r{number}\nACGU\n" for number in range(5))))
    assert [len(block) for block in blocks] == [2, 2, 1]
    assert [name for block in blocks for name in block.ids] == [f"r{number}" for number in range(5)]
    assert all((block.targets == -1).all() for block in blocks)


def test_intervals_are_streamed_and_resized(files, tmp_path, monkeypatch):
    monkeypatch.setattr("primase.apps.sequences.reading.STREAM_BLOCK", 2)
    bed = files("x.bed", "chr1\t10\t20\tn\nchr1\t40\t44\tn\nchr2\t10\t20\tn\n")
    first, second = stream(bed, 8, genome=tmp_path / "genome.fa")
    assert texts(first) == [GENOME["chr1"][11:19], GENOME["chr1"][38:46]]
    assert texts(second) == [GENOME["chr2"][11:19]]
    assert [*first.ids, *second.ids] == ["chr1:10-20(.)", "chr1:40-44(.)", "chr2:10-20(.)"]


def test_a_table_of_intervals_is_resized(files, tmp_path):
    table = files("t.csv", "id,chromosome,start,end\na,chr1,10,20\n")
    (block,) = stream(table, 8, genome=tmp_path / "genome.fa")
    assert texts(block) == [GENOME["chr1"][11:19]]


def test_borders_are_hidden_as_in_training(files):
    (block,) = stream(files("x.fa", ">a\nacgtACGT\n"), mask_borders=1)
    assert texts(block) == ["ACGNNCGT"]


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("x.bed", "chr1\t1\t2\n", "intervals"),
        ("x.narrowPeak.gz", "chr1\t1\t2\n", "intervals"),
        ("x.txt", "chr1\t1\t2\n", "intervals"),
        ("x", "# made by us\ntrack name=y\nchr1 1 2\n", "intervals"),
        ("x.csv", "id,sequence\na,ACGT\n", "table"),
        ("x.tsv.gz", "id\tsequence\na\tACGT\n", "table"),
        ("x.txt", ">a\nACGT\n", "fasta"),
        ("x.fa", ">a\nACGT\n", "fasta"),
        ("x", "\n>a 1 2\nACGT\n", "fasta"),
    ],
)
def test_kinds_of_files(files, name, text, kind):
    path = files(name, text)
    found = "intervals" if holds_intervals(path) else "table" if holds_table(path) else "fasta"
    assert found == kind
    assert not (holds_intervals(path) and holds_table(path))


def test_the_content_decides_about_a_text_file(files):
    (block,) = stream(files("x.txt", ">a\nACGU\n"))
    assert texts(block) == ["ACGT"]
    with pytest.raises(ReadError, match=r"x\.tsv"):
        stream(files("x.tsv", "id\tsequence\n"))
