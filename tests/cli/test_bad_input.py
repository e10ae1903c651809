"""Bad input: exit status 2, one message that names what is wrong and where, and nothing left behind."""

import gzip
import hashlib
import json
import pickle
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from primase.apps.enzyme_identification import data as enzyme_data
from primase.cli import catalogue
from primase.data.fetch import cached_path
from primase.data.sources import Source, SourceFile, Url

ENZYMES = "enzyme-identification"


@pytest.fixture
def work(tmp_path, rehearse):
    """Lay out a user's folder with good files in it."""
    folder = tmp_path / "work"
    folder.mkdir()
    for name in ("positives.fa", "negatives.fa", "profiles.hmm", "domains.tsv"):
        shutil.copy(rehearse(ENZYMES).folder / name, folder)
    return folder


def pair(positives="positives.fa", negatives="negatives.fa"):
    return ["--positives", positives, "--negatives", negatives, "--profiles", "profiles.hmm"]


def train(*words, out="model"):
    return ["train", ENZYMES, *words, "--epochs", "1", "--out", out]


def test_a_missing_file(refuses):
    message = refuses(*train(*pair(positives="absent.fa")))
    assert "absent.fa: the file does not exist" in message


def test_a_folder_in_place_of_a_file(refuses, work):
    (work / "proteins").mkdir()
    assert "proteins: this is a folder" in refuses(*train(*pair(positives="proteins")))


def test_an_empty_fasta(refuses, work):
    (work / "empty.fa").write_text("")
    message = refuses(*train(*pair(negatives="empty.fa")))
    assert "empty.fa" in message
    assert "empty" in message.replace("empty.fa", "")


def test_a_fasta_of_dna(refuses, work):
    lines = [f">gene_{number}\n{'ACGTTGCAAC' * 30}\n" for number in range(30)]
    (work / "genes.fa").write_text("".join(lines))
    message = refuses(*train(*pair(positives="genes.fa")))
    assert "genes.fa" in message
    assert "DNA" in message or "nucleotide" in message


def test_a_letter_that_is_no_residue(refuses, work):
    (work / "odd.fa").write_text(">good\nMKLV\n>bad\nMK1V\n")
    message = refuses(*train(*pair(positives="odd.fa")))
    assert all(word in message for word in ("odd.fa", "bad", "1"))


def test_a_table_without_the_target_column(refuses):
    message = refuses(*train("--table", "domains.tsv", "--target-column", "is_enzyme"))
    assert all(word in message for word in ("domains.tsv", "'is_enzyme'", "id, domains, target", "--target-column"))


def test_a_table_with_a_ragged_row(refuses, work):
    text = (work / "domains.tsv").read_text().splitlines()
    text[7] += "\tsurplus"
    (work / "ragged.tsv").write_text("\n".join(text))
    assert "ragged.tsv, line 8" in refuses(*train("--table", "ragged.tsv"))


def test_one_class_only(refuses, work):
    lines = (work / "domains.tsv").read_text().splitlines()
    (work / "one.tsv").write_text("\n".join([lines[0], *(line for line in lines if line.endswith("\tenzyme"))]))
    message = refuses(*train("--table", "one.tsv"))
    assert all(word in message for word in ("one.tsv", "one class only", "enzyme", "two different answers"))


def test_the_same_id_in_both_classes(refuses, work):
    first = (work / "positives.fa").read_text().split(">")[1]
    with (work / "negatives.fa").open("a") as file:
        file.write(f">{first}")
    message = refuses(*train(*pair()))
    assert all(word in message for word in (first.split()[0], "two different answers", "'enzyme'", "'non-enzyme'"))


def test_a_truncated_gzip(refuses, work):
    whole = gzip.compress((work / "positives.fa").read_bytes())
    (work / "cut.fa.gz").write_bytes(whole[: len(whole) // 2])
    message = refuses(*train(*pair(positives="cut.fa.gz")))
    assert "cut.fa.gz" in message
    assert "cut off" in message


def test_an_output_folder_that_is_not_empty(refuses, work):
    (work / "thesis").mkdir()
    (work / "thesis" / "chapter-1.txt").write_text("precious")
    message = refuses(*train(*pair(), out="thesis"))
    assert all(word in message for word in ("thesis", "not empty", "chapter-1.txt"))


def test_an_output_folder_that_is_a_file(refuses):
    assert "positives.fa" in refuses(*train(*pair(), out="positives.fa"))


def test_too_few_examples_to_split(refuses, work):
    for name in ("positives", "negatives"):
        records = (work / f"{name}.fa").read_text().split(">")[1:3]
        (work / f"few-{name}.fa").write_text("".join(f">{record}" for record in records))
    message = refuses(*train(*pair("few-positives.fa", "few-negatives.fa")))
    assert "leaves no" in message


def test_positives_without_negatives(refuses):
    message = refuses(*train("--positives", "positives.fa"))
    assert "--positives needs --negatives" in message


def test_two_inputs_at_once(refuses):
    message = refuses(*train(*pair(), "--table", "domains.tsv"))
    assert "--table" in message
    assert "--positives" in message


def test_no_input(refuses):
    assert "--positives" in refuses(*train())


def test_profiles_that_are_none(refuses):
    message = refuses(*train("--positives", "positives.fa", "--negatives", "negatives.fa", "--profiles", "domains.tsv"))
    assert "domains.tsv" in message


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--epochs", "0"], "--epochs"),
        (["--epochs", "many"], "--epochs"),
        (["--split", "chromosome"], "--split"),
        (["--hidden", "wide"], "--hidden"),
        (["--dropout", "1.5"], "--dropout"),
        (["--test-fraction", "0"], "--test-fraction"),
        (["--nonsense", "1"], "--nonsense"),
        (["--dataset", "unheard-of"], "unheard-of"),
    ],
    ids=" ".join,
)
def test_an_option_that_is_not_accepted(refuses, words, named):
    given = [] if "--dataset" in words else pair()
    assert named in refuses("train", ENZYMES, *given, "--out", "model", *words)


