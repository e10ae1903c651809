"""Typed, nested configuration: one declaration of each setting serves Python, the command line and the TOML file.

A :class:`Section` holds settings; its attribute docstrings are the help texts. A configuration is a section of
sections; within it every setting has a name of its own, so that ``epochs=5``, ``--epochs 5`` and ``[training] epochs =
5`` all mean the same.
"""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic.fields import FieldInfo

from primase.errors import ConfigurationError


def size() -> dict[str, JsonValue]:
    """Mark a setting as a width of a network, which may be made smaller: see :func:`shrunk`."""
    return {"size": True}


class Section(BaseModel):
    """A group of settings that cannot be changed once made."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)


SectionT = TypeVar("SectionT", bound=Section)


def flag(name: str) -> dict[str, JsonValue]:
    """Name a setting otherwise on the command line, as ``--from``, which is no name in Python."""
    return {"flag": name}


@dataclass(frozen=True, slots=True)
class Option:
    """One setting: where it stands in the file, and its field."""

    section: str | None
    name: str
    field: FieldInfo

    @property
    def flag(self) -> str:
        """The name on the command line: that of the field, unless it says another by :func:`flag`."""
        extra = self.field.json_schema_extra
        named = extra.get("flag") if isinstance(extra, dict) else None
        return str(named) if named else "--" + self.name.replace("_", "-")

    @property
    def kind(self) -> Any:
        """The type of its values, without the None that stands for a value that is not set."""
        annotation: Any = self.field.annotation
        if typing.get_origin(annotation) in {types.UnionType, typing.Union}:
            return next(kind for kind in typing.get_args(annotation) if kind is not types.NoneType)
        return annotation


def options(configuration: type[Section]) -> dict[str, Option]:
    """List the settings of a configuration by their names.

    Raises
    ------
    ValueError
        If two sections use one name, which the command line could not tell apart.
    """
    found: dict[str, Option] = {}
    for section, field in configuration.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            inner = [Option(section, name, inner_field) for name, inner_field in kind.model_fields.items()]
        else:
            inner = [Option(None, section, field)]
        for option in inner:
            if option.name in found:
                message = f"two sections of {configuration.__name__} have a setting called {option.name}"
                raise ValueError(message)
            found[option.name] = option
    return found


def configure(
    configuration: type[SectionT],
    settings: Mapping[str, object],
    *,
    file: Path | None = None,
    usual: Mapping[str, object] | None = None,
) -> SectionT:
    """Make a configuration from flat settings, on top of those in a TOML file.

    Parameters
    ----------
    settings
        Values by the names of :func:`options`; they win over the file.
    file
        A file such as the ``config.toml`` of a bundle. Paths in it are relative to its folder.
    usual
        Values by name in the place of the application's own defaults; all others win over them.

    Raises
    ------
    ConfigurationError
        If a name is unknown, a value is not accepted, or the file is not TOML.
    """
    known = options(configuration)
    # What is not given keeps the application's own default, also where a neighbour in the same section is given.
    nested = configuration().model_dump()
    _put(nested, usual or {}, known)
    from_file = _read_toml(file, known) if file is not None else {}
    # What a preset stands for gives way to what stands beside it.
    _put(nested, _preset(configuration, from_file.get("preset")), known)
    for key, values in from_file.items():
        nested[key] = {**nested[key], **values} if isinstance(nested.get(key), dict) else values
    chosen = _with_tuples(known, with_absolute_paths(configuration, settings))
    _put(nested, {**_preset(configuration, chosen.get("preset")), **chosen}, known)
    try:
        return configuration.model_validate(nested)
    except ValidationError as error:
        raise _explain(error, known) from None


def setting_given(
    configuration: type[Section], name: str, settings: Mapping[str, object], *, file: Path | None = None
) -> object:
    """Look a setting up as :func:`configure` would, before any default; None where it is not given."""
    known = options(configuration)
    if settings.get(name) is not None:
        return with_absolute_paths(configuration, settings)[name]
    section = known[name].section if name in known else None
    from_file = _read_toml(file, known) if file is not None else {}
    return from_file.get(section, {}).get(name) if section is not None else from_file.get(name)


def _put(nested: dict[str, Any], settings: Mapping[str, object], known: Mapping[str, Option]) -> None:
    """Put flat settings into their sections."""
    for name, value in settings.items():
        if name not in known:
            what = "there is no such setting"
            raise ConfigurationError(what, where=name, wanted=", ".join(sorted(known)))
        section = known[name].section
        if section is None:
            nested[name] = value
        else:
            nested.setdefault(section, {})[name] = value


def _preset(configuration: type[Section], name: object) -> Mapping[str, object]:
    """Look up settings that have one name together; an unknown name is left to the check of the setting itself."""
    presets: Mapping[object, Mapping[str, object]] = getattr(configuration, "presets", {})
    return presets.get(name, {})


def _with_tuples(known: Mapping[str, Option], settings: Mapping[str, object]) -> dict[str, object]:
    """Read ``"a,b"`` as two values where several are accepted, as the command line does."""
    return {
        name: tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, str) and name in known and typing.get_origin(known[name].kind) is tuple
        else value
        for name, value in settings.items()
    }


def with_absolute_paths(configuration: type[Section], settings: Mapping[str, object]) -> dict[str, object]:
    """Make the paths among some settings absolute, so that they stay right when they are read from another folder."""
    known = options(configuration)
    absolute = dict(settings)
    for name, value in settings.items():
        is_path = name in known and "Path" in str(known[name].field.annotation)
        if is_path and isinstance(value, str | Path):
            absolute[name] = Path(value).absolute()
    return absolute


def settings_of(configuration: Section) -> dict[str, Any]:
    """List the values of a configuration by the names of :func:`options`."""
    values = {}
    for name, option in options(type(configuration)).items():
        section = configuration if option.section is None else getattr(configuration, option.section)
        values[name] = getattr(section, name)
    return values


def shrunk(section: Section, factor: float) -> dict[str, Any]:
    """Divide the widths of a network by a number: those of its settings that are marked by :func:`size`.

    A width that is not set is what the ``sizes()`` of the section say, where it has such.

    Returns
    -------
    dict
        The smaller widths by name, at least 1; 0 stays 0.
    """
    sizes: Mapping[str, Any] = getattr(section, "sizes", dict)()
    found: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        extra = field.json_schema_extra
        value = sizes.get(name, getattr(section, name))
        if not isinstance(extra, dict) or not extra.get("size") or value is None:
            continue
        several = value if isinstance(value, tuple) else (value,)
        smaller = tuple(max(round(width / factor), 1) if width else 0 for width in several)
        found[name] = smaller if isinstance(value, tuple) else smaller[0]
    return found


def to_toml(configuration: Section) -> str:
    """Write a configuration as TOML that :func:`configure` reads back to an equal one."""
    return tomli_w.dumps(_without_none(configuration.model_dump(mode="json")))


def _without_none(value: Any) -> Any:
    """Leave out what is not set: TOML has no null."""
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return value


def _read_toml(file: Path, known: Mapping[str, Option]) -> dict[str, Any]:
    try:
        nested = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        what = "the configuration file cannot be read"
        raise ConfigurationError(what, where=str(file), got=error.strerror) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        what = "the configuration file is not TOML"
        raise ConfigurationError(what, where=str(file), got=str(error)) from None
    for section in sorted({option.section for option in known.values() if option.section is not None}):
        if not isinstance(nested.get(section, {}), dict):
            what = "this is the name of a section"
            raise ConfigurationError(what, where=f"{file}, {section}", got=str(nested[section]), wanted=f"[{section}]")
    for option in known.values():
        if option.section is None or option.name not in nested.get(option.section, {}):
            continue
        value = nested[option.section][option.name]
        if "Path" in str(option.field.annotation) and isinstance(value, str):
            nested[option.section][option.name] = str(file.resolve().parent / value)
    return nested


def _explain(error: ValidationError, known: Mapping[str, Option]) -> ConfigurationError:
    """Turn the first complaint of pydantic into our message, which names the option."""
    complaint = error.errors(include_url=False)[0]
    location = [str(part) for part in complaint["loc"] if not str(part).isdigit()]
    name = next((part for part in reversed(location) if part in known), None)
    where = known[name].flag if name else ".".join(location) or None
    message = complaint["msg"].removeprefix("Value error, ")
    if complaint["type"] == "extra_forbidden":
        return ConfigurationError("there is no such setting", where=where, wanted=", ".join(sorted(known)))
    if complaint["type"] in {"value_error", "assertion_error"}:
        begins_with_a_name = message[1:2].isupper()  # such as RNA
        return ConfigurationError(message if begins_with_a_name else message[:1].lower() + message[1:], where=where)
    wanted = message.removeprefix("Input should be ")
    return ConfigurationError("this value is not accepted", where=where, got=str(complaint["input"]), wanted=wanted)
