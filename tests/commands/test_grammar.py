"""Words become a call: options before or after, nothing twice with two values, numbers are words."""

from __future__ import annotations

import pytest

from latentspeed_cli.commands.grammar import arrange
from latentspeed_cli.errors import UsageError
from latentspeed_cli.main import VERBS, main

OPTIONS = {
    "--venue": ("--venue", True),
    "-x": ("--venue", True),
    "--quiet": ("--quiet", False),
    "-q": ("--quiet", False),
    "--price": ("--price", True),
}


@pytest.mark.parametrize(
    ("given", "arranged"),
    [
        (["buy", "BTC-USD", "-1"], ["--", "buy", "BTC-USD", "-1"]),
        (["buy", "-0.5%", "-.5"], ["--", "buy", "-0.5%", "-.5"]),
        (["buy", "-x", "a", "BTC"], ["-x", "a", "--", "buy", "BTC"]),
        (["--price", "-1", "buy"], ["--price=-1", "--", "buy"]),
        (["--price=-1"], ["--price=-1"]),
        (["-qxa"], ["-q", "-x", "a"]),
        (["-x=a"], ["-x", "a"]),
        (["-x", "a", "--venue", "a"], ["-x", "a", "--venue=a"]),
        (["buy", "--", "--price"], ["--", "buy", "--price"]),
        (["-"], ["--", "-"]),
        (["--unknown", "buy"], ["--unknown", "--", "buy"]),
        (["--price", "--quiet"], ["--price=--quiet"]),
    ],
)
def test_options_come_first_and_words_keep_their_order(given: list[str], arranged: list[str]) -> None:
    assert arrange(given, OPTIONS) == arranged


def test_a_subcommand_keeps_its_own_options() -> None:
    assert arrange(["-q", "list", "-x", "a"], OPTIONS, interspersed=False) == ["-q", "list", "-x", "a"]


@pytest.mark.parametrize("given", [["-x", "a", "--venue", "b"], ["--price", "1", "buy", "--price=2"], ["--price"]])
def test_two_values_or_none_are_refused(given: list[str]) -> None:
    with pytest.raises(UsageError):
        arrange(given, OPTIONS)


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_is_whole_on_a_terminal_of_80_columns(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*verb.split(), "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    _, _, commands = "\n".join(lines).partition("\nCommands:\n")
    assert [line for line in commands.splitlines() if line.endswith("...")] == []
    assert "{" not in lines[0]
