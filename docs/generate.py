"""Write the parts of the documentation that the code already says: tables, options, modules, cards.

    python docs/generate.py            write the table of applications into README.md
    python docs/generate.py --check    exit with status 1 if that table is out of date

The site is built from the same functions: ``conf.py`` calls :func:`write_pages` before Sphinx reads anything.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from command_pages import command_line_page
from markdown_pieces import table, toctree
from module_pages import map_page, python_index, room_page, rooms

from primase.apps.contract import Application
from primase.apps.discovery import applications, registered_sources

ROOT: Final = Path(__file__).resolve().parent.parent
GENERATED: Final = ROOT / "docs" / "generated"
README: Final = ROOT / "README.md"
BEGIN: Final = "<!-- applications: written by docs/generate.py -->"
END: Final = "<!-- end of applications -->"


def readme_with_table(text: str) -> str:
    """Return the README with the table of applications as it should be."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{applications_table()}\n{END}{after}"


def applications_table() -> str:
    """List the applications as a Markdown table."""
    rows = [
        (f"`{name}`", application.question, application.architecture, application.section)
        for name, application in applications().items()
    ]
    return table(("application", "question", "network", "section of the review"), rows)


def write_pages(folder: Path = GENERATED) -> None:
    """Write every generated page of the site."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pages = {
        "command-line.md": command_line_page(),
        "map.md": map_page(),
        "data-sets.md": _data_sets_page(),
        "python/index.md": python_index(),
        "applications/index.md": _applications_index(),
    }
    pages |= {f"python/{room}.md": room_page(room, modules) for room, modules in rooms().items()}
    pages |= {f"applications/{name}.md": _application_page(one) for name, one in applications().items()}
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _applications_index() -> str:
    return "\n".join(
        [
            "# Applications",
            "",
            "Each is a question that biologists ask; its page is the card that lies in its folder.",
            "",
            applications_table(),
            "",
            *toctree(list(applications())),
        ]
    )


def _application_page(application: Application) -> str:
    card = (application.folder / "card.md").read_text(encoding="utf-8").rstrip()
    verbs = ", ".join(f"`{verb}`" for verb in sorted(application.verbs))
    facts = [
        "## In short",
        "",
        f"- Name on the command line: `{application.name}`",
        f"- Network: {application.architecture}",
        f"- Section of the review: {application.section}",
        f"- Verbs: {verbs}",
        "",
        f"The options are listed under [`primase train {application.name}`](../command-line.md).",
        "",
    ]
    return "\n".join([card, "", *facts])


def _data_sets_page() -> str:
    lines = [
        "# Registered data sets",
        "",
        "What `primase data list` names, with licence and citation. Every file is checked against its sha256.",
        "",
    ]
    for name, (application, source) in registered_sources().items():
        lines += [f"## {name}", "", f"{source.title[:1].upper()}{source.title[1:]}. {source.description}", ""]
        lines += [f"Licence\n: {source.licence}", "", f"Citation\n: {source.citation}", ""]
        lines += [f"Registered by\n: `{application.name}`", ""]
        rows = [
            (f"`{file.name}`", f"{file.size_bytes:,}", f"`{file.sha256[:16]}…`", "; ".join(map(_code, file.places)))
            for file in source.files
        ]
        lines += [table(("file", "bytes", "sha256", "from"), rows), ""]
    return "\n".join(lines)


def _code(value: object) -> str:
    return f"`{value}`"


def main(words: Sequence[str]) -> int:
    """Write the README's table, or check it; return the exit status."""
    text = README.read_text(encoding="utf-8")
    wanted = readme_with_table(text)
    if "--check" not in words:
        README.write_text(wanted, encoding="utf-8")
        return 0
    if text != wanted:
        sys.stderr.write("README.md: the table of applications is out of date; run python docs/generate.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