def test_an_application_that_does_not_exist(refuses):
    message = refuses("train", "enzyme-identificatoin", *pair(), "--out", "model")
    assert "enzyme-identificatoin" in message
    assert "enzyme-identification" in message


def test_a_command_that_does_not_exist(refuses):
    assert "trian" in refuses("trian")


def test_a_configuration_with_an_unknown_key(refuses, work):
    (work / "config.toml").write_text("[training]\nepoch = 3\n")
    message = refuses("train", ENZYMES, *pair(), "--config", "config.toml", "--out", "model")
    assert "epoch" in message
    assert "epochs" in message


def test_a_configuration_with_an_unknown_section(refuses, work):
    (work / "config.toml").write_text("[trainings]\nepochs = 3\n")
    assert "trainings" in refuses("train", ENZYMES, *pair(), "--config", "config.toml", "--out", "model")


@pytest.mark.parametrize("content", ["training = 5\n", "data = [1]\n", "[data]\npositives = 3\n"])
def test_a_configuration_with_something_else_in_the_place_of_a_section(refuses, work, content):
    (work / "config.toml").write_text(content)
    refuses("train", ENZYMES, "--config", "config.toml", "--out", "model")


def test_a_configuration_that_is_not_toml(refuses, work):
    (work / "config.toml").write_text("[training\nepochs: 3\n")
    assert "config.toml: the configuration file is not TOML" in refuses(
        "train", ENZYMES, *pair(), "--config", "config.toml", "--out", "model"
    )


def test_a_configuration_that_is_missing(refuses):
    assert "absent.toml" in refuses("train", ENZYMES, *pair(), "--config", "absent.toml", "--out", "model")


# Data sets


@pytest.fixture
def published(monkeypatch):
    """Register a data set that this machine serves; what it serves can be changed."""
    content = {"now": b"the right content" * 1000}
    right = content["now"]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content["now"])))
            self.end_headers()
            self.wfile.write(content["now"])

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/set.bin"
        file = SourceFile("set.bin", hashlib.sha256(right).hexdigest(), len(right), (Url(address),))
        source = Source("some-set", "a set", "A set.", ENZYMES, "CC0-1.0", "Nobody (2020)", (file,))
        monkeypatch.setattr(catalogue, "source_named", lambda _: source)
        monkeypatch.delenv("PRIMASE_MIRROR", raising=False)
        yield content, file
        server.shutdown()


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRIMASE_CACHE", str(tmp_path / "own cache"))
    return tmp_path / "own cache"


def test_a_corrupted_download(refuses, published, own_cache):
    content, file = published
    content["now"] = content["now"].replace(b"right", b"wrong")
    message = refuses("data", "fetch", "some-set")
    assert all(word in message for word in ("set.bin", "sha256", file.sha256))
    assert not cached_path(file).exists()
    assert list(own_cache.rglob("*.part*")) == []


def test_an_altered_cached_file_is_fetched_again(command_line, published, own_cache):
    content, file = published
    cached_path(file).parent.mkdir(parents=True)
    cached_path(file).write_bytes(content["now"].replace(b"right", b"wrong"))
    outcome = command_line("data", "fetch", "some-set")
    assert outcome.status == 0, outcome
    assert outcome.output.strip() == str(cached_path(file))
    assert cached_path(file).read_bytes() == content["now"]


def test_a_corrupted_file_in_the_mirror_is_not_used(command_line, published, own_cache, tmp_path, monkeypatch):
    content, file = published
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "set.bin").write_bytes(content["now"].replace(b"right", b"wrong"))
    monkeypatch.setenv("PRIMASE_MIRROR", str(tmp_path / "mirror"))
    outcome = command_line("data", "fetch", "some-set")
    assert outcome.status == 0, outcome
    assert cached_path(file).read_bytes() == content["now"]


def test_a_data_set_that_does_not_exist(refuses):
    message = refuses("data", "fetch", "unheard-of")
    assert "unheard-of" in message
    assert "yeast-proteome" in message


class Malicious:
    def __reduce__(self):
        return (Path("pwned").touch, ())


