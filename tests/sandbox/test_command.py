"""`latentspeed sandbox ...` as a person or a program meets it: exit codes, records, refusals (reliability.md 76)."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from latentspeed_cli.main import main
from latentspeed_cli.sandbox.accounts import ADDRESSES, PRIVATE_KEYS

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folders(state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTSPEED_STATE_DIR", str(state_dir))
    monkeypatch.setenv("LATENTSPEED_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "config.toml").touch()
    monkeypatch.setenv("LATENTSPEED_CONFIG", str(tmp_path / "config.toml"))


def run(capsys: Capture, words: str) -> tuple[int, dict[str, Any] | None, dict[str, Any] | None]:
    """Exit code, the record on stdout and the object on stderr."""
    code = main(["sandbox", *words.split(), "-o", "json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else None, json.loads(err) if err else None


def test_status_without_a_sandbox_is_exit_8_with_a_record(capsys: Capture) -> None:
    code, record, error = run(capsys, "status")
    assert code == 8
    assert record is not None
    assert record["schema"] == "sandbox"
    assert record["running"] is False
    assert error is not None
    assert error["error"]["code"] == "unreachable"


def test_start_status_and_stop(capsys: Capture) -> None:
    code, started, _ = run(capsys, "start --port 0 --seed 5 --scenario bench")
    assert code == 0
    assert started is not None
    assert (started["running"], started["scenario"]) == (True, "bench")
    venue = started["venues"]["counter"]
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", venue["base_url"])
    assert venue["accounts"][0] == {"address": ADDRESSES[0], "private_key": PRIVATE_KEYS[0]}
    assert run(capsys, "status") == (0, started, None)
    assert run(capsys, "start") == (0, started, None)
    assert main(["sandbox", "status", "-o", "table"]) == 0
    shown = capsys.readouterr().out
    assert "published private keys:\n  " + ADDRESSES[0] in shown
    code, record, _ = run(capsys, "stop")
    assert code == 0
    assert record is not None
    assert record["running"] is False
    assert run(capsys, "stop")[0] == 0
    assert run(capsys, "status")[0] == 8


@pytest.mark.parametrize(
    "words",
    [
        "start --port 65536",
        "start --port -1",
        "start --port http",
        "start --port 1.5",
        "start --port ٣٠٠١",
        "run --port x",
        "start --host 0.0.0.0",
        "start --host ::",
        "run --host 192.168.0.1",
        "start --host exchange.example",
        "start --seed x",
        "start --seed -1",
        "start --seed 1e3",
        "start --seed 99999999999999999999",
        "reset --seed x",
        "start --scenario moon",
        "reset --scenario moon",
        "start --port 1 --port 2",
        "start now",
        "restart",
    ],
)
def test_words_that_do_not_fit_are_exit_2_and_start_nothing(capsys: Capture, state_dir: Path, words: str) -> None:
    code, record, error = run(capsys, words)
    assert code == 2
    assert record is None
    assert error is not None
    assert error["error"]["exit_code"] == 2
    assert not state_dir.exists()


def test_a_port_in_use_is_exit_2(capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, _, error = run(capsys, f"start --port {port}")
    assert code == 2
    assert error is not None
    assert error["error"]["message"] == f"port {port} is in use"


def test_a_damaged_store_is_exit_3(capsys: Capture, state_dir: Path) -> None:
    state_dir.mkdir()
    (state_dir / "sandbox.db").write_bytes(b"garbage" * 1000)
    code, _, error = run(capsys, "start --port 0")
    assert code == 3
    assert error is not None
    assert "sandbox reset" in error["error"]["hint"]
    code, record, _ = run(capsys, "reset")
    assert code == 0
    assert record is not None
    assert record["running"] is False
    assert run(capsys, "start --port 0")[0] == 0


def test_a_table_shows_the_published_accounts(capsys: Capture) -> None:
    assert main(["sandbox", "start", "--port", "0", "-o", "table"]) == 0
    out, _ = capsys.readouterr()
    assert "http://127.0.0.1:" in out
    for address, key in zip(ADDRESSES, PRIVATE_KEYS, strict=True):
        assert f"{address}  {key}" in out


def test_the_id_of_a_sandbox_is_its_instance(capsys: Capture) -> None:
    _, record, _ = run(capsys, "start --port 0")
    assert record is not None
    assert main(["sandbox", "status", "-o", "id"]) == 0
    assert capsys.readouterr().out.strip() == record["instance"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_run_stays_in_the_foreground_until_a_signal(state_dir: Path, number: signal.Signals, code: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "latentspeed_cli", "sandbox", "run", "--port", "0", "-o", "ndjson"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        record = json.loads(process.stdout.readline())
        assert record["running"] is True
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == code
    assert out == ""
    assert "listens at" in err
    assert "Traceback" not in err
    assert not (state_dir / "sandbox.json").exists()


def test_run_beside_a_running_one_is_exit_10(capsys: Capture) -> None:
    run(capsys, "start --port 0")
    code, _, error = run(capsys, "run --port 0")
    assert code == 10
    assert error is not None
    assert "runs already" in error["error"]["message"]
