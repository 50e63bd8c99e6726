"""`python -m latentspeed_cli.testing.simulator`: a campaign of seeds, or the trace of one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from .campaign import Ledger, play
from .faults import KINDS
from .run import SITES, run_seed

BAR = 30


def main(argv: list[str]) -> int:
    """0 when no promise was broken, 1 otherwise."""
    asked = _parser().parse_args(argv)
    only = None if asked.faults is None else frozenset(asked.faults.split(",")) - {"none"}
    if only is not None and not only <= KINDS.keys():
        sys.stderr.write(f"unknown faults: {', '.join(sorted(only - KINDS.keys()))}; there are {', '.join(KINDS)}\n")
        return 2
    if asked.seed is not None:
        return _one(asked.venue, asked.seed, only, trace=asked.trace)
    seeds = _range(asked.seeds)
    ledger = play(asked.venue, seeds, jobs=asked.jobs, only=only, progress=_bar(len(seeds)))
    sys.stdout.write("\n".join(ledger.lines()) + "\n")
    if asked.ledger is not None:
        _keep(Path(asked.ledger), ledger)
    return 1 if ledger.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulator", description=__doc__)
    parser.add_argument("--venue", choices=sorted(SITES), default="hyperliquid")
    parser.add_argument("--seed", type=int, help="play this one seed")
    parser.add_argument("--trace", action="store_true", help="with --seed: show all that happened")
    parser.add_argument("--seeds", default="0..200", help="FIRST..END, the end not included")
    parser.add_argument("--jobs", type=int, help="processes; one a core by default")
    parser.add_argument("--faults", help="kinds of faults that may be on, with commas; or none")
    parser.add_argument("--ledger", help="append the figures to this file, a line of JSON a campaign")
    return parser


def _range(text: str) -> range:
    first, _, end = text.partition("..")
    return range(int(first), int(end) if end else int(first) + 1)


def _one(venue: str, seed: int, only: frozenset[str] | None, *, trace: bool) -> int:
    verdict = run_seed(venue, seed, only=only, keep_trace=trace)
    out = list(verdict.trace or ())
    out += [f"{one.invariant} at {one.at_s:.3f} s: {one.said}" for one in verdict.violations]
    struck = ", ".join(f"{kind} {n}" for kind, n in sorted(verdict.injected.items())) or "nothing"
    out.append(f"trace {verdict.digest}, {verdict.virtual_s:.1f} s, {verdict.orders} orders; struck: {struck}")
    sys.stdout.write("\n".join(out) + "\n")
    return 0 if verdict.is_good else 1


def _bar(total: int) -> Callable[[Ledger], None]:
    """Redraws one line of stderr, where that is a terminal; else says a word now and then."""
    is_terminal, said = sys.stderr.isatty(), 0.0

    def show(ledger: Ledger) -> None:
        nonlocal said
        if ledger.seeds < total and ledger.real_s - said < (0.2 if is_terminal else 30.0):
            return
        said = ledger.real_s
        done = BAR * ledger.seeds // total
        text = f"[{'#' * done}{'.' * (BAR - done)}] {ledger.seeds}/{total} {ledger.seeds / ledger.real_s:.1f}/s"
        text += f", {len(ledger.failures)} failed, next seed {ledger.next_seed}"
        sys.stderr.write(f"\r{text}" if is_terminal else f"{text}\n")
        if is_terminal and ledger.seeds == total:
            sys.stderr.write("\n")
        sys.stderr.flush()

    return show


def _keep(path: Path, ledger: Ledger) -> None:
    with path.open("ab") as file:
        file.write(msgspec.json.encode(ledger) + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
