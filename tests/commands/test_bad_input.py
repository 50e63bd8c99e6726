"""Every row of bad_input.toml: the exit code, a clear message, no traceback, no key, and nothing sent."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from latentspeed_cli import plugins
from latentspeed_cli.journal import Journal
from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.home import Options

from .bad_input import PAGE, SUBMIT, VENUES, Case, cases, page
from .conftest import Exchange, Terminal, leave_nothing, start_exchange

KEY = "0x" + "5b" * 32  # nobody's: 32 equal bytes
MNEMONIC = "legal winner thank year wave sausage worth useful legal winner thank yellow"
CASES = cases()
# The rows of the contract, and how many cases each has on Hyperliquid and on dYdX.
COUNTS = """
1:12/12 2:1/1 3:4/4 4:4/4 5:3/3 6:4/4 7:1/1 8:6/6 9:1/1 10:1/1 11:2/2 12:1/1 13:3/3 14:1/2 15:2/4 16:2/3
17:2/2 18:5/8 19:3/3 20:5/6 21:1/1 22:2/3 23:1/1 24:3/4 25:1/1 26:1/1 27:1/1 28:4/4 29:1/1 30:4/4 31:4/4
32:1/1 33:4/4 34:2/2 35:1/1 36:4/4 37:5/5 38:1/1 39:2/2 40:3/3 41:3/2 42:1/1 43:2/2 44:2/2 45:8/9 46:3/4
47:3/3 48:3/3 49:2/2 50:1/1 51:4/4 52:1/1 53:3/3 54:2/4 55:2/2 56:1/1 57:7/7 58:3/3 59:1/1 60:1/1 61:3/3
62:4/4 63:1/1 64:3/3 65:3/3 66:8/8 67:1/1 68:2/2 69:1/1 70:1/1 71:1/1 72:2/2 73:2/2 74:1/1 75:2/2 76:6/6
77:3/3
"""
PLACE = re.compile("<[a-z-]+>")
# A chain that stands still shows nothing of what it was sent.
NOBODY_TO_ASK: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "hyperliquid": [
        ("drop_request", {"path": "/info", "contains": word, "count": 50})
        for word in ("orderStatus", "penOrders", "userFills")
    ],
    "dydx_v4": [("halt", {})],
}


class Stage:
    """One case being set up: the terminal, the exchange, and what has to be undone afterwards."""

    def __init__(self, case: Case, terminal: Terminal, patch: pytest.MonkeyPatch, undo: ExitStack) -> None:
        assert terminal.exchange is not None
        self.case = case
        self.terminal = terminal
        self.exchange = terminal.exchange
        self.patch = patch
        self.undo = undo
        self.filled = {
            "home": str(terminal.home),
            "venue": self.exchange.venue,
            "key": KEY,
            "bare-key": KEY[2:],
            "mnemonic": MNEMONIC,
            "megabyte": "x" * 1024 * 1024,
            "invalid-utf8": b"BTC\xff-USD".decode("utf-8", "surrogateescape"),
            "unique": os.urandom(6).hex(),
            "account": self.exchange.account,
            "other-account": self.exchange.other_account,
            "sandbox-key": self.exchange.venues[self.exchange.venue].accounts[0].private_key,
            "sandbox-words": self.exchange.venues[self.exchange.venue].accounts[0].mnemonic or "",
            "submit": SUBMIT[self.exchange.venue],
            "key-variable": f"LATENTSPEED_{self.exchange.venue.upper()}_KEY",
            "url": self.exchange.base_url,
            "port": self.exchange.base_url.rsplit(":", 1)[1],
            "tls-url": self.exchange.base_url.replace("http:", "https:"),
            "now-ms": str(time.time_ns() // 1_000_000),
            "nested": '{"unknown":' + "[" * 99_000,
            "id": "no-id-yet",
        }

    def fill(self, value: Any) -> Any:
        """`value` with every <name> filled in."""
        if isinstance(value, str):
            for name, text in self.filled.items():
                value = value.replace(f"<{name}>", text)
            assert PLACE.search(value) is None, f"nothing to fill in: {value[:200]}"
            return value
        if isinstance(value, dict):
            return {self.fill(key): self.fill(item) for key, item in value.items()}
        return value

    def words(self, words: list[str]) -> list[str]:
        many = [f"P{number}-USD" for number in range(501)]
        return [item for word in words for item in (many if word == "<many-pairs>" else [self.fill(word)])]

    def set_up(self) -> None:
        case, home = self.case, self.terminal.home
        for name, (text, mode) in case.files.items():
            (home / name).write_text(self.fill(text))
            (home / name).chmod(int(mode, 8))
        config = home / "config.toml"
        if case.config is not None:
            config.write_text(self.fill(case.config))
            config.chmod(int(case.config_mode, 8))
        elif case.config_is == "directory":
            config.mkdir()
        elif case.config_is == "fifo":
            os.mkfifo(config)
        elif case.config_is == "dangling":
            config.symlink_to(home / "nowhere")
        if case.config is not None or case.config_is != "file":
            self.terminal.set("LATENTSPEED_CONFIG", str(config))
        if case.scene == "own_sandbox":
            own_sandbox(self)
        for line in case.before:
            ended = self.terminal.run([*self.words(line), "-o", "json"])
            self.filled["id"] = ended.json["client_order_id"]
            self.filled["exchange-id"] = ended.json["exchange_order_id"] or ""
            self.filled["amount"], self.filled["price"] = ended.json["amount"], ended.json["price"] or ""
            first, _, second = (ended.json["venue_client_id"] or "").partition("-")
            self.filled["venue-client-id"], self.filled["venue-metadata"] = first, second
        for name, value in case.env.items():
            self.terminal.set(self.fill(name), self.fill(value))
        if case.scene and case.scene != "own_sandbox":
            SCENES[case.scene](self)

    def make_trouble(self) -> None:
        for command, arguments in self.case.trouble:
            if command == "nobody_to_ask":
                self.silence()
            else:
                self.exchange.order(command, **self.fill(arguments))

    def silence(self) -> None:
        """Let nobody tell what became of an order, until hear()."""
        for command, arguments in NOBODY_TO_ASK[self.exchange.venue]:
            self.exchange.order(command, **arguments)
        self.undo.callback(self.hear)

    def hear(self) -> None:
        self.exchange.order("clear")
        if self.exchange.venue == "dydx_v4":
            self.exchange.order("resume")


# Scenes


def _connector(stage: Stage, name: str, source: str, distribution: str = "elsewhere") -> None:
    """Install a connector as pip would leave it."""
    home = stage.terminal.home
    (home / f"{name}_connector.py").write_text(source)
    info = home / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[latentspeed.connectors]\n{name} = {name}_connector\n")
    stage.patch.syspath_prepend(str(home))
    plugins.discover.cache_clear()
    stage.undo.callback(plugins.discover.cache_clear)
    stage.undo.callback(sys.modules.pop, f"{name}_connector", None)


def broken_connector(stage: Stage) -> None:
    _connector(stage, "broken", "raise RuntimeError('boom')")


def old_connector(stage: Stage) -> None:
    spec = "ConnectorSpec(name='old', title='', api_version=0, config_type=dict, networks=(), order_types=(), tifs=(), "
    head = "from latentspeed_cli.hookspecs import ConnectorSpec, hookimpl\n\n@hookimpl\n"
    _connector(
        stage, "old", head + f"def latentspeed_connector_spec():\n    return {spec}capabilities=(), channels=())\n"
    )


def foreign_connector(stage: Stage) -> None:
    _connector(stage, "foreign", "raise SystemExit('it must not even be imported')")


def homeless(stage: Stage) -> None:
    for name in ("LATENTSPEED_STATE_DIR", "LATENTSPEED_CACHE_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        stage.terminal.set(name, "")
    stage.patch.setattr(os.path, "expanduser", lambda path: path)


def linked_key(stage: Stage) -> None:
    (stage.terminal.home / "link").symlink_to(stage.terminal.home / "key")


def own_sandbox(stage: Stage) -> None:
    """An exchange for this case alone, since what is done to it cannot be taken back."""
    folder = stage.terminal.home / "exchange"
    stage.exchange = start_exchange(folder).of(stage.exchange.venue)
    stage.undo.callback(supervisor.stop, folder)
    stage.terminal.go_to(stage.exchange)
    stage.terminal.keep_state_in(stage.terminal.home / "state-there")


def damaged_store(stage: Stage) -> None:
    """The store of a sandbox of this case's own, overwritten in the middle."""
    folder = stage.terminal.home / "alone"
    stage.terminal.set("LATENTSPEED_STATE_DIR", str(folder))
    supervisor.start(folder, Options(port=0))
    supervisor.stop(folder)
    (store,) = (path for path in folder.rglob("*.db") if "journal" not in path.name)
    with store.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 8_000)


