"""Query parameters of the indexer's REST, and what it says of bad ones (sections 7.1 and 7.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import keys
from .numbers import from_iso
from .universe import BY_TICKER

MAX_LIMIT = 1_000
MAX_SUBACCOUNT = 128_000
MAX_PARENT = 127


class HttpError(Exception):
    """An answer with a status that is not 200."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status = status
        self.body = body
        super().__init__(str(body))


def not_found(message: str) -> HttpError:
    return HttpError(404, {"errors": [{"msg": message}]})


def bad(param: str, message: str, value: Any = None, *, location: str = "query") -> HttpError:
    """A validation error; a missing parameter has no value and the location `params`."""
    error: dict[str, Any] = {"msg": message, "param": param, "location": location if value is not None else "params"}
    if value is not None:
        error = {"value": value, **error}
    return HttpError(400, {"errors": [error]})


class Query:
    """The parameters of one request."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given

    def text(self, name: str) -> str | None:
        return self._given.get(name)

    def flag(self, name: str) -> bool:
        return self._given.get(name, "").lower() in ("true", "1")

    def words(self, name: str) -> list[str] | None:
        """A comma-separated list."""
        given = self._given.get(name)
        return None if given is None else [word.strip() for word in given.split(",") if word.strip()]

    def limit(self) -> int:
        return self._positive("limit", MAX_LIMIT, MAX_LIMIT)

    def page(self) -> int | None:
        return self._positive("page", None, 0) if "page" in self._given else None

    def _positive(self, name: str, most: int | None, default: int) -> int:
        given = self._given.get(name)
        if given is None:
            return default
        value = int(given) if given.removeprefix("-").isdecimal() and len(given) < 20 else given
        if not isinstance(value, int) or value < 1 or (most is not None and value > most):
            bound = f" that is not greater than max: {most}" if most is not None else ""
            raise bad(name, f"{name} must be a positive integer{bound}", value)
        return value

    def integer(self, name: str) -> int | None:
        given = self._given.get(name)
        if given is None:
            return None
        if not given.isdecimal() or len(given) > 20:
            raise bad(name, f"{name} must be a non-negative integer", given)
        return int(given)

    def time(self, name: str) -> int | None:
        """An ISO time in nanoseconds."""
        given = self._given.get(name)
        if given is None:
            return None
        try:
            return from_iso(given)
        except ValueError as error:
            raise bad(name, f"{name} must be a valid ISO 8601 date", given) from error

    def address(self, name: str = "address") -> str:
        given = self._given.get(name)
        return address(given, name)

    def subaccount(self, name: str = "subaccountNumber") -> int:
        return subaccount(self._given.get(name), name)

    def parent(self, name: str = "parentSubaccountNumber") -> int:
        return parent(self._given.get(name), name)

    def one_of(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        given = self._given.get(name, default)
        if given not in allowed:
            raise bad(name, f"{name} must be one of {allowed}", given)
        return given

    def ticker(self, name: str = "ticker") -> str | None:
        given = self._given.get(name)
        if given is not None and given not in BY_TICKER:
            raise bad(name, "ticker must be a valid ticker (BTC-USD, etc)", given)
        return given


def address(given: str | None, name: str = "address", *, location: str = "query") -> str:
    if given is None or keys.address_bytes(given) is None:
        raise bad(name, f"{name} must be a valid dydx address", given, location=location)
    return given


def subaccount(given: str | None, name: str = "subaccountNumber", *, location: str = "query") -> int:
    if given is None or not _is_at_most(given, MAX_SUBACCOUNT):
        raise bad(name, f"{name} must be a non-negative integer less than 128001", given, location=location)
    return int(given)


def parent(given: str | None, name: str = "parentSubaccountNumber", *, location: str = "query") -> int:
    if given is None or not _is_at_most(given, MAX_PARENT):
        raise bad(name, f"{name} must be a non-negative integer less than 128", given, location=location)
    return int(given)


def _is_at_most(given: str, most: int) -> bool:
    return given.isdecimal() and len(given) < 20 and int(given) <= most


def ticker(given: str) -> str:
    if given not in BY_TICKER:
        raise bad("ticker", "ticker must be a valid ticker (BTC-USD, etc)", given, location="params")
    return given


def paged(rows: list[Any], query: Query) -> tuple[list[Any], dict[str, int]]:
    """The rows of a request, and what paging adds to the answer."""
    limit, page = query.limit(), query.page()
    if page is None:
        return rows[:limit], {}
    offset = (page - 1) * limit
    return rows[offset : offset + limit], {"pageSize": limit, "totalResults": len(rows), "offset": offset}
