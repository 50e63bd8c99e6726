"""Measures our figures beside the peers', in one run on one machine, and prints one table. `make bench` calls it.

Whatever is compared is measured in turns, so that a busy moment of the machine hits both sides. Nothing here is a test:
a figure that misses its aim says so and fails nothing.
"""

from __future__ import annotations

from pathlib import Path
from time import sleep

from figures import (
    HERE,
    PEERS,
    PEERS_DYDX,
    PEERS_PLAIN,
    PROGRAM,
    PYTHON,
    Row,
    environ,
    folders,
    in_turns,
    ms,
    percentile,
    sandbox,
    script,
    show,
    us,
    workplace,
)

BLOCK_S = 0.64  # of the local chain


def signing(rounds: int = 5) -> list[Row]:
    """From an order to the signed bytes of its request."""
    ours: list[int] = []
    with_coincurve: list[int] = []
    plain: list[int] = []
    for _ in range(rounds):
        told = (
            script(PYTHON, "sign_order.py", "4000"),
            script(PEERS, "sdk_sign_order.py", "1000"),
            script(PEERS_PLAIN, "sdk_sign_order.py", "100"),
        )
        assert told[0]["signature"] == told[1]["signature"] == told[2]["signature"], "they do not sign the same"
        for samples, answer in zip((ours, with_coincurve, plain), told, strict=True):
            samples += answer["ns"]
    rows = []
    for name, samples, least in (
        ("hyperliquid-python-sdk with coincurve", with_coincurve, 4),
        ("hyperliquid-python-sdk without", plain, 40),
    ):
        for label, share in (("p50", 0.5), ("p99", 0.99)):
            mine, theirs = percentile(ours, share), percentile(samples, share)
            is_p50 = label == "p50"
            rows.append(
                Row(
                    figure=f"order to signed bytes, {label}; {name}",
                    ours=us(mine),
                    peers=us(theirs),
                    ratio=f"{theirs / mine:.1f}x faster",
                    aim=f"60 us, {least}x" if is_p50 else "",
                    reached=mine <= 60_000 and theirs / mine >= least if is_p50 else None,
                )
            )
    return rows


def dydx_signing(folder: Path, rounds: int = 5) -> list[Row]:
    """From an order of dYdX to its signed transaction: beside the client's builder, then with what it reads first."""
    ours: list[int] = []
    builder: list[int] = []
    reading: list[int] = []
    with sandbox(folder, "bench") as info:
        node = info.venues["dydx_v4"].node_url or ""
        for _ in range(rounds):
            told = (
                script(PYTHON, "dydx_sign_order.py", "4000"),
                script(PEERS_DYDX, "client_sign_order.py", "4000"),
            )
            assert told[0]["tx"] == told[1]["tx"], "they do not sign the same"
            ours += told[0]["ns"]
            builder += told[1]["ns"]
            reading += script(PEERS_DYDX, "client_sign_order.py", "200", node)["ns"]
    rows = []
    mine = percentile(ours, 0.5)
    for name, samples, least in (("its place_order", reading, 3), ("its builder alone", builder, None)):
        theirs = percentile(samples, 0.5)
        rows.append(
            Row(
                figure=f"dYdX: order to TxRaw, p50; dydx-v4-client, {name}",
                ours=us(mine),
                peers=us(theirs),
                ratio=f"{theirs / mine:.1f}x faster",
                aim=f"150 us, {least}x" if least else "",
                reached=mine <= 150_000 and theirs / mine >= least if least else None,
            )
        )
    return rows


