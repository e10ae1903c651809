from pathlib import Path
from typing import Literal

import click
import pytest
from click.testing import CliRunner
from pydantic import Field, PositiveInt

from primase.cli.options import configuration_options, given
from primase.configuration import Section


class Oven(Section):
    """How to bake."""

    heat_celsius: float = 180.0
    """How hot."""
    racks: tuple[int, ...] = (1, 3)
    """Which racks."""
    minutes: tuple[PositiveInt, ...] | None = None
    """How long on each; pydantic says what is positive."""
    mode: Literal["fan", "grill"] = "fan"
    """Where the heat comes from."""
    preheat: bool = True
    """Wait until it is hot."""


class Dough(Section):
    """What to bake."""

    recipe: Path | None = None
    """A file
    with the recipe."""
    seed: int = Field(default=0, ge=0)
    """Of poppy."""
    topping: tuple[str, ...] = ("salt", "seeds")
    """What goes on it."""


class Baking(Section):
    """All about baking."""

    count: int = 2
    """Loaves."""
    oven: Oven = Oven()
    dough: Dough = Dough()


def run(*words, sections=None, without=()):
    caught = {}

    @click.command()
    @configuration_options(Baking, sections, without=without)
    def command(**settings):
        caught.update(given(settings))

    result = CliRunner().invoke(command, words)
    return result, caught


def test_what_is_not_given_is_left_out():
    result, caught = run()
    assert result.exit_code == 0
    assert caught == {}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--heat-celsius", "200"], {"heat_celsius": 200.0}),
        (["--racks", "2,4"], {"racks": (2, 4)}),
        (["--racks", "2"], {"racks": (2,)}),
        (["--racks", "2, 4,"], {"racks": (2, 4)}),
        (["--racks", "2", "--racks", "4,5"], {"racks": (2, 4, 5)}),
        (["--topping", "rosemary", "--topping", "sea salt,oil"], {"topping": ("rosemary", "sea salt", "oil")}),
        (["--topping", ""], {"topping": ()}),
        (["--minutes", "3,5"], {"minutes": (3, 5)}),
        (["--minutes", "-3"], {"minutes": (-3,)}),
        (["--mode", "grill"], {"mode": "grill"}),
        (["--no-preheat"], {"preheat": False}),
        (["--preheat"], {"preheat": True}),
        (["--seed", "0", "--count", "0"], {"seed": 0, "count": 0}),
    ],
)
def test_words_become_values(words, expected):
    result, caught = run(*words)
    assert result.exit_code == 0, result.output
    assert caught == expected


def test_paths_are_read_as_paths():
    _, caught = run("--recipe", "rye.txt")
    assert caught == {"recipe": Path("rye.txt")}


@pytest.mark.parametrize(
    "words",
    [
        ["--racks", "top"],
        ["--racks", "1", "--racks", "top"],
        ["--minutes", "1.5"],
        ["--mode", "steam"],
        ["--heat-celsius", "hot"],
        ["--count", "1.5"],
        ["--heat", "3"],
    ],
)
def test_values_of_another_kind_are_refused(words):
    result, _ = run(*words)
    assert result.exit_code == 2
    assert words[0] in result.output


def test_sections_and_names_are_chosen():
    output = run("--help", sections=[None, "oven"], without={"mode"})[0].output
    assert "--count" in output
    assert "--racks" in output
    assert "--mode" not in output
    assert "--recipe" not in output


def test_the_help_is_the_docstring_and_the_default():
    output = " ".join(run("--help")[0].output.split())
    assert "--heat-celsius FLOAT How hot. [default: 180.0]" in output
    assert "--racks INT,INT,... Which racks. [default: 1,3]" in output
    assert "--topping STR,STR,... What goes on it. [default: salt,seeds]" in output
    assert "--minutes INT,INT,... How long on each; pydantic says what is positive. --" in output
    assert "--mode [fan|grill] Where the heat comes from. [default: fan]" in output
    assert "--preheat / --no-preheat Wait until it is hot. [default: on]" in output
    assert "--recipe PATH A file with the recipe." in output
    assert "--seed INTEGER Of poppy. [default: 0]" in output
