"""What the documentation says must be so: tables, commands, records, and the worked example of an application."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

import primase.apps
from primase.apps.discovery import applications

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(DOCS.glob("*.md")),
    *sorted(DOCS.glob("how-to/*.md")),
    *sorted(DOCS.glob("how-to/remedies/*.md")),
]
Scripts = Callable[[str], ModuleType]
RECORDS = sorted((DOCS / "decisions").glob("0*.md"))


ASK_A_MODEL = {
    *("evaluate", "predict", "explain", "scan", "rank", "embed", "generate", "reconstruct"),
    *("calibrate", "compress", "export", "extend"),
}


def documented_commands() -> list[tuple[str, str]]:
    """Collect every line that begins with primase in a block of shell commands, with the page it is on."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            found += [(page.name, line) for line in block.splitlines() if line.startswith("primase ")]
    return found


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripts]:
    """Import the scripts in docs, which find each other as in the build."""
    monkeypatch.syspath_prepend(str(DOCS))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == DOCS:
            del sys.modules[name]


@pytest.fixture
def worked_example(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Put the folder of the worked example among the applications, as if it had been copied there."""
    monkeypatch.setattr(primase.apps, "__path__", [*primase.apps.__path__, str(DOCS / "how-to")])
    applications.cache_clear()
    yield "signal-peptide"
    applications.cache_clear()
    for name in [name for name in sys.modules if name.startswith("primase.apps.signal_peptide")]:
        del sys.modules[name]


def application_of(verb: str, folder: str, page: str) -> str:
    """Tell which application a page trains into a folder; one that is capable of the verb where it trains none."""
    trained = [line for name, line in documented_commands() if name == page and re.match("primase (train|demo) ", line)]
    into = {line.split("--out ")[1].split()[0]: line.split()[2] for line in trained if "--out " in line}
    return into.get(folder, "dna-function" if verb == "scan" else "enzyme-identification")


def command_for(words: list[str], known: dict[str, click.Command], page: str) -> tuple[click.Command, list[str]]:
    """Find the command that these words reach, and the words that are left for it."""
    if words[0] in ASK_A_MODEL:
        application = application_of(words[0], words[1], page)
        return known[f"primase {words[0]} DIR ({application})"], words[2:]
    for length in (2, 1):
        name = " ".join(["primase", *words[:length]])
        if name in known:
            return known[name], words[length:]
    pytest.fail(f"there is no command for {' '.join(words)}")


@pytest.mark.parametrize(("page", "line"), documented_commands(), ids=lambda value: str(value)[:60])
def test_a_documented_command_parses(
    page: str, line: str, scripts: Scripts, worked_example: str, tmp_path: Path
) -> None:
    assert worked_example in applications(), page
    command, rest = command_for(shlex.split(line)[1:], dict(scripts("command_pages").all_commands(tmp_path)), page)
    context = command.make_context(str(command.name), rest)  # parses and checks, and runs nothing
    context.close()


def test_every_kind_of_command_is_documented() -> None:
    documented = {line.split()[1] for _, line in documented_commands()}
    assert documented >= {"data", "audit", "train", *ASK_A_MODEL}


def test_the_table_in_the_readme_is_up_to_date(scripts: Scripts) -> None:
    assert scripts("generate").main(["--check"]) == 0


def test_an_outdated_table_is_noticed(
    scripts: Scripts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generator = scripts("generate")
    stale = tmp_path / "README.md"
    stale.write_text(f"# Title\n\n{generator.BEGIN}\n| old |\n{generator.END}\n\nthe end\n", encoding="utf-8")
    monkeypatch.setattr(generator, "README", stale)
    assert generator.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0
    assert stale.read_text(encoding="utf-8").endswith("\n\nthe end\n")


def test_the_map_shows_every_module(scripts: Scripts) -> None:
    pages = scripts("module_pages")
    text = pages.map_page()
    missing = [name for name in pages.public_modules() if name != "primase" and f"`{name}`" not in text]
    assert missing == []


def test_every_module_says_what_it_is(scripts: Scripts) -> None:
    modules = scripts("module_pages").public_modules()
    assert len(modules) > 50
    silent = [name for name in modules if not (importlib.import_module(name).__doc__ or "").strip()]
    assert silent == []


def test_every_application_has_a_page(scripts: Scripts, tmp_path: Path) -> None:
    scripts("generate").write_pages(tmp_path / "generated")
    for name, application in applications().items():
        text = (tmp_path / "generated" / "applications" / f"{name}.md").read_text(encoding="utf-8")
        assert application.architecture in text
        assert "## Limits" in text
    options = (tmp_path / "generated" / "command-line.md").read_text(encoding="utf-8")
    assert "--learning-rate" in options
    assert "primase predict DIR" in options


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_decision_record_has_its_headings(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Choice", "Given up"]
    assert text.startswith(f"# {int(record.name[:4])}. ")


def test_decision_records_are_numbered_without_gaps() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_every_dependency_has_a_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    reasons = (DOCS / "decisions" / "0002-dependencies.md").read_text(encoding="utf-8")
    names = [re.split(r"[<>=~!\[; ]", requirement)[0] for requirement in project["dependencies"]]
    assert [name for name in names if not re.search(rf"\b{re.escape(name)}\b", reasons)] == []


def test_no_dependency_is_under_a_copyleft_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["dependencies"]:
        facts = metadata(re.split(r"[<>=~!\[; ]", requirement)[0])
        said = [*(facts.get_all("License-Expression") or []), *(facts.get_all("Classifier") or [])]
        licence = " ".join([*said, *(text[:200] for text in facts.get_all("License") or [])])
        assert re.search(r"MIT|BSD|Apache|Python Software Foundation", licence), facts["Name"]
        assert not re.search(r"\b[AL]?GPL", licence), facts["Name"]


def test_every_dependency_is_pinned() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []
    pinned = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    wanted += [requirement for group in project["dependency-groups"].values() for requirement in group]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[<>=~!\[; ]", requirement)[0]).lower() for requirement in wanted}
    assert names - pinned == set()


def test_the_import_rule_in_contributing_is_the_one_that_is_held(scripts: Scripts) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"^```text\n(cli\n.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert block is not None
    shown = [re.split(r"\s{2,}", line)[0].split(" | ") for line in block.group(1).splitlines()]
    assert shown == scripts("module_pages").layers()


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, *RECORDS]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            # Generated pages exist once the site is built; Sphinx checks links to them.
            assert "generated/" in target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_makefile_makes_what_the_readme_says() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for target in re.findall(r"^make ([a-z]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.slow
def test_the_worked_example_finds_what_it_planted(
    worked_example: str, rehearse: Callable[[str], Any], train_once: Callable[[str], Any], tmp_path: Path
) -> None:
    assert applications()[worked_example].folder == DOCS / "how-to" / "signal_peptide"
    example = importlib.import_module("primase.apps.signal_peptide.test_signal_peptide")
    example.test_the_planted_core_is_found(rehearse, train_once, tmp_path)


@pytest.mark.slow
def test_listing_the_worked_example_loads_no_torch() -> None:
    program = (
        "import sys, primase.apps\n"
        f"primase.apps.__path__.append({str(DOCS / 'how-to')!r})\n"
        "from primase.apps.discovery import applications\n"
        "assert 'signal-peptide' in applications()\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
