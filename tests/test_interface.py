"""The five lines of Python."""

import subprocess
import sys

import polars as pl
import pytest

import primase

ENZYMES = "enzyme-identification"


def test_the_public_names_are_there():
    assert set(primase.__all__) <= set(dir(primase))
    assert all(getattr(primase, name) is not None for name in primase.__all__)
    assert primase.__version__
    with pytest.raises(AttributeError, match="nonsense"):
        _ = primase.nonsense


def test_five_lines(rehearse, tmp_path):
    data = rehearse(ENZYMES)
    run = primase.train(
        ENZYMES,
        positives=data.folder / "positives.fa",
        negatives=str(data.folder / "negatives.fa"),
        profiles=data.folder / "profiles.hmm",
        epochs=2,
        members=1,
        out=str(tmp_path / "model"),
    )
    auroc = run.test["auroc"]
    assert auroc.low <= auroc.value <= auroc.high
    assert run.path == tmp_path / "model"
    from_run = run.model.predict(data.folder / "positives.fa")
    from_disk = primase.load(str(tmp_path / "model")).predict(str(data.folder / "positives.fa"))
    assert isinstance(from_run, pl.DataFrame)
    assert from_run.equals(from_disk)


def test_relative_paths_stay_right_elsewhere(rehearse, tmp_path, monkeypatch):
    monkeypatch.chdir(rehearse(ENZYMES).folder)
    settings = {"positives": "positives.fa", "negatives": "negatives.fa", "profiles": "profiles.hmm"}
    primase.train(ENZYMES, **settings, epochs=1, members=1, out=tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    again = primase.train(ENZYMES, config="model/config.toml", out="again")
    tables = [pl.read_parquet(tmp_path / name / "predictions.parquet") for name in ("model", "again")]
    assert tables[0].equals(tables[1])
    assert again.path.exists()


def test_the_configuration_of_a_run_gives_its_figures_again(train_once, tmp_path):
    run = train_once(ENZYMES)
    again = primase.train(ENZYMES, config=run.path / "config.toml", out=tmp_path / "again")
    assert again.metrics["test"] == run.metrics["test"]


def test_settings_that_do_not_exist_are_named(tmp_path):
    with pytest.raises(primase.InputError, match=r"epoch: there is no such setting.*epochs"):
        primase.train(ENZYMES, epoch=3, out=tmp_path / "model")


def test_an_application_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(primase.InputError, match=r"horoscopes.*enzyme-identification"):
        primase.train("horoscopes", out=tmp_path / "model")


def test_a_folder_that_is_no_bundle_is_named(tmp_path):
    with pytest.raises(primase.InputError, match="absent"):
        primase.load(tmp_path / "absent")


def test_evaluation_on_data_seen_in_training_says_so(rehearse, train_once, tmp_path):
    data, run, heard = rehearse(ENZYMES), train_once(ENZYMES), []
    pair = {name: data.folder / f"{name}.fa" for name in ("positives", "negatives")}
    evaluation = run.model.evaluate(tmp_path / "judged", **pair, listener=heard.append)
    assert evaluation.test["auroc"].value > 0.9
    assert "seen in training" in evaluation.subsets
    assert any("trained or chosen on" in event.text for event in heard if hasattr(event, "text"))
    names = {path.name for path in (tmp_path / "judged").iterdir()}
    assert names == {"metrics.json", "predictions.parquet", "report.html"}


def test_importing_is_quick_to_say_and_loads_no_torch():
    program = "import sys, primase; dir(primase); sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode == 0
