"""How words become a call: one command class for every verb, global options before or after it, nothing guessed.

Verbs are loaded when they are called; their help lines stand in main.py, so `--help` and completion import none.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from ..errors import UsageError

# name: (option strings, help, is a flag)
GLOBAL_OPTIONS: dict[str, tuple[tuple[str, ...], str, bool]] = {
    "venue": (("--venue", "-x"), "Connector to use; see `connectors list`.", False),
    "network": (("--network", "-n"), "sandbox (default), testnet or mainnet.", False),
    "profile": (("--profile", "-p"), "Profile of config.toml.", False),
    "account": (("--account",), "Address the key acts for.", False),
    "output": (("--output", "-o"), "table, json, ndjson, csv or id.", False),
    "fields": (("--fields",), "Only these fields of each record: a,b.c", False),
    "quiet": (("--quiet", "-q"), "No notes, and no result unless -o asks for it.", True),
    "verbose": (("--verbose", "-v"), "Log what happens on stderr.", True),
    "no_color": (("--no-color",), "No colour; NO_COLOR is honoured too.", True),
    "yes": (("--yes", "-y"), "Answer every question with yes.", True),
    "no_input": (("--no-input",), "Never ask.", True),
}
_NUMBER_LIKE = re.compile(r"-\.?[0-9]")


class Given:
    """The global options of one run. A second, different value of the same option is refused."""

    def __init__(self) -> None:
        self.values: dict[str, str | bool] = {}

    def take(self, name: str, value: str | bool) -> None:
        known = self.values.setdefault(name, value)
        if known != value:
            option = GLOBAL_OPTIONS[name][0][0]
            raise UsageError(f"{option} is given twice: {known!r} and {value!r}")

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> bool:
        return self.values.get(name) is True


def _take(ctx: typer.Context, param: Any, value: Any) -> Any:
    """Remember one global option. Runs for every command that was entered, group or verb."""
    given = ctx.obj
    if value not in (None, False) and given is not None:
        if ctx.resilient_parsing:  # a shell completes: what is odd is for the command to say
            given.values[param.name] = value
        else:
            given.take(param.name, value)
    return value


def _global_params() -> list[Any]:
    return [
        TyperOption(
            param_decls=[*strings],
            help=text,
            callback=_take,
            expose_value=False,
            is_flag=is_flag or None,
            default=False if is_flag else None,
            type=None if is_flag else str,
            metavar=None if is_flag else strings[0][2:].upper(),
            autocompletion=_VALUES.get(name),
        )
        for name, (strings, text, is_flag) in GLOBAL_OPTIONS.items()
    ]


def _complete_network(ctx: Any, args: Any, incomplete: str) -> list[str]:
    return ["sandbox", "testnet", "mainnet"]


def _complete_output(ctx: Any, args: Any, incomplete: str) -> list[str]:
    return ["table", "json", "ndjson", "csv", "id"]


def _complete_profile(ctx: Any, args: Any, incomplete: str) -> list[str]:
    from ..completion import profile_names

    return profile_names(incomplete)


def complete_venue(ctx: Any, args: Any, incomplete: str) -> list[str]:
    """Installed connectors, from package metadata; none is imported."""
    from ..plugins import names

    return [name for name in names() if name.startswith(incomplete)]


_VALUES = {
    "venue": complete_venue,
    "network": _complete_network,
    "output": _complete_output,
    "profile": _complete_profile,
}


def arrange(tokens: Sequence[str], options: Mapping[str, tuple[str, bool]], *, interspersed: bool = True) -> list[str]:
    """Put options first, then "--", then positional words; so that `-1` and `-0.5%` are words, not options.

    options: every option string of the command -> its first spelling, and whether a value follows. An option that is
    given again with another value is refused. Words keep their order. interspersed False: everything from the first
    word on belongs to a subcommand and stays as it is.
    """
    arranged: list[str] = []
    words: list[str] = []
    seen: dict[str, str] = {}
    rest = list(tokens)
    while rest:
        token = rest.pop(0)
        if token == "--":
            words += rest
            break
        if token == "-" or not token.startswith("-") or _NUMBER_LIKE.match(token):
            words.append(token)
            if not interspersed:
                words += rest
                break
            continue
        for spelling, value in _options_in(token, rest, options):
            if value is None:
                arranged.append(spelling)
                continue
            name = options[spelling][0]
            if seen.setdefault(name, value) != value:
                raise UsageError(f"{name} is given twice: {seen[name]!r} and {value!r}")
            arranged += [f"{spelling}={value}"] if spelling.startswith("--") else [spelling, value]
    return [*arranged, "--", *words] if words and interspersed else arranged + words


def _options_in(
    token: str, rest: list[str], options: Mapping[str, tuple[str, bool]]
) -> Iterator[tuple[str, str | None]]:
    """The options one token holds ("-qv" holds two), each with its value; a value may be the next of `rest`.

    An unknown option is passed on as it stands: the parser behind refuses it by name.
    """
    if token.startswith("--"):
        spelling, equals, value = token.partition("=")
        letters = value if equals else None
        if not options.get(spelling, ("", False))[1]:
            yield token, None
            return
    else:
        spelling, letters = token[:2], token[2:] or None
        if not options.get(spelling, ("", False))[1]:
            yield spelling, None
            if letters:
                yield from _options_in("-" + letters, rest, options)
            return
        letters = letters.removeprefix("=") if letters else None
    if letters is None:
        if not rest:
            raise UsageError(f"{spelling} needs a value")
        letters = rest.pop(0)
    yield spelling, letters


def _arranged(params: Iterable[Any], args: list[str], *, interspersed: bool) -> list[str]:
    options = {
        spelling: (param.opts[0], not param.is_flag)
        for param in params
        if isinstance(param, TyperOption)
        for spelling in param.opts
    }
    return arrange(args, options, interspersed=interspersed)


class VerbCommand(TyperCommand):
    """A verb: takes the global options too, and keeps the words of its own grammar."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for param in self.params:
            if param.metavar is None and not getattr(param, "is_flag", False):
                param.metavar = param.opts[0].lstrip("-").upper()
        self.params += _global_params()

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """As manual pages have it: Typer puts words that must be given between braces."""
        return [piece[1:-1] if piece.startswith("{") else piece for piece in super().collect_usage_pieces(ctx)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            args = _arranged(self.params, args, interspersed=True)
        return super().parse_args(ctx, args)


class VerbGroup(TyperGroup):
    """A verb with verbs of its own, such as `connectors list`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _global_params()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            args = _arranged(self.params, args, interspersed=False)
        return super().parse_args(ctx, args)


class LazyGroup(VerbGroup):
    """The root: knows its verbs by name and help line, and imports one when it is called.

    `commands` holds stand-ins that have a name and a help line and nothing else; help and completion need no more.
    """

    verbs: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands = {name: TyperCommand(name, help=line) for name, line in self.verbs.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, *rest = args
        if name in self.verbs:
            module = importlib.import_module(f"latentspeed_cli.commands.{name}")
            command = typer.main.get_command(module.app)
            command.name = name
            return name, command, rest
        if ctx.resilient_parsing:
            return None, None, rest
        near = get_close_matches(name, self.verbs, n=1)
        hint = f"did you mean {near[0]}?" if near else "see `latentspeed --help`"
        raise UsageError(f"unknown verb {name[:60]!r}", hint=hint)


def verb_app(help_text: str | None = None) -> typer.Typer:
    """The Typer application of one verb module."""
    return typer.Typer(
        cls=VerbGroup,
        help=help_text,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        pretty_exceptions_show_locals=False,
    )