def clock_off(stage: Stage) -> None:
    own_sandbox(stage)
    stage.exchange.order("advance", seconds=60)


def _journal(stage: Stage) -> Path:
    """A journal that was used once."""
    stage.terminal.run(["status"])
    return stage.terminal.home / "state" / "journal-sandbox.db"


def journal_held(stage: Stage) -> None:
    import apsw

    connection = apsw.Connection(str(_journal(stage)))
    connection.execute("begin immediate")
    stage.undo.callback(connection.close)
    really_open = Journal.open
    stage.patch.setattr(
        Journal, "open", classmethod(lambda cls, *args, **more: really_open(*args, **more, busy_timeout_s=0.2))
    )


def journal_with_uncommitted_tail(stage: Stage) -> None:
    """A process that wrote a part of a transaction into the log and was gone."""
    import subprocess

    code = (
        "import apsw, os, sys\n"
        "connection = apsw.Connection(sys.argv[1])\n"
        "connection.execute('pragma cache_size = 1; begin immediate; create table tail (x)')\n"
        "connection.executemany('insert into tail values (randomblob(3000))', [()] * 200)\n"
        "os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(_journal(stage))])
    assert done.returncode == 9


def journal_changed(stage: Stage) -> None:
    import apsw

    with closing(apsw.Connection(str(_journal(stage)))) as connection:
        connection.execute("update facts set body = replace(body, '0.01', '0.02')")
        assert connection.changes() > 0


def journal_of_the_future(stage: Stage) -> None:
    import apsw

    with closing(apsw.Connection(str(_journal(stage)))) as connection:
        connection.execute("update meta set schema_version = 999")
        assert connection.changes() == 1


def journal_is_text(stage: Stage) -> None:
    path = _journal(stage)
    for other in path.parent.glob("journal-sandbox.db*"):
        other.unlink()
    path.write_text("this is not a database, and it is long enough to be read as the head of one. " * 50)


def journal_of_testnet(stage: Stage) -> None:
    folder = stage.terminal.home / "state"
    folder.mkdir(mode=0o700, exist_ok=True)
    from latentspeed_cli.clock import SystemClock

    with closing(Journal.open(folder / "other.db", network="testnet", instance="", clock=SystemClock())):
        pass
    for path in folder.glob("other.db*"):
        path.rename(folder / path.name.replace("other", "journal-sandbox"))


def disk_full(stage: Stage) -> None:
    """No file of this process may grow any more."""
    import resource
    import signal

    path = _journal(stage)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    stage.undo.callback(signal.signal, signal.SIGXFSZ, previous)
    stage.undo.callback(resource.setrlimit, resource.RLIMIT_FSIZE, before)
    stage.terminal.set("LATENTSPEED_CACHE_DIR", "/proc/nowhere")
    size = max(file.stat().st_size for file in path.parent.glob("journal-sandbox.db*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (min(size, 4096), before[1]))


def lost_journal(stage: Stage) -> None:
    stage.terminal.keep_state_in(stage.terminal.home / "another-state")


def undecided_order(stage: Stage) -> None:
    stage.exchange.order("lose_reply", path=SUBMIT[stage.exchange.venue], count=50)
    stage.silence()
    ended = stage.terminal.run(["place", "buy", "BTC-USD", "0.01", "mid-1%", "--post-only", "--timeout", "1s"])
    assert ended.code == 5
    stage.hear()


def lost_order(stage: Stage) -> None:
    """An order that never arrived, which nobody knows yet."""
    stage.exchange.order("drop_request", path=SUBMIT[stage.exchange.venue], count=50)
    stage.silence()
    ended = stage.terminal.run(
        ["place", "buy", "BTC-USD", "0.01", "mid-1%", "--post-only", "--timeout", "3s", "-o", "json"]
    )
    assert ended.code == 5, ended.err
    stage.filled["id"] = ended.json["client_order_id"]
    stage.hear()


def _met(stage: Stage, size: str) -> None:
    """An order of 0.1 ETH of which somebody took `size` while no command was running."""
    is_chain = stage.exchange.venue == "dydx_v4"
    market = {"ticker": "ETH-USD"} if is_chain else {"coin": "ETH"}
    order = ["place", "buy", "ETH-USD", "0.1"]
    price = stage.terminal.run([*order, "mid-1%", "--dry-run", "-o", "json"]).json["price"]
    around = [str(int(Decimal(price) * Decimal(factor))) for factor in ("0.98", "1.02")]
    stage.exchange.order("seed_book", **market, bids=[[around[0], "1"]], asks=[[around[1], "1"]])
    stage.undo.callback(lambda: stage.exchange.order("seed_book", **market, clear=True))
    placed = stage.terminal.run([*order, price, "--post-only", "-o", "json"])
    assert placed.code == 0, placed.err
    stage.filled["id"] = placed.json["client_order_id"]
    words = {"size": size, "price": price} if is_chain else {"sz": size, "px": price}
    stage.exchange.order("trade", **market, side="sell", **words)
    if is_chain:
        stage.exchange.order("block", blocks=1)


def partly_filled(stage: Stage) -> None:
    _met(stage, "0.04")


def filled_meanwhile(stage: Stage) -> None:
    _met(stage, "0.1")


def external_order(stage: Stage) -> None:
    """An order of the same account that another program placed: its journal is not ours."""
    home = stage.terminal.home
    stage.terminal.keep_state_in(home / "other-program")
    placed = stage.terminal.run(["place", "buy", "BTC-USD", "0.01", "mid-1%", "--post-only", "-o", "json"])
    stage.filled["exchange-id"] = placed.json["exchange_order_id"]
    stage.terminal.keep_state_in(home / "state")


def breaking_line(stage: Stage) -> None:
    """Every connection ends once, half a second from now."""
    breaking = threading.Timer(0.5, lambda: stage.exchange.order("disconnect"))
    breaking.start()
    stage.undo.callback(breaking.join)


def senseless_frames(stage: Stage) -> None:
    """Somebody else's frames, a few every moment, until the stream is over."""
    over = threading.Event()

    def inject() -> None:
        while not over.wait(0.05):
            stage.exchange.order("inject", text='{"channel": "trades", "data": {"not": "a list"}}')

    thread = threading.Thread(target=inject)
    thread.start()
    stage.undo.callback(thread.join)
    stage.undo.callback(over.set)


SCENES: dict[str, Callable[[Stage], None]] = {
    scene.__name__: scene
    for scene in (
        broken_connector,
        old_connector,
        foreign_connector,
        homeless,
        linked_key,
        own_sandbox,
        clock_off,
        damaged_store,
        journal_held,
        journal_with_uncommitted_tail,
        journal_changed,
        journal_of_the_future,
        journal_is_text,
        journal_of_testnet,
        disk_full,
        lost_journal,
        undecided_order,
        lost_order,
        external_order,
        partly_filled,
        filled_meanwhile,
        senseless_frames,
        breaking_line,
    )
}


def back_to(terminal: Terminal, exchange: Exchange, sent: int) -> None:
    """Leave the exchange that all cases share as it was."""
    terminal.exchange = exchange
    leave_nothing(terminal, sent)


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(
    ("venue", "case"),
    [
        pytest.param(venue, case.at(venue), id=f"{venue}-{case.row}-{case.verb}-{case.cause}")
        for venue in VENUES
        for case in CASES
        if venue in case.venues and not case.test
    ],
)
def test_bad_input(
    venue: str, case: Case, tmp_path: Path, exchange: Exchange, monkeypatch: pytest.MonkeyPatch, undo: ExitStack
) -> None:
    terminal = Terminal(tmp_path, exchange.of(venue), monkeypatch)
    sent_at_first = exchange.of(venue).sent()
    undo.callback(back_to, terminal, exchange.of(venue), sent_at_first)
    stage = Stage(case, terminal, monkeypatch, undo)
    stage.set_up()
    sent_before = stage.exchange.sent()
    stage.make_trouble()
    said_how = () if "-o" in case.run or case.cause == "an option without its value" else ("-o", "json")

    ended = terminal.run([*stage.words(case.run), *said_how], stage.fill(case.stdin))

    stage.exchange.order("clear")
    for command, arguments in case.after:
        stage.exchange.order(command, **stage.fill(arguments))
    sent_after = stage.exchange.sent()
    undo.close()
    assert ended.code == case.exit, ended.err
    told = ended.out + ended.err
    assert "Traceback" not in told
    assert all(line.isprintable() for line in told.splitlines())
    for secret in (KEY[2:], MNEMONIC, "0xnothing"):
        assert secret not in told
    if case.exit != 0:
        error = ended.error
        assert error["exit_code"] == case.exit
        assert stage.fill(case.says) in f"{error['message']} {error['hint']}"
    if case.scene == "breaking_line":
        kinds = [json.loads(line).get("kind") for line in ended.out.splitlines()]
        assert "reconnected" in kinds
        assert kinds[kinds.index("reconnected") :].count(None) > 1
    if not case.sends:
        assert sent_after == sent_before


def test_what_is_tried_in_another_way_has_its_test() -> None:
    for case in CASES:
        if case.test:
            module, _, name = case.test.partition("::")
            assert f"def {name}(" in Path(__file__).with_name(module).read_text()


def test_no_case_is_left_out() -> None:
    """The page is made from the table, so it says nothing when a case is gone from both."""
    counted = {venue: Counter(case.row for case in CASES if venue in case.venues) for venue in VENUES}
    found = [f"{row}:{'/'.join(str(counted[venue][row]) for venue in VENUES)}" for row in range(1, 78)]
    assert found == COUNTS.split()
    assert {case.row for case in CASES} == set(range(1, 78))


def test_the_page_shows_the_table() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.commands.bad_input"
