"""Options of the command line, made from the fields of a configuration: what a setting is, is said once."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import click
from pydantic.fields import FieldInfo

from primase.configuration import Option, Section, options, settings_of


class CommaSeparated(click.ParamType[tuple[Any, ...]]):
    """Several numbers in one word, such as ``1024,512``."""

    name = "list"

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Show what the word looks like."""
        del param, ctx
        name = self.kind.__name__.upper()
        return f"{name},{name},..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """Split the word and read each number."""
        if not isinstance(value, str):
            return tuple(value)
        try:
            return tuple(self.kind(part) for part in value.split(",") if part.strip())
        except ValueError:
            self.fail(f"{value!r} is no list of numbers joined by commas", param, ctx)


def configuration_options(
    configuration: type[Section],
    sections: Iterable[str | None] | None = None,
    *,
    without: Collection[str] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a command with an option for every setting of some sections, or of all, without some by name.

    Options that are not given stay None, and are left out by :func:`given`; the defaults live in the configuration.
    """
    chosen = None if sections is None else set(sections)
    known = [option for option in options(configuration).values() if chosen is None or option.section in chosen]
    known = [option for option in known if option.name not in without]
    defaults = settings_of(configuration())

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(known):
            command = _click_option(option, defaults[option.name])(command)
        return command

    return decorate


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the settings that were given."""
    return {name: value for name, value in settings.items() if value is not None}


def _click_option(option: Option, default: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    kind, help_text = _unwrap(option.field.annotation), _help(option.field, default)
    if kind is bool:
        return click.option(f"{option.flag}/--no-{option.flag[2:]}", default=None, help=help_text)
    return click.option(option.flag, type=_click_type(kind), default=None, help=help_text)


def _unwrap(annotation: Any) -> Any:
    """Take ``None`` out of a union."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return next(kind for kind in typing.get_args(annotation) if kind is not types.NoneType)
    return annotation


def _click_type(kind: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin is Literal:
        return click.Choice([str(choice) for choice in typing.get_args(kind)])
    if origin is tuple:
        return CommaSeparated(typing.get_args(kind)[0])
    return click.Path(path_type=Path) if kind is Path else kind


def _help(field: FieldInfo, default: Any) -> str:
    text = (field.description or "").strip().replace("\n", " ")
    if default in (None, (), ""):
        return text
    if isinstance(default, bool):
        default = "on" if default else "off"
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    return f"{text}  [default: {default}]"
