"""What the store keeps, and what it says of a file it cannot read."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from latentspeed_cli.sandbox.home import StoreUnreadable
from latentspeed_cli.sandbox.model import StoredRow
from latentspeed_cli.sandbox.store import Store, archive


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sandbox.db"


def test_rows_and_identity_are_there_after_reopening(path: Path) -> None:
    store = Store.open(path)
    store.set_meta({"instance": "abc"})
    store.write([("hl", StoredRow("order", "1", b"old")), ("hl", StoredRow("order", "2", b"two"))])
    store.write([("hl", StoredRow("order", "1", b"new")), ("hl", StoredRow("order", "2", None))])
    store.close()

    again = Store.open(path)
    assert again.meta() == {"instance": "abc"}
    assert list(again.rows("hl")) == [StoredRow("order", "1", b"new")]
    again.close()


def test_the_last_of_several_changes_of_one_object_counts(path: Path) -> None:
    store = Store.open(path)
    store.write([("hl", StoredRow("o", "1", value)) for value in (b"1", None, b"2")])
    assert list(store.rows("hl")) == [StoredRow("o", "1", b"2")]
    store.close()


def test_venues_do_not_see_each_other(path: Path) -> None:
    store = Store.open(path)
    store.write([("hl", StoredRow("order", "1", b"hl")), ("dydx", StoredRow("order", "1", b"dydx"))])
    assert list(store.rows("dydx")) == [StoredRow("order", "1", b"dydx")]
    store.close()


def test_it_writes_ahead_and_for_its_owner_only(path: Path) -> None:
    store = Store.open(path)
    store.write([("hl", StoredRow("order", "1", b"x"))])
    assert path.with_name("sandbox.db-wal").exists()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    store.close()


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_damaged_file_is_exit_3_and_names_the_way_out(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreUnreadable) as caught:
        Store.open(path)
    assert caught.value.exit_code == 3
    assert "sandbox reset" in (caught.value.hint or "")
    assert path.read_bytes() == content


def test_a_file_that_is_damaged_inside_is_noticed_when_it_is_read(path: Path) -> None:
    store = Store.open(path)
    store.write([("hl", StoredRow("order", str(number), b"x" * 500)) for number in range(200)])
    store.close()
    content = bytearray(path.read_bytes())
    content[3 * 4096 :] = b"\xff" * len(content[3 * 4096 :])
    path.write_bytes(content)
    damaged = Store.open(path)
    with pytest.raises(StoreUnreadable):
        list(damaged.rows("hl"))
    damaged.close()


def test_a_file_of_another_format_is_refused(path: Path) -> None:
    store = Store.open(path)
    store._database.pragma("user_version", 99)
    store.close()
    with pytest.raises(StoreUnreadable, match="format 99"):
        Store.open(path)


def test_archiving_moves_everything_and_never_overwrites(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    assert archive(path, folder, "abc") is None
    for content in (b"first", b"second"):
        path.write_bytes(content)
        path.with_name("sandbox.db-wal").write_bytes(b"wal of " + content)
        archive(path, folder, "abc")
    assert not path.exists()
    kept = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert kept == {
        "abc.db": b"first",
        "abc.db-wal": b"wal of first",
        "abc-2.db": b"second",
        "abc-2.db-wal": b"wal of second",
    }
