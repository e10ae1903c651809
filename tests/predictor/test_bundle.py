import json

import numpy as np
import pytest
import torch

from primase.data.encoding import EncoderState
from primase.errors import BundleError
from primase.predictor.bundle import SCHEMA, Bundle, read_bundle, read_facts, write_bundle


def bundle_of(members=2, arrays=None):
    torch.manual_seed(0)
    return Bundle(
        application="enzyme-identification",
        task={"kind": "binary", "labels": ["non-enzyme", "enzyme"]},
        configuration={"seed": 3, "data": {"table": None}},
        encoder=EncoderState({"vocabulary": ["Pkinase", "ß"]}, arrays or {}),
        calibration={"method": "none"},
        members=[{"a": torch.randn(3, 2), "n": torch.tensor(number)} for number in range(members)],
        provenance={"versions": {"torch": "x"}, "seed": 3},
    )


@pytest.mark.parametrize("members", [1, 2, 12])
@pytest.mark.parametrize("arrays", [{}, {"mean": np.arange(6.0).reshape(2, 3), "counts": np.array([1, 2])}])
def test_a_bundle_comes_back_as_it_was(tmp_path, members, arrays):
    written = bundle_of(members, arrays)
    write_bundle(tmp_path, written)
    read = read_bundle(tmp_path)
    for name in ("application", "task", "configuration", "calibration", "provenance"):
        assert getattr(read, name) == getattr(written, name), name
    assert read.encoder.facts == written.encoder.facts
    assert read.encoder.arrays.keys() == arrays.keys()
    assert all(np.array_equal(read.encoder.arrays[name], array) for name, array in arrays.items())
    assert [int(member["n"]) for member in read.members] == list(range(members))
    for before, after in zip(written.members, read.members, strict=True):
        assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_files_are_json_and_safetensors(tmp_path):
    write_bundle(tmp_path, bundle_of(arrays={"mean": np.zeros(2)}))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"bundle.json", "encoder.safetensors", "member-1.safetensors", "member-2.safetensors"}
    assert json.loads((tmp_path / "bundle.json").read_text(encoding="utf-8"))["schema"] == 1


def test_a_bundle_can_be_read_by_whoever_may_read_the_folder(tmp_path):
    write_bundle(tmp_path, bundle_of(arrays={"mean": np.zeros(2)}))
    (tmp_path / "ordinary").touch()
    modes = {path.name: path.stat().st_mode for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(modes, modes["ordinary"])


def changed(folder, **changes):
    facts = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    (folder / "bundle.json").write_text(json.dumps({**facts, **changes}), encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    write_bundle(tmp_path, bundle_of(arrays={"mean": np.zeros(2)}))
    return tmp_path


@pytest.mark.parametrize("name", ["member-1.safetensors", "member-2.safetensors", "encoder.safetensors"])
@pytest.mark.parametrize("position", [0, 20, -1])
def test_every_altered_byte_is_noticed(folder, name, position):
    content = bytearray((folder / name).read_bytes())
    content[position] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(BundleError, match=f"{name}: a file of the bundle is not the one that was written"):
        read_bundle(folder)


@pytest.mark.parametrize("name", ["member-1.safetensors", "encoder.safetensors"])
def test_a_cut_or_missing_file_is_noticed(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-4])
    with pytest.raises(BundleError, match=name):
        read_bundle(folder)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: a file of the bundle is missing"):
        read_bundle(folder)


def test_a_file_that_is_not_listed_is_not_read(folder):
    (folder / "member-3.safetensors").write_bytes((folder / "member-1.safetensors").read_bytes())
    assert len(read_bundle(folder).members) == 2


def test_a_name_that_leads_out_of_the_folder_is_refused(folder):
    facts = read_facts(folder)
    changed(folder, files={**facts["files"], "../secret": "0" * 64})
    with pytest.raises(BundleError, match="outside its folder"):
        read_bundle(folder)


def test_a_newer_schema_is_refused(folder):
    changed(folder, schema=SCHEMA + 1)
    for read in (read_bundle, read_facts):
        with pytest.raises(BundleError, match=f"newer version.*Found: schema {SCHEMA + 1}"):
            read(folder)


@pytest.mark.parametrize("name", ["application", "task", "encoder", "files", "calibration", "configuration"])
def test_a_description_that_lacks_something_is_refused(folder, name):
    facts = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    del facts[name]
    (folder / "bundle.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(BundleError, match=name):
        read_bundle(folder)


@pytest.mark.parametrize("text", ["", "[]", "3", '{"schema": null}', "\xff"])
def test_a_description_that_is_none_is_refused(folder, text):
    (folder / "bundle.json").write_text(text, encoding="latin-1")
    with pytest.raises(BundleError, match=r"bundle\.json: the bundle's description cannot be read"):
        read_bundle(folder)


def test_what_is_no_bundle_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="absent: there is no such folder"):
        read_facts(tmp_path / "absent")
    with pytest.raises(BundleError, match="file: this is not a folder"):
        read_facts(tmp_path / "file")
    with pytest.raises(BundleError, match="this folder holds no trained model"):
        read_facts(tmp_path)