def test_a_pickle_with_a_forbidden_global(refuses, work, monkeypatch):
    (work / "families.pickle").write_bytes(pickle.dumps([Malicious()]))
    files = {file.name: work / "families.pickle" for file in enzyme_data.ENZYME_PFAM.files}
    monkeypatch.setattr(enzyme_data, "fetch", lambda *_, **__: files)
    message = refuses(*train("--dataset", "enzyme-pfam"))
    assert "families.pickle" in message
    assert not (work / "pwned").exists()


# Bundles


@pytest.fixture
def bundle(work, train_once):
    shutil.copytree(train_once(ENZYMES).path, work / "model")
    return work / "model"


def predict(out="answers.csv", inputs="positives.fa"):
    return ["predict", "model", inputs, "--out", out]


def test_a_good_bundle_predicts(command_line, bundle, monkeypatch):
    monkeypatch.chdir(bundle.parent)
    assert command_line(*predict()).status == 0
    assert (bundle.parent / "answers.csv").exists()


def test_a_bundle_of_a_newer_schema(refuses, bundle):
    facts = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps({**facts, "schema": 999}))
    message = refuses(*predict())
    assert all(word in message for word in ("bundle.json", "newer version", "schema 999", "Install a newer primase"))


@pytest.mark.parametrize("verb", ["predict", "explain", "evaluate"])
def test_a_bundle_with_a_tampered_weight_file(refuses, bundle, verb):
    path = bundle / "member-1.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    inputs = pair() if verb == "evaluate" else ["positives.fa"]
    message = refuses(verb, "model", *inputs, "--out", "answers.csv" if verb == "predict" else "answers")
    assert all(word in message for word in ("member-1.safetensors", "sha256"))


def test_a_bundle_without_its_weights(refuses, bundle):
    (bundle / "member-1.safetensors").unlink()
    assert "member-1.safetensors" in refuses(*predict())


def test_a_bundle_of_an_unknown_application(refuses, bundle):
    facts = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps({**facts, "application": "horoscopes"}))
    assert "horoscopes" in refuses(*predict())


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"schema": "one"}', '{"schema": 1}', "null"])
def test_a_bundle_whose_description_is_broken(refuses, bundle, content):
    (bundle / "bundle.json").write_text(content)
    refuses(*predict())


@pytest.mark.parametrize("name", ["task", "configuration", "encoder", "calibration", "files", "application"])
def test_a_bundle_whose_description_lacks_something(refuses, bundle, name):
    facts = json.loads((bundle / "bundle.json").read_text())
    del facts[name]
    (bundle / "bundle.json").write_text(json.dumps(facts))
    refuses(*predict())


@pytest.mark.parametrize("verb", ["predict", "explain", "evaluate"])
@pytest.mark.parametrize("folder", ["absent", "positives.fa", "."])
def test_a_folder_that_is_no_bundle(refuses, verb, folder):
    assert Path(folder).name in refuses(verb, folder, "positives.fa", "--out", "answers.csv")


@pytest.mark.parametrize("name", ["answers.xlsx", "answers", "answers.csv.gz"])
def test_an_unknown_ending(refuses, bundle, name):
    message = refuses(*predict(out=name))
    assert name in message
    assert ".parquet, .csv, .tsv" in message


def test_an_output_file_that_is_there_already(refuses, bundle, work):
    (work / "answers.csv").write_text("precious")
    assert "answers.csv" in refuses(*predict())


def test_an_output_file_in_a_folder_that_is_not_there(refuses, bundle):
    assert "absent" in refuses(*predict(out="absent/answers.csv"))


def test_nothing_is_left_of_a_prediction_that_fails_late(refuses, bundle, work):
    whole = gzip.compress((work / "positives.fa").read_bytes(), mtime=0)
    (work / "cut.fa.gz").write_bytes(whole[: len(whole) - 500])
    assert "cut.fa.gz" in refuses(*predict(inputs="cut.fa.gz"))


def test_other_profiles_than_the_model_was_trained_with(refuses, bundle, work):
    text = (work / "profiles.hmm").read_text()
    (work / "other.hmm").write_text(text[: text.index("//\n") + 3])
    message = refuses(*predict(), "--profiles", "other.hmm")
    assert all(word in message for word in ("other.hmm", "other profiles", "profiles.hmm", "--profiles"))


def test_labels_that_the_model_does_not_know(refuses, bundle, work):
    text = (work / "domains.tsv").read_text().replace("\tnon-enzyme", "\tribozyme")
    (work / "labels.tsv").write_text(text)
    message = refuses("evaluate", "model", "--table", "labels.tsv", "--out", "judged")
    assert "ribozyme" in message
    assert "non-enzyme, enzyme" in message


def test_an_occupied_folder_for_an_explanation(refuses, bundle, work):
    (work / "why").mkdir()
    (work / "why" / "notes.txt").write_text("precious")
    assert "notes.txt" in refuses("explain", "model", "positives.fa", "--out", "why")


def test_too_small_a_simulation(refuses):
    assert "--count" in refuses("data", "simulate", ENZYMES, "--out", "simulated", "--count", "1")
