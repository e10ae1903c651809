from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, PositiveInt, field_validator

from primase.apps.discovery import applications
from primase.configuration import Section, configure, options, settings_of, to_toml
from primase.errors import ConfigurationError


class Oven(Section):
    """How to bake."""

    heat_celsius: float = Field(default=180.0, gt=0)
    """How hot."""
    racks: tuple[int, ...] = (1, 3)
    """Which racks to use."""
    minutes: tuple[PositiveInt, ...] | None = None
    """How long on each."""
    mode: Literal["fan", "grill"] = "fan"
    """Where the heat comes from."""
    preheat: bool = True
    """Wait until it is hot."""


class Dough(Section):
    """What to bake."""

    recipe: Path | None = None
    """A file with the recipe."""
    name: str = "bread"
    """What it is called."""
    topping: tuple[str, ...] = ()
    """What goes on it."""

    @field_validator("name")
    @classmethod
    def _no_cake(cls, name: str) -> str:
        if name in {"Cake", "DNA"}:
            message = f"{name} is no bread"
            raise ValueError(message)
        return name


class Baking(Section):
    """All about baking."""

    seed: int = Field(default=0, ge=0)
    """Of poppy."""
    oven: Oven = Oven()
    dough: Dough = Dough()


class Pizza(Baking):
    """Baking with other defaults."""

    oven: Oven = Oven(heat_celsius=300.0, racks=(2,))


