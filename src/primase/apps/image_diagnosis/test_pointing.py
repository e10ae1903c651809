"""The pointing game: the brightest place of a map lies in the opacity that was planted."""

import importlib

import numpy as np
import pytest

from primase.apps.image_diagnosis.app import APP
from primase.apps.image_diagnosis.explaining import heatmaps
from primase.apps.image_diagnosis.radiographs import SIDE
from primase.apps.image_diagnosis.simulator import FOLDER, simulate
from primase.apps.images.pictures import Pictures
from primase.data.weight_sources import fetch_weights
from primase.errors import SourceError
from primase.insight.pointing import Box, points_at

primase = importlib.import_module("primase")  # the rooms above are not imported from here


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    try:
        fetch_weights("efficientnet-lite0")
    except SourceError:
        pytest.skip("needs the weights of EfficientNet-Lite0, a package of the test group")
    folder = tmp_path_factory.mktemp("radiographs")
    simulate(folder, 1200, 0)
    return primase.train(APP.name, images=folder / FOLDER, out=folder / "model").model.predictor


@pytest.mark.slow
# Grad-CAM is coarse, and right less often: the default is the other.
@pytest.mark.parametrize(("method", "least"), [("integrated-gradients", 0.9), ("grad-cam", 0.7)])
def test_the_map_points_at_the_opacity(predictor, tmp_path, method, least):
    new = simulate(tmp_path, 80, 1)
    pictures = Pictures.of_files([tmp_path / FOLDER / item["id"] for item in new.planted])
    boxes = [[Box.of_pixels(item["box"], height=SIDE, width=SIDE)] for item in new.planted]
    called = predictor.answers(pictures).argmax(axis=1) == 1
    assert called.mean() > 0.8
    clear = Pictures.of_files(sorted((tmp_path / FOLDER / "clear").glob("*.png")))
    asked = np.ones(len(pictures), dtype=np.int64)
    found = heatmaps(predictor, pictures, asked, method=method, others=clear, check=False)
    assert found.alone == 0
    assert np.mean([box.area for (box,) in boxes]) < 0.15
    assert points_at(found.heat, boxes)[called].mean() >= least
