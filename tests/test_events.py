import pytest

from primase.events import StageFinished, Stages, StageStarted, silent


def test_stages_are_told_and_timed():
    heard = []
    stages = Stages(heard.append)
    with stages("read"), stages("search domains"):
        pass
    assert list(stages.seconds) == ["search domains", "read"]
    assert heard[:2] == [StageStarted("read"), StageStarted("search domains")]
    assert heard[2:] == [StageFinished(name, seconds) for name, seconds in stages.seconds.items()]
    assert stages.seconds["read"] >= stages.seconds["search domains"] >= 0


def test_a_stage_that_fails_is_not_finished():
    heard = []
    stages = Stages(heard.append)
    with pytest.raises(ZeroDivisionError), stages("read"):
        _ = 1 / 0
    assert heard == [StageStarted("read")]
    assert stages.seconds == {}


def test_silence():
    assert silent(StageStarted("read")) is None