class Bakery(Pizza):
    """Baking by names."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "grandmother": {"heat_celsius": 220.0, "minutes": (20, 25), "name": "rye", "seed": 4},
        "grandfather": {"mode": "grill"},
    }

    preset: Literal["grandmother", "grandfather"] | None = None
    """Settings by name."""


def test_options_are_named_by_setting():
    known = options(Baking)
    assert list(known) == ["seed", "heat_celsius", "racks", "minutes", "mode", "preheat", "recipe", "name", "topping"]
    assert known["heat_celsius"].section == "oven"
    assert known["heat_celsius"].flag == "--heat-celsius"
    assert known["heat_celsius"].field.description == "How hot."
    assert known["seed"].section is None


def test_two_settings_of_one_name_are_a_fault_of_ours():
    class Twice(Section):
        oven: Oven = Oven()
        other: Oven = Oven()

    with pytest.raises(ValueError, match="two sections of Twice have a setting called heat_celsius"):
        options(Twice)


def test_flat_settings_find_their_section():
    made = configure(Baking, {"seed": 3, "heat_celsius": 200, "name": "rye"})
    assert (made.seed, made.oven.heat_celsius, made.dough.name) == (3, 200.0, "rye")
    assert made.oven.mode == "fan"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"racks": "2, 4,"}, (2, 4)),
        ({"racks": [2]}, (2,)),
        ({"topping": "sea salt,oil"}, ("sea salt", "oil")),
        ({"topping": ("sea salt,oil",)}, ("sea salt,oil",)),
        ({"topping": ""}, ()),
        ({"minutes": "3,5"}, (3, 5)),
        ({"minutes": None}, None),
    ],
)
def test_several_values_may_be_one_text(settings, expected):
    made = settings_of(configure(Baking, settings))
    (name,) = settings
    assert made[name] == expected


def test_several_values_in_a_file_are_a_list(tmp_path):
    (tmp_path / "baking.toml").write_text('[oven]\nminutes = [3]\n[dough]\ntopping = ["sea salt", "oil"]\n')
    made = configure(Baking, {}, file=tmp_path / "baking.toml")
    assert made.dough.topping == ("sea salt", "oil")
    assert made.oven.minutes == (3,)
    (tmp_path / "again.toml").write_text(to_toml(made))
    assert configure(Baking, {}, file=tmp_path / "again.toml") == made


def test_a_section_keeps_its_own_defaults_when_one_setting_is_given():
    made = configure(Pizza, {"mode": "grill"})
    assert made.oven == Oven(heat_celsius=300.0, racks=(2,), mode="grill")


def test_a_file_keeps_the_defaults_of_a_section_too(tmp_path):
    (tmp_path / "pizza.toml").write_text('[oven]\nmode = "grill"\n')
    assert configure(Pizza, {}, file=tmp_path / "pizza.toml").oven.heat_celsius == 300.0


def test_settings_win_over_the_file(tmp_path):
    (tmp_path / "baking.toml").write_text("seed = 7\n[oven]\nheat_celsius = 150\nracks = [2]\n")
    made = configure(Baking, {"heat_celsius": 99.0}, file=tmp_path / "baking.toml")
    assert (made.seed, made.oven.heat_celsius, made.oven.racks) == (7, 99.0, (2,))


def test_paths_in_a_file_are_relative_to_it(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "baking.toml").write_text('[dough]\nrecipe = "rye.txt"\n')
    monkeypatch.chdir(tmp_path)
    assert configure(Baking, {}, file=Path("sub/baking.toml")).dough.recipe == tmp_path / "sub" / "rye.txt"


def test_absolute_paths_in_a_file_stay(tmp_path):
    (tmp_path / "baking.toml").write_text('[dough]\nrecipe = "/flour/rye.txt"\n')
    assert configure(Baking, {}, file=tmp_path / "baking.toml").dough.recipe == Path("/flour/rye.txt")


bakings = st.builds(
    Baking,
    seed=st.integers(min_value=0, max_value=2**53),
    oven=st.builds(
        Oven,
        heat_celsius=st.floats(min_value=1e-300, max_value=1e300),
        racks=st.lists(st.integers(min_value=-5, max_value=5)).map(tuple),
        mode=st.sampled_from(["fan", "grill"]),
        preheat=st.booleans(),
    ),
    dough=st.builds(
        Dough,
        recipe=st.none() | st.sampled_from([Path("/a b/c"), Path("/ü")]),
        name=st.text(st.characters(exclude_categories=["Cs"])),
        topping=st.lists(st.text(st.characters(exclude_categories=["Cs"]))).map(tuple),
    ),
)


@given(bakings)
def test_every_configuration_survives_toml_and_flat_settings(tmp_path_factory, made):
    path = tmp_path_factory.getbasetemp() / "round-trip.toml"
    path.write_text(to_toml(made), encoding="utf-8", newline="")
    assert configure(Baking, {}, file=path) == made
    assert configure(Baking, settings_of(made)) == made


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"heat": 3}, r"heat: there is no such setting\. Accepted: heat_celsius, minutes, mode"),
        ({"heat_celsius": -3}, r"--heat-celsius: this value is not accepted\. Found: -3\. Accepted: greater than 0"),
        ({"heat_celsius": "hot"}, r"--heat-celsius: .*Found: hot"),
        ({"mode": "steam"}, r"--mode: .*Found: steam\. Accepted: 'fan' or 'grill'"),
        ({"racks": (1, "top")}, r"--racks: .*Found: top"),
        ({"racks": "1,top"}, r"--racks: .*Found: top"),
        ({"minutes": "3,0"}, r"--minutes: this value is not accepted\. Found: 0\. Accepted: greater than 0"),
        ({"name": "Cake"}, r"--name: cake is no bread"),
        ({"name": "DNA"}, r"--name: DNA is no bread"),
        ({"seed": -1}, r"--seed: .*greater than or equal to 0"),
    ],
)
def test_what_is_not_accepted_is_named(settings, expected):
    with pytest.raises(ConfigurationError, match=expected):
        configure(Baking, settings)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[oven]\nheat = 3\n", r"oven\.heat: there is no such setting"),
        ("[stove]\nheat = 3\n", r"stove: there is no such setting"),
        ("[oven\n", r"baking\.toml: the configuration file is not TOML"),
        ("oven = 3\n", "oven"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, text, expected):
    (tmp_path / "baking.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=expected):
        configure(Baking, {}, file=tmp_path / "baking.toml")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "baking.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="not TOML"):
        configure(Baking, {}, file=tmp_path / "baking.toml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"absent\.toml: the configuration file cannot be read"):
        configure(Baking, {}, file=tmp_path / "absent.toml")


def test_a_configuration_cannot_be_changed():
    made = configure(Baking, {})
    with pytest.raises(ValueError, match="frozen"):
        made.seed = 3


# Presets


def test_a_preset_is_all_that_it_stands_for_over_the_defaults():
    made = configure(Bakery, {"preset": "grandmother"})
    assert made.oven == Oven(heat_celsius=220.0, racks=(2,), minutes=(20, 25))
    assert (made.preset, made.seed, made.dough.name) == ("grandmother", 4, "rye")
    assert configure(Bakery, {}) == Bakery()


@pytest.mark.parametrize(
    "changed", [{"heat_celsius": 99.0}, {"heat_celsius": 300.0}, {"minutes": None}, {"seed": 0}, {"name": "bread"}]
)
def test_settings_that_are_named_win_over_the_preset(changed):
    """Also where they are the defaults."""
    own = settings_of(configure(Bakery, {"preset": "grandmother", **changed}))
    preset = settings_of(configure(Bakery, {"preset": "grandmother"}))
    assert own == {**preset, **changed}


def test_a_preset_wins_over_a_file_beside_it_and_settings_win_over_both(tmp_path):
    path = tmp_path / "baking.toml"
    path.write_text('seed = 7\n[oven]\nheat_celsius = 150\nmode = "grill"\n[dough]\nname = "spelt"\n')
    made = configure(Bakery, {"preset": "grandmother", "name": "wheat"}, file=path)
    assert (made.seed, made.oven.heat_celsius, made.dough.name) == (4, 220.0, "wheat")
    assert made.oven.mode == "grill"  # the preset says nothing of it


@pytest.mark.parametrize("changed", [{}, {"heat_celsius": 99.0}, {"name": "bread", "seed": 0}])
def test_what_was_changed_of_a_preset_survives_toml(tmp_path, changed):
    made = configure(Bakery, {"preset": "grandmother", **changed})
    (tmp_path / "baking.toml").write_text(to_toml(made))
    assert configure(Bakery, {}, file=tmp_path / "baking.toml") == made


def test_a_preset_that_is_not_known_is_refused():
    expected = r"--preset: .*Found: grandchild\. Accepted: 'grandmother' or 'grandfather'"
    with pytest.raises(ConfigurationError, match=expected):
        configure(Bakery, {"preset": "grandchild"})


def test_a_preset_where_there_are_none_is_no_setting():
    with pytest.raises(ConfigurationError, match="preset: there is no such setting"):
        configure(Baking, {"preset": "grandmother"})


PRESETS = [
    (application, name)
    for application in applications().values()
    for name in getattr(application.configuration, "presets", {})
]


@pytest.mark.parametrize(("application", "name"), PRESETS, ids=[f"{app.name}-{name}" for app, name in PRESETS])
def test_presets_of_applications_are_settings_that_they_have(application, name):
    made = settings_of(configure(application.configuration, {"preset": name}))
    assert made.items() >= dict(application.configuration.presets[name]).items()


def test_a_preset_in_a_file_gives_way_to_what_stands_beside_it(tmp_path):
    (tmp_path / "bakery.toml").write_text('preset = "grandmother"\n[dough]\nname = "wheat"\n', encoding="utf-8")
    made = settings_of(configure(Bakery, {"seed": 9}, file=tmp_path / "bakery.toml"))
    assert (made["preset"], made["heat_celsius"], made["name"], made["seed"]) == ("grandmother", 220.0, "wheat", 9)
