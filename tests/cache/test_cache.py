"""MarketCache: what was put comes back while it is young; whatever is wrong is a miss."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from latentspeed_cli.cache import MAX_FILES, MarketCache
from latentspeed_cli.clock import NS_PER_S

START_NS = 1_764_000_000 * NS_PER_S


class Clock:
    s: float = 0

    def now_ns(self) -> int:
        return START_NS + round(self.s * NS_PER_S)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(tmp_path: Path, clock: Clock) -> MarketCache:
    return MarketCache(tmp_path / "a" / "cache", clock)


def files(tmp_path: Path) -> list[Path]:
    return [file for file in tmp_path.rglob("*") if file.is_file()]


def test_what_was_put_comes_back_while_it_is_young(cache: MarketCache, clock: Clock) -> None:
    data = bytes(range(256)) * 1000 + b"\n"
    cache.put("key", data)
    clock.s = 60
    assert cache.get("key", max_age_s=60) == data
    assert cache.get("key", max_age_s=59.9) is None
    assert cache.read("key") == (data, 60)
    assert cache.get("another key", max_age_s=60) is None


def test_the_latest_wins_also_for_other_processes(cache: MarketCache, tmp_path: Path, clock: Clock) -> None:
    cache.put("key", b"old")
    cache.put("key", b"")
    assert MarketCache(tmp_path / "a" / "cache", clock).get("key", max_age_s=1) == b""
    assert len(files(tmp_path)) == 1


def test_only_its_owner_may_read_it(cache: MarketCache, tmp_path: Path) -> None:
    cache.put("key", b"data")
    (file,) = files(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_what_comes_from_the_future_is_a_miss(cache: MarketCache, clock: Clock) -> None:
    cache.put("key", b"data")
    clock.s = -1
    assert cache.get("key", max_age_s=60) is None


def test_every_damage_is_a_miss(cache: MarketCache, tmp_path: Path) -> None:
    cache.put("key", b"data")
    (file,) = files(tmp_path)
    whole = file.read_bytes()
    for index in range(len(whole)):
        file.write_bytes(whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :])
        assert cache.get("key", max_age_s=1e12) is None, index
        file.write_bytes(whole[:index])
        assert cache.get("key", max_age_s=1e12) is None, index
    file.write_bytes(whole)
    assert cache.get("key", max_age_s=1) == b"data"


def test_a_file_under_the_name_of_another_key_is_a_miss(cache: MarketCache, tmp_path: Path) -> None:
    cache.put("one", b"1")
    (one,) = files(tmp_path)
    cache.put("two", b"2")
    (two,) = set(files(tmp_path)) - {one}
    one.replace(two)
    assert cache.get("two", max_age_s=1) is None


def test_places_where_nothing_can_be_kept(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_text("not a folder")
    for folder in (tmp_path / "file", tmp_path / "file" / "cache", Path("/proc/cache")):
        cache = MarketCache(folder, clock)
        cache.put("key", b"data")
        assert cache.get("key", max_age_s=1) is None


def test_a_folder_in_the_place_of_a_file(cache: MarketCache, tmp_path: Path) -> None:
    cache.put("key", b"data")
    (file,) = files(tmp_path)
    file.unlink()
    file.mkdir()
    cache.put("key", b"data")
    assert cache.get("key", max_age_s=1) is None
    assert files(tmp_path) == []


def test_old_files_make_room(cache: MarketCache, tmp_path: Path) -> None:
    for number in range(MAX_FILES + 5):
        cache.put(str(number), b"data")
    assert len(files(tmp_path)) == MAX_FILES
    assert cache.get(str(MAX_FILES + 4), max_age_s=1) == b"data"
