"""What a run is about, in the words of the user."""

from __future__ import annotations

import shlex
from pathlib import Path

from primase.apps.card import read_card
from primase.apps.contract import Application, Configuration
from primase.configuration import options, settings_of
from primase.data.words import INPUT_WORDS
from primase.report.run import Subject


def subject_of(application: Application, configuration: Configuration, out: Path) -> Subject:
    """Say in words what a run is about, and by which command it can be done again."""
    return Subject(
        application=application.name,
        question=application.question,
        architecture=application.architecture,
        paper_section=application.section,
        dataset=_dataset(configuration),
        command=f"primase train {application.name} {_words(configuration)} --out {shlex.quote(out.name)}",
        card=read_card(application.folder),
    )


def _dataset(configuration: Configuration) -> str:
    """Name the input as the user did."""
    values = [
        value for name, value in settings_of(configuration.data).items() if name in INPUT_WORDS and value is not None
    ]
    return ", ".join(value.name if isinstance(value, Path) else str(value) for value in values)


def _words(configuration: Configuration) -> str:
    """Write the settings that are not the defaults as options of the command line."""
    defaults, words = settings_of(type(configuration)()), []
    for name, value in settings_of(configuration).items():
        if value == defaults[name]:
            continue
        flag = options(type(configuration))[name].flag
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words.append(f"{flag} {shlex.quote(text)}")
    return " ".join(words)