def buying(folder: Path, count: int = 2000) -> list[Row]:
    """From buy() to signed bytes that are journaled, to the transport, and what of it is the disk."""
    without = script(PYTHON, "buy_to_bytes.py", "hyperliquid", str(folder), "OFF", str(count))
    durable = script(PYTHON, "buy_to_bytes.py", "hyperliquid", str(folder), "FULL", str(count))
    dydx = script(PYTHON, "buy_to_bytes.py", "dydx_v4", str(folder), "OFF", str(count))
    ready = percentile(without["ready"], 0.5)
    return [
        Row(
            figure="buy() to bytes ready and journaled, fsync left out, p50",
            ours=us(ready),
            aim="200 us",
            reached=ready < 200_000,
        ),
        Row(
            figure="buy() to bytes at the transport, fsync left out, p50",
            ours=us(percentile(without["handed_over"], 0.5)),
        ),
        Row(figure="the fsync of a journaled intent, p50", ours=us(percentile(durable["ready"], 0.5) - ready)),
        Row(
            figure="dYdX: buy() to bytes ready and journaled, fsync left out, p50",
            ours=us(percentile(dydx["ready"], 0.5)),
        ),
    ]


def help_page(rounds: int = 20) -> Row:
    """`--help`, whole process, beside a Typer app that does nothing."""
    ours, empty = in_turns([PROGRAM, "--help"], [PYTHON, "-P", HERE / "empty_app.py", "--help"], environ(), rounds)
    return Row(
        figure="latentspeed --help, whole process; an empty Typer app",
        ours=ms(ours),
        peers=ms(empty),
        ratio=f"{ours / empty:.2f}x as long",
        aim="120 ms, 1.6x",
        reached=ours <= 0.120 and ours / empty <= 1.6,
    )


def placing(folder: Path, rounds: int = 10) -> list[Row]:
    """`place` on a running sandbox, whole process, beside a minimal script with the venue's own client."""
    environment = environ() | folders(folder)
    with sandbox(folder) as info:
        venue, dydx = info.venues["hyperliquid"], info.venues["dydx_v4"]
        order = ("buy", "BTC", "0.001")
        hyperliquid = in_turns(
            [PROGRAM, "place", *order, "mid-10%", "--post-only", "-o", "json"],
            [PEERS, "-P", HERE / "sdk_place.py", venue.base_url, venue.accounts[5].private_key, *order, "-10"],
            environment,
            rounds,
        )
        order = ("buy", "BTC-USD", "0.001")
        where = (dydx.node_url or "", dydx.base_url, dydx.ws_url or "", dydx.accounts[5].private_key)
        chain = in_turns(
            [PROGRAM, "place", "-x", "dydx_v4", *order, "mid-10%", "-o", "json"],
            [PEERS_DYDX, "-P", HERE / "client_place.py", *where, *order, "-10"],
            environment,
            rounds,
            # Both wait for a block. Each round begins at another moment between two, or they would wait for each other.
            before=lambda number: sleep(number / (rounds + 1) * BLOCK_S),
        )
    return [
        Row(
            figure=f"{what}, whole process; the same with {peer}",
            ours=ms(ours),
            peers=ms(theirs),
            ratio=f"{theirs / ours:.2f}x faster",
            aim="faster",
            reached=ours < theirs,
        )
        for what, peer, (ours, theirs) in (
            ("place", "hyperliquid-python-sdk", hyperliquid),
            ("place -x dydx_v4", "dydx-v4-client", chain),
        )
    ]


def sandbox_rate(name: str, wire: str, folder: Path, orders: int, least: int) -> Row:
    told = script(PYTHON, "sandbox_rate.py", name, str(folder), str(orders))
    where = "on one core" if told["pinned"] else "not pinned to a core"
    return Row(
        figure=f"sandbox: signed orders a second over {wire}, {where}",
        ours=f"{told['per_second']:,.0f} /s",
        aim=f"{least:,} /s" if least else "",
        reached=told["per_second"] >= least if least else None,
    )


def main() -> None:
    rows: list[Row] = []
    with workplace() as folder:
        for part in ("sign", "buy", "place", "rate", "chain"):
            (folder / part).mkdir(mode=0o700)
        rows += signing()
        rows += dydx_signing(folder / "sign")
        rows += buying(folder / "buy")
        rows.append(help_page())
        rows += placing(folder / "place")
        rows.append(sandbox_rate("hyperliquid", "HTTP", folder / "rate", 10_000, least=1_000))
        rows.append(sandbox_rate("dydx_v4", "gRPC", folder / "chain", 5_000, least=0))
    show(rows)


if __name__ == "__main__":
    main()
