import json

import numpy as np

from primase.data.tasks import Task
from primase.evaluation.calibration import TemperatureScaling
from primase.evaluation.evaluation import CalibrationFigures, Evaluation
from primase.evaluation.intervals import Interval
from primase.evaluation.metrics import evaluate


def test_state_has_the_shape_of_the_metrics_file() -> None:
    task = Task("binary", ("no", "yes"))
    targets = np.arange(30) % 2
    after = evaluate(task, targets, np.eye(2)[targets] * 0.8 + 0.1, resamples=20)
    before = evaluate(task, targets, np.eye(2)[targets], resamples=20)
    one_label = evaluate(task, np.ones(30, dtype=int), np.full((30, 2), 0.5), resamples=20)
    evaluation = Evaluation(
        task=task,
        test=after,
        calibration=CalibrationFigures.of(task, TemperatureScaling(1.5), before, after),
        subsets={"without a twin": one_label},
        baselines={"majority class": before},
        probes={"length": before},
    )
    state = json.loads(json.dumps(evaluation.to_state(), allow_nan=False))
    assert list(state) == ["test", "subsets", "baselines", "probes", "calibration"]
    assert Interval.from_state(state["test"]["auroc"]) == evaluation.main
    assert state["subsets"]["without a twin"]["auroc"] == {"value": None, "low": None, "high": None}
    assert state["baselines"]["majority class"]["accuracy"]["value"] == 1.0
    assert set(state["probes"]["length"]) == set(state["test"])
    assert state["calibration"] == {
        "method": "temperature",
        "ece_before": before["ece"].value,
        "ece_after": after["ece"].value,
    }
