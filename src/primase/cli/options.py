"""Options of the command line, made from the fields of a configuration: what a setting is, is said once."""

from __future__ import annotations

import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import click
from pydantic.fields import FieldInfo

from primase.configuration import Option, Section, options, settings_of


class CommaSeparated(click.ParamType[tuple[Any, ...]]):
    """Several numbers or names in one word, such as ``1024,512``."""

    name = "list"

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Show what the word looks like."""
        del param, ctx
        name = self.kind.__name__.upper()
        return f"{name},{name},..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """Split the word and read each number or name."""
        if not isinstance(value, str):
            return tuple(value)
        try:
            return tuple(self.kind(part.strip()) for part in value.split(",") if part.strip())
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
    kind, help_text = option.kind, _help(option.field, default)
    if kind is bool:
        return click.option(f"{option.flag}/--no-{option.flag[2:]}", option.name, default=None, help=help_text)
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        # What limits a value, as in Annotated[int, Gt(0)], is for pydantic.
        several = CommaSeparated(typing.get_args(inner)[0] if typing.get_origin(inner) is Annotated else inner)
        return click.option(option.flag, option.name, type=several, multiple=True, callback=_joined, help=help_text)
    return click.option(option.flag, option.name, type=_click_type(kind), default=None, help=help_text)


def _joined(_context: click.Context, _parameter: click.Parameter, value: Any) -> tuple[Any, ...] | None:
    """Join the lists of an option that was given several times; None where it was not given at all."""
    return tuple(part for several in value for part in several) if value else None


def _click_type(kind: Any) -> Any:
    if typing.get_origin(kind) is Literal:
        # The choices themselves, which may be numbers.
        return click.Choice(typing.get_args(kind))
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
