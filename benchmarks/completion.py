"""Completion: how long a person waits after a tab, when pairs, open order ids or profiles are offered.

`completion.py` prints JSON: {name: {"seconds": [30 of them], "cpu_ms"}}, of the whole process as bash starts it for
each tab. In turns. It fails when what is offered is not what there is.
"""

from __future__ import annotations

import json
import resource
import subprocess
from pathlib import Path
from time import perf_counter

from figures import PATIENCE_S, PROGRAM, environ, folders, sandbox, workplace

ROUNDS = 30
ORDERS = 3
PROFILES = ("main", "dca")


def run(words: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [PROGRAM, *words.split()], env=environment, capture_output=True, check=False, text=True, timeout=PATIENCE_S
    )
    if done.returncode:
        raise SystemExit(f"{words} ended with {done.returncode}\n{done.stderr}")
    return done.stdout


def offered(words: str, environment: dict[str, str]) -> tuple[set[str], float, float]:
    """What is offered for the last of these words, the seconds it took, and those that the processor worked."""
    asked = {"_LATENTSPEED_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    worked, before = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    said = run("", environment | asked)
    taken, after = perf_counter() - before, resource.getrusage(resource.RUSAGE_CHILDREN)
    return set(said.split()), taken, after.ru_utime + after.ru_stime - worked.ru_utime - worked.ru_stime


def main() -> None:
    with workplace() as folder, sandbox(folder):
        environment = environ() | folders(folder)
        profiles = "".join(f'[profiles.{profile}]\nvenue = "hyperliquid"\n' for profile in PROFILES)
        Path(environment["LATENTSPEED_CONFIG"]).write_text(profiles)
        ids = {run("place buy BTC 0.001 mid-10% --post-only -o id", environment).strip() for _ in range(ORDERS)}
        expected = {
            "pairs": ("latentspeed book BTC", {"BTC-USD"}),
            "open order ids": ("latentspeed cancel ", ids),
            "profiles": ("latentspeed --profile ", set(PROFILES)),
        }
        taken: dict[str, list[float]] = {what: [] for what in expected}
        worked: dict[str, list[float]] = {what: [] for what in expected}
        for number in range(ROUNDS + 1):
            for what, (words, there) in expected.items():
                found, seconds, cpu_s = offered(words, environment)
                if not there <= found:
                    raise SystemExit(f"{words!r}: {sorted(found)[:10]} is offered, {sorted(there)} is there")
                if number:  # the first of each reads the disk
                    taken[what].append(seconds)
                    worked[what].append(cpu_s)
        print(
            json.dumps(
                {what: {"seconds": taken[what], "cpu_ms": sorted(worked[what])[ROUNDS // 2] * 1e3} for what in expected}
            )
        )


if __name__ == "__main__":
    main()
