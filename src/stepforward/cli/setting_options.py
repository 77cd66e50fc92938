"""Options of commands, made from the table of settings."""

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.models import OptionInfo

from stepforward.cli.options import ADVANCED
from stepforward.settings import KINDS, TABLE, Settings, default_text


def setting(name: str, panel: str | None = None) -> OptionInfo:
    """The option of a command for a setting: `Annotated[int, setting("...")]`.

    Args:
        panel: the group of its help; default: the first.
    """
    return _option(name, panel)


def with_settings(names: Sequence[str], after: str) -> Callable[[Callable], Callable]:
    """Let a command that takes `**settings` have an option for each of some settings.

    Args:
        names: of settings, in the order of the help; those that are not basic go to its advanced group.
        after: the parameter that they follow.
    """

    def change(command: Callable) -> Callable:
        signature = inspect.signature(command)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        at = next(i for i, parameter in enumerate(own) if parameter.name == after) + 1
        made = [_parameter(name) for name in names]
        changed: Any = command
        changed.__signature__ = signature.replace(parameters=[*own[:at], *made, *own[at:]])
        command.__annotations__ |= {parameter.name: parameter.annotation for parameter in made}
        command.__annotations__.pop("settings")
        return command

    return change


def _parameter(name: str) -> inspect.Parameter:
    kind, optional = KINDS[name]
    option = _option(name, panel=None if TABLE[name].basic else ADVANCED)
    return inspect.Parameter(
        name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=getattr(Settings, name),
        annotation=Annotated[kind | None if optional else kind, option],
    )


def _option(name: str, panel: str | None) -> OptionInfo:
    row = TABLE[name]
    shown: dict[str, Any] = {"show_default": default_text(name)} if default_text(name) else {}
    help_text = row.help.replace("[", "\\[")  # of rich, which takes brackets for markup
    return typer.Option(
        *row.flags, metavar=row.metavar or None, help=help_text, rich_help_panel=panel, **shown
    )
