"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import click

from primase.apps.contract import Application
from primase.apps.discovery import applications
from primase.cli.main import primase as command_line
from primase.configuration import Option, options


def command_line_page() -> str:
    """Describe every command and option."""
    lines = [
        "# Command line",
        "",
        "Written from the commands themselves; `primase COMMAND --help` says the same.",
        "",
        "Exit status",
        ": 0 done; 2 the input is wrong (one message says what, where, what was found and what is accepted);",
        "  130 or 143 interrupted, and resumable; 1 a fault of primase.",
        "",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        for words, command in all_commands(Path(scratch)):
            lines += _command_section(words, command)
    return "\n".join(lines)


def all_commands(scratch: Path) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with the words that reach it; commands on a bundle once per application."""
    root = click.Context(command_line, info_name="primase")
    for name in command_line.list_commands(root):
        command = command_line.get_command(root, name)
        assert command is not None
        yield f"primase {name}", command
        if not isinstance(command, click.Group):
            continue
        context = click.Context(command, parent=root, info_name=name)
        for inner in command.list_commands(context) or ():
            found = command.get_command(context, inner)
            assert found is not None
            yield f"primase {name} {inner}", found
        if command.list_commands(context):
            continue
        for application in applications().values():
            if name not in application.verbs and not command.any_application:
                continue
            found = command.get_command(context, str(_stand_in_bundle(scratch, application)))
            assert found is not None
            yield f"primase {name} DIR ({application.name})", found


def _stand_in_bundle(scratch: Path, application: Application) -> Path:
    """Write as much of a bundle as tells which application made it."""
    folder = scratch / application.name
    folder.mkdir(exist_ok=True)
    facts = {"schema": 1, "application": application.name}
    (folder / "bundle.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


def _command_section(words: str, command: click.Command) -> Iterable[str]:
    depth = "##" if words.count(" ") == 1 else "###"
    context = click.Context(command, info_name=words)
    usage = " ".join([words.partition(" (")[0], *command.collect_usage_pieces(context)])
    text = " ".join((command.help or "").split())
    yield from (f"{depth} {words}", "", text, "", "```text", usage, "```", "")
    sections = _sections(words)
    for title, parameters in _by_section(command, sections).items():
        if title:
            yield from (f"**`[{title}]`**", "")
        for parameter in parameters:
            yield from _option_entry(parameter, context)


def _sections(words: str) -> Mapping[str, Option]:
    """Find the settings of the application that a command is about, to show its options by section."""
    name = words.rpartition(" ")[2]
    return options(applications()[name].configuration) if name in applications() else {}


def _by_section(command: click.Command, known: Mapping[str, Option]) -> dict[str, list[click.Option]]:
    found: dict[str, list[click.Option]] = {"": []}
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            setting = known.get(str(parameter.name))
            found.setdefault((setting.section if setting else None) or "", []).append(parameter)
    return found


def _option_entry(option: click.Option, context: click.Context) -> Iterable[str]:
    record = option.get_help_record(context)
    assert record is not None
    flags, text = record
    yield from (f"`{flags}`", f": {' '.join(text.split()) or '-'}", "")
