"""Driving a flow: whose word counts once something was handed over."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from latentspeed_cli.connector.drive import CachedHttp, drive
from latentspeed_cli.core.flow import Reply, Request
from latentspeed_cli.errors import (
    ConnectFailed,
    LatentspeedError,
    OrderRejected,
    OutcomeUnknown,
    ProtocolError,
    ReplyLost,
)

READ = Request(url="http://v/read", body=b"r")
CHANGE = Request(url="http://v/change", body=b"c", changes=True)


class Line:
    """Http that answers what it was given, in turn."""

    def __init__(self, *answers: Reply | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[Request] = []

    async def send(self, request: Request) -> Reply:
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def reply(body: bytes = b"fine") -> Reply:
    return Reply(status=200, body=body, headers={}, received_ns=1)


def flow(*requests: Request, raises: Exception | None = None) -> Generator[Request, Reply, list[bytes]]:
    bodies = []
    for request in requests:
        bodies.append((yield request).body)
    if raises is not None:
        raise raises
    return bodies


async def test_replies_go_in_and_the_result_comes_out() -> None:
    line = Line(reply(b"1"), reply(b"2"))
    assert await drive(line, flow(READ, CHANGE)) == [b"1", b"2"]
    assert line.sent == [READ, CHANGE]


async def test_a_flow_that_was_advanced_goes_on_from_there() -> None:
    started = flow(CHANGE, READ)
    line = Line(reply(b"1"), reply(b"2"))
    assert await drive(line, started, first=next(started)) == [b"1", b"2"]


async def test_the_own_reply_of_a_change_may_refuse_it() -> None:
    with pytest.raises(OrderRejected):
        await drive(Line(reply()), flow(CHANGE, raises=OrderRejected("no")))


@pytest.mark.parametrize(
    ("answers", "requests", "raises"),
    [
        ((ReplyLost("reset"),), (CHANGE,), None),
        ((reply(),), (CHANGE,), ProtocolError("no sense")),
        ((reply(),), (CHANGE,), ReplyLost("500")),
        ((reply(),), (CHANGE,), KeyError("a bug of ours")),
        ((reply(), reply()), (CHANGE, READ), OrderRejected("said of a later read")),
        ((reply(), ReplyLost("reset")), (CHANGE, READ), None),
        ((reply(), ConnectFailed("refused")), (CHANGE, READ), None),
        ((reply(), ConnectFailed("refused")), (CHANGE, CHANGE), None),
        ((RuntimeError("a bug of the transport"),), (CHANGE,), None),
    ],
)
async def test_anything_else_after_a_change_is_unknown(
    answers: tuple[Reply | Exception, ...], requests: tuple[Request, ...], raises: Exception | None
) -> None:
    with pytest.raises(OutcomeUnknown):
        await drive(Line(*answers), flow(*requests, raises=raises))


@pytest.mark.parametrize(
    ("answers", "requests", "kind"),
    [
        ((ConnectFailed("refused"),), (CHANGE,), ConnectFailed),
        ((reply(), ConnectFailed("refused")), (READ, CHANGE), ConnectFailed),
        ((ReplyLost("reset"),), (READ,), ReplyLost),
        ((ReplyLost("reset"),), (READ, CHANGE), ReplyLost),
    ],
)
async def test_before_anything_left_trouble_is_what_it_is(
    answers: tuple[Reply | Exception, ...], requests: tuple[Request, ...], kind: type[LatentspeedError]
) -> None:
    with pytest.raises(kind):
        await drive(Line(*answers), flow(*requests))


async def test_a_flow_may_try_again_while_nothing_left() -> None:
    def stubborn() -> Generator[Request, Reply, bytes]:
        try:
            return (yield CHANGE).body
        except ConnectFailed:
            return (yield CHANGE).body

    assert await drive(Line(ConnectFailed("refused"), reply(b"2")), stubborn()) == b"2"


class Store:
    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, key: str, *, max_age_s: float) -> bytes | None:
        return self.kept.get(key)

    def put(self, key: str, data: bytes) -> None:
        self.kept[key] = data


async def test_a_cache_answers_reads_of_its_own_scope_only() -> None:
    store = Store()
    first = CachedHttp(Line(reply(b"old")), store, scope="a", max_age_s=60, now_ns=5)
    assert await drive(first, flow(READ)) == [b"old"]
    assert store.kept == {}, "nothing is kept before it was understood"
    first.keep()
    again = CachedHttp(Line(), store, scope="a", max_age_s=60, now_ns=5)
    assert await drive(again, flow(READ)) == [b"old"]
    assert again.used
    other = CachedHttp(Line(reply(b"new")), store, scope="b", max_age_s=60, now_ns=5)
    assert await drive(other, flow(READ)) == [b"new"]


async def test_a_cache_never_answers_a_change() -> None:
    with pytest.raises(ProtocolError):
        await CachedHttp(Line(), Store(), scope="", max_age_s=60, now_ns=5).send(CHANGE)
