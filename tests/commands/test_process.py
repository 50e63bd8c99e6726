"""The program as a process: what it imports, how it ends by signals and closed pipes, and two of it at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from latentspeed_cli.errors import Exit
from latentspeed_cli.main import VERBS
from latentspeed_cli.sandbox.home import Home

from .bad_input import SUBMIT, VENUES
from .conftest import Exchange

HEAVY = (
    "msgspec",
    "aiohttp",
    "websockets",
    "asyncio",
    "eth_account",
    "coincurve",
    "apsw",
    "tabulate",
    "rich",
    "pluggy",
    "platformdirs",
)
PLACE = ["place", "buy", "BTC-USD", "0.01", "mid-1%", "--post-only"]
# The first thing that a placement asks its venue, and where it is sent to.
ASKS = {"hyperliquid": "/info", "dydx_v4": "/v4/orderbooks/perpetualMarket/BTC-USD"}


class Program:
    """Starts the command line with an environment of its own, which knows one venue of the exchange."""

    def __init__(self, home: Path, exchange: Exchange) -> None:
        self.exchange = exchange
        is_alone = exchange.venues[exchange.venue].node_url is None
        if not is_alone:
            Home(exchange.folder).share(home / "state")
        self.environ = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "LATENTSPEED_STATE_DIR": str(home / "state"),
            "LATENTSPEED_CACHE_DIR": str(home / "cache"),
            **({"LATENTSPEED_BASE_URL": exchange.base_url} if is_alone else {}),
            "LATENTSPEED_NETWORK": "sandbox",
            "LATENTSPEED_VENUE": exchange.venue,
            **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
        }

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "latentspeed_cli", *arguments],
            env={**self.environ, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@pytest.fixture
def program(tmp_path: Path, exchange: Exchange) -> Iterator[Program]:
    program = Program(tmp_path, exchange)
    yield program
    exchange.order("clear")
    program.run("cancel", "--all", "--external")


@pytest.fixture(params=VENUES)
def trader(request: pytest.FixtureRequest, tmp_path: Path, exchange: Exchange) -> Iterator[Program]:
    """One for each venue."""
    program = Program(tmp_path, exchange.of(request.param))
    yield program
    program.exchange.order("clear")
    program.run("cancel", "--all", "--external")


def imported(code: str) -> set[str]:
    """Top-level names of the modules that a fresh interpreter has after `code`."""
    tail = "\nimport sys; print('\\n' + ' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_help_imports_nothing_of_weight(arguments: list[str]) -> None:
    names = imported(f"from latentspeed_cli.main import main\nassert main({arguments!r}) == 0")
    assert not names & set(HEAVY)


def test_completing_verbs_and_options_imports_nothing_of_weight() -> None:
    environ = {"_LATENTSPEED_COMPLETE": "complete_bash", "COMP_WORDS": "latentspeed st", "COMP_CWORD": "1"}
    code = (
        f"import os; os.environ.update({environ!r})\nfrom latentspeed_cli.main import main\n"
        "try:\n    main([])\nexcept SystemExit as error:\n    assert not error.code"
    )
    assert not imported(code) & set(HEAVY)


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("latentspeed st", {"stream", "status"}),
        ("latentspeed place bu", {"buy"}),
        ("latentspeed place --post", {"--post-only"}),
        ("latentspeed stream bo", {"book"}),
        ("latentspeed --network te", {"testnet"}),
        ("latentspeed place buy BTC-USD 1 1 --tif io", {"ioc"}),
        ("latentspeed connectors ch", {"check"}),
    ],
)
def test_the_shell_completes_words_of_the_grammar(program: Program, words: str, completions: set[str]) -> None:
    done = program.run(_LATENTSPEED_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split()) - 1))
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == completions


def test_every_verb_has_a_help_line_and_a_module_with_the_same_words() -> None:
    for verb in VERBS:
        done = subprocess.run(
            [sys.executable, "-c", f"from latentspeed_cli.main import main; main([{verb!r}, '--help'])"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "Usage: latentspeed" in done.stdout


def test_an_empty_environment_and_the_c_locale_do(trader: Program) -> None:
    kept = {name: value for name, value in trader.environ.items() if name.startswith(("LATENTSPEED", "PYTHONPATH"))}
    for environ in (kept, {**kept, "LC_ALL": "C", "LANG": "C"}):
        done = subprocess.run(
            [sys.executable, "-m", "latentspeed_cli", "status"], env=environ, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["schema"] == "status"


def test_invalid_utf8_is_a_usage_error(program: Program) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "latentspeed_cli", b"place", b"buy", b"BTC\xff", b"1", b"1"],
        env=program.environ,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == Exit.USAGE.code
    assert b"Traceback" not in done.stderr


def test_a_closed_pipe_is_141_and_quiet(trader: Program) -> None:
    process = trader.start("stream", "book", "BTC-USD")
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["schema"] == "control"
    process.stdout.close()
    assert process.wait(timeout=60) == Exit.PIPE_CLOSED.code
    assert process.stderr.read() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_stdout_that_is_full_is_141_and_says_so(program: Program) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "latentspeed_cli", "connectors", "list"],
            env=program.environ,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == Exit.PIPE_CLOSED.code
    told = json.loads(done.stderr)["error"]
    assert (told["message"], told["exit_code"]) == ("stdout cannot be written: No space left on device", 141)


def test_a_stdout_that_was_never_open_is_141_too(program: Program) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m latentspeed_cli docs exit-codes >&-"],
        env=program.environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (Exit.PIPE_CLOSED.code, "")


@pytest.mark.parametrize(
    ("number", "end"),
    [(signal.SIGINT, Exit.INTERRUPTED), (signal.SIGTERM, Exit.TERMINATED), (signal.SIGHUP, Exit.TERMINATED)],
)
def test_a_signal_ends_a_stream_with_its_code(program: Program, number: signal.Signals, end: Exit) -> None:
    process = program.start("stream", "book", "BTC-USD")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == end.code
    assert "Traceback" not in err
    assert json.loads(err.splitlines()[-1])["error"]["exit_code"] == end.code
    for line in out.splitlines():
        json.loads(line)


def _placing(trader: Program, kind: str, path: str) -> tuple[subprocess.Popen[str], str]:
    """A `place` whose request of that path hangs, and its id."""
    trader.exchange.order(kind, path=path, count=50, seconds=20)
    process = trader.start(*PLACE, "-o", "json")
    assert process.stderr is not None
    client_order_id = json.loads(process.stderr.readline())["client_order_id"]
    deadline = time.monotonic() + 60
    while len(trader.exchange.order("pending")) and trader.exchange.order("pending")[0]["count"] == 50:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process, client_order_id


def test_ctrl_c_before_anything_was_sent_is_130(trader: Program) -> None:
    sent = trader.exchange.sent()
    process, _ = _placing(trader, "delay_request", ASKS[trader.exchange.venue])
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    trader.exchange.order("clear")
    assert process.returncode == Exit.INTERRUPTED.code, err
    assert "Traceback" not in err
    assert trader.exchange.sent() == sent
    assert not out or json.loads(out)["may_be_live"] is False


def test_ctrl_c_after_sending_is_5_with_the_record(trader: Program) -> None:
    process, client_order_id = _placing(trader, "delay", SUBMIT[trader.exchange.venue])
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    trader.exchange.order("clear")
    assert process.returncode == Exit.UNKNOWN.code, err
    order = json.loads(out)
    assert (order["client_order_id"], order["outcome"], order["may_be_live"]) == (client_order_id, "unknown", True)
    found = trader.run("status", client_order_id)
    assert (found.returncode, json.loads(found.stdout)["state"]) == (0, "OPEN")


def test_two_processes_with_one_id_send_once(trader: Program) -> None:
    sent = trader.exchange.sent()
    processes = [trader.start(*PLACE, "--client-id", "both-at-once") for _ in range(3)]
    ends = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    orders = [json.loads(out) for out, _ in ends]
    assert len({order["exchange_order_id"] for order in orders}) == 1
    assert sorted(order["replayed"] for order in orders) == [False, True, True]
    assert trader.exchange.sent() == sent + 1


def test_a_bug_names_a_log_and_shows_no_traceback(program: Program, tmp_path: Path) -> None:
    code = (
        "import latentspeed_cli.commands.schema as verb\n"
        f"def broken(name): raise RuntimeError('boom {'5b' * 32}')\n"
        "verb.json_schema = broken\n"
        "import sys; from latentspeed_cli.main import main; sys.exit(main(['schema', 'order', '-o', 'table']))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=program.environ, capture_output=True, text=True)
    assert done.returncode == Exit.INTERNAL.code
    assert "Traceback" not in done.stderr
    [log] = (tmp_path / "state").glob("latentspeed-bug-*.log")
    assert str(log) in done.stderr
    assert log.stat().st_mode & 0o777 == 0o600
    written = log.read_text()
    assert "RuntimeError" in written
    assert "5b" * 32 not in written


def test_long_downloads_show_a_bar_on_a_terminal_and_nowhere_else(trader: Program, tmp_path: Path) -> None:
    words = ("candles", "BTC-USD", "--interval", "1m", "--limit", "3000", "-o", "ndjson")
    piped = trader.run(*words)
    ours, its = os.openpty()
    rows = tmp_path / "rows"
    with open(ours, "rb", buffering=0) as screen, rows.open("wb") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-m", "latentspeed_cli", *words],
            env={**trader.environ, "TERM": "xterm"},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=its,
        )
        os.close(its)
        shown = b""
        with suppress(OSError):  # what Linux says when the last one who writes is gone
            while read := screen.read(65_536):
                shown += read
        assert process.wait(60) == 0
    assert (piped.returncode, piped.stderr) == (0, "")
    assert rows.read_bytes().count(b"\n") == piped.stdout.count("\n") == 3000
    assert b"3000/3000" in shown
    assert shown.endswith(b"\x1b[2K"), "it goes away at the end"
