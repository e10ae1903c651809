"""A ninth application is one new folder and touches nothing else; a third party's is one entry point."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

import primase

NINTH = Path(__file__).parent / "ninth"

DRIVER = """
import json, sys
from primase.cli.main import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["primase", *words]
    try:
        main()
    except SystemExit as done:
        if done.code:
            sys.exit(f"{words} exited with {done.code}")
"""


@pytest.fixture
def house(tmp_path):
    """Copy the package, and put the ninth application's folder in."""
    house = tmp_path / "house"
    ignored = shutil.ignore_patterns("__pycache__", "test_*")
    shutil.copytree(Path(primase.__file__).parent, house / "primase", ignore=ignored)
    shutil.copytree(NINTH, house / "primase" / "apps" / "heat_tolerance", ignore=ignored)
    return house


@pytest.fixture
def third_party(tmp_path):
    """Lay out a package of somebody else's, as an installer would."""
    site = tmp_path / "site"
    shutil.copytree(NINTH, site / "somebodys_heat", ignore=shutil.ignore_patterns("__pycache__"))
    metadata = site / "somebodys_heat-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys-heat\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[primase.apps]\nheat = somebodys_heat.app:APP\n")
    return site


def primase_in(start, path, *commands):
    process = start("-W", "error::ResourceWarning", "-c", DRIVER, json.dumps(commands), PYTHONPATH=str(path))
    output, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    return output


def test_the_ninth_application_is_one_folder(house, start, tmp_path):
    simulated, model = tmp_path / "simulated", tmp_path / "model"
    pair = ["--positives", str(simulated / "positives.fa"), "--negatives", str(simulated / "negatives.fa")]
    quick = ["--epochs", "10", "--batch-size", "32", "--learning-rate", "0.01", "--width", "8"]
    output = primase_in(
        start,
        house,
        ["apps"],
        ["data", "simulate", "heat-tolerance", "--out", str(simulated), "--count", "200"],
        ["audit", "heat-tolerance", *pair],
        ["train", "heat-tolerance", *pair, *quick, "--out", str(model)],
        ["predict", str(model), str(simulated / "positives.fa"), "--out", str(tmp_path / "answers.csv")],
        ["explain", str(model), str(simulated / "positives.fa"), "--out", str(tmp_path / "why")],
        ["evaluate", str(model), *pair, "--out", str(tmp_path / "again")],
    )
    assert "heat-tolerance\tDoes this protein stand the heat?" in output
    assert {"bundle.json", "encoder.safetensors", "report.html", "card.md"} <= {path.name for path in model.iterdir()}
    metrics = json.loads((model / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["application"] == "heat-tolerance"
    assert metrics["test"]["auroc"]["value"] > 0.8
    answers = pl.read_csv(tmp_path / "answers.csv")
    assert len(answers) == 100
    assert (answers["prediction"] == "hardy").mean() > 0.8
    effects = pl.read_parquet(tmp_path / "why" / "attributions.parquet").group_by("feature").agg(pl.col("value").mean())
    assert effects.sort("value")["feature"].last() == "E"
    seen = json.loads((tmp_path / "again" / "metrics.json").read_text(encoding="utf-8"))
    assert any(finding["finding"] == "seen in training" and finding["count"] > 0 for finding in seen["audit"])


def test_without_its_folder_there_is_no_ninth_application(start, house):
    shutil.rmtree(house / "primase" / "apps" / "heat_tolerance")
    output = primase_in(start, house, ["apps"])
    assert "heat-tolerance" not in output
    assert "enzyme-identification" in output


def test_an_application_of_a_third_party_is_found_by_its_entry_point(third_party, start):
    output = primase_in(start, third_party, ["apps"], ["train", "heat-tolerance", "--help"])
    assert "heat-tolerance\tDoes this protein stand the heat?" in output
    assert "enzyme-identification" in output
    assert "--width" in output


def test_two_applications_of_one_name_are_refused(house, third_party, start):
    process = start("-c", DRIVER, '[["apps"]]', PYTHONPATH=f"{house}:{third_party}")
    _, error = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "two applications are called heat-tolerance" in error


def test_an_unfinished_folder_is_not_an_application(house, start):
    folder = house / "primase" / "apps" / "unfinished"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Nothing yet."""\n')
    assert "unfinished" not in primase_in(start, house, ["apps"])
