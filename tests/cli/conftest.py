"""What tests of bad input share: exit status 2, one message, and nothing left behind."""

import tempfile

import pytest


def everything_below(folder):
    return {path.relative_to(folder): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def refuses(command_line, work, tmp_path, monkeypatch, cache):
    """Run the command line in the folder ``work`` of the test, which must refuse, and return its message."""
    monkeypatch.chdir(work)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    def refused(*words):
        before = everything_below(work)
        outcome = command_line(*words)
        assert outcome.status == 2, outcome
        assert outcome.output == ""
        assert "Traceback" not in outcome.error
        messages = [line for line in outcome.error.splitlines() if line.startswith(("primase: ", "Error: "))]
        assert len(messages) == 1, outcome.error
        assert everything_below(work) == before
        assert [path for path in temporary.iterdir() if not path.name.startswith("torchinductor")] == []
        assert [path for path in cache.rglob("*") if path.suffix in {".part", ".partial"}] == []
        return outcome.error

    return refused
