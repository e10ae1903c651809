import io
import re
import sys

import pytest

from primase.cli.display import listening, print_findings, print_table, printed
from primase.events import Epoch, Notice, Progress, StageFinished, StageStarted

EVENTS = [
    StageStarted("read"),
    Progress("read", 3, 10, "records"),
    StageFinished("read", 0.5),
    StageStarted("train"),
    Epoch(1, 5, {"validation_loss": 0.25}),
    Progress("search [domains]", 1, None, "proteins"),
    Notice("a [bold]note[/bold]"),
    Notice("something [odd]", "warning"),
]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Put a terminal in the place of both streams; in the test itself, because pytest captures each phase anew."""

    def opened():
        monkeypatch.setenv("TERM", "xterm")
        streams = Terminal(), Terminal()
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        return streams

    return opened


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def test_a_piped_table_is_tab_separated(capsys):
    print_table(["name", "value"], [["a [b]", 1.5], ["c", None]], title="ignored")
    assert capsys.readouterr().out == "name\tvalue\na [b]\t1.5\nc\tNone\n"


def test_a_table_on_a_terminal_is_aligned(terminal):
    output, _ = terminal()
    print_table(["name", "value"], [["a [b]", 1.5], ["long name", 22]], title="Figures")
    lines = [line.rstrip() for line in plain(output.getvalue()).splitlines()]
    assert lines[0] == "Figures"
    assert lines[2].index("1.5") == lines[3].index("22") == lines[1].index("value")
    assert lines[2].startswith("a [b]")


def test_when_piped_only_warnings_are_said_on_the_error_stream(capsys):
    with listening() as listener:
        for event in EVENTS:
            listener(event)
    assert capsys.readouterr() == ("", "warning: something [odd]\n")


def test_progress_on_a_terminal(terminal):
    output, error = terminal()
    with listening() as listener:
        for event in EVENTS:
            listener(event)
    shown = plain(error.getvalue())
    assert output.getvalue() == ""
    assert "epoch 1 of 5, validation loss 0.2500" in shown
    assert "search [domains]" in shown
    assert "a [bold]note[/bold]" in shown
    assert "something [odd]" in shown


def test_a_stage_that_fails_gives_the_cursor_back(terminal):
    _, error = terminal()

    def fail():
        with listening() as listener:
            listener(StageStarted("read"))
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fail()
    assert error.getvalue().rindex("\x1b[?25h") > error.getvalue().rindex("\x1b[?25l")


def test_findings_with_warnings_first(capsys):
    findings = [
        {"finding": "class balance", "severity": "info", "text": "Even [as it were]."},
        {"finding": "twins", "severity": "warning", "text": "Many. " * 40},
    ]
    print_findings(findings)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("warning  twins: Many.")
    assert lines[1].split() == ["note", "class", "balance:", "Even", "[as", "it", "were]."]


def test_results_are_printed_as_they_are(capsys):
    printed("[red]x[/red]", "y" * 300)
    assert capsys.readouterr().out == "[red]x[/red]\n" + "y" * 300 + "\n"
