"""The map of modules and the reference of each room, from the modules themselves."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from markdown_pieces import table, toctree

import primase

SOURCE: Final = Path(str(primase.__file__)).parent
PROJECT: Final = Path(__file__).resolve().parent.parent / "pyproject.toml"


def layers() -> list[list[str]]:
    """Read the rooms from top to bottom from the import rule; those on one line stand beside each other."""
    contracts = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    lines = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[word.strip(" ()").removeprefix("primase.") for word in line.split("|")] for line in lines]


def public_modules() -> dict[str, Path]:
    """Name every module that can be imported, without tests."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        if path.name.startswith("test_") or path.name == "__main__.py":  # the latter runs when it is imported
            continue
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(("primase", *(part for part in parts if part != "__init__")))] = path
    return found


def rooms() -> dict[str, list[str]]:
    """Group modules by the room that they stand in; a module beside the rooms is a room of its own."""
    found: dict[str, list[str]] = {}
    for name in public_modules():
        room = name.split(".")[1] if "." in name else "primase"
        found.setdefault(room, []).append(name)
    return found


def _first_sentence(path: Path) -> str:
    """Read the first sentence of a module's docstring, without importing it."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return _markdown(" ".join(docstring.split("\n\n")[0].split()))


def _markdown(text: str) -> str:
    """Turn what little reStructuredText a docstring's first paragraph has into Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def map_page() -> str:
    """List every module, room by room, with the first sentence of what it says of itself."""
    modules, known = public_modules(), rooms()
    lines = [
        "# Map of modules",
        "",
        "The rooms from top to bottom. Imports point downwards only, and rooms that stand beside each other never",
        "import each other; a linter holds this.",
        "",
    ]
    for layer in layers():
        for room in layer:
            if room not in known:
                continue
            beside = [other for other in layer if other in known and other != room]
            lines += [f"## {room}", ""]
            if beside:
                lines += [f"Beside {' and '.join(f'`{other}`' for other in beside)}.", ""]
            rows = [(f"{{py:mod}}`{name}`", _first_sentence(modules[name])) for name in known[room]]
            lines += [table(("module", "what it is"), rows), ""]
    return "\n".join(lines)


def python_index() -> str:
    """Say where to begin, and list the rooms."""
    known = rooms()
    names = [room for layer in layers() for room in layer if room in known]
    return "\n".join(
        [
            "# Python",
            "",
            "Everything public, room by room, from the docstrings. Most people need {py:func}`primase.interface.train`",
            "(as `primase.train`), {py:func}`primase.models.load` (as `primase.load`), and",
            "{py:class}`primase.models.Model`, which the latter returns.",
            "",
            *toctree(["primase", *names]),
        ]
    )


def room_page(room: str, modules: Sequence[str]) -> str:
    """Document the modules of one room."""
    title = "primase" if room == "primase" else f"primase.{room}"
    lines = [f"# {title}", ""]
    for name in modules:
        heading = [] if name == title else [f"## {name}", ""]
        # A package only names again what its modules hold; primase itself is what people import from.
        package = public_modules()[name].name == "__init__.py" and name != "primase"
        members = [] if package else ["   :members:"]
        lines += [*heading, "```{eval-rst}", f".. automodule:: {name}", *members, "```", ""]
    return "\n".join(lines)
