"""Every reader of foreign bytes: the committed corpus is replayed, then changed at random for a while.

`MIXPEEK_FUZZ_SECONDS` is the time for all targets together, `MIXPEEK_FUZZ_SEED` repeats a run.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fuzz import corpus
from fuzz.mutations import Change, apply, drawn
from fuzz.seeds import seeds
from fuzz.targets import TARGETS, Target

SECONDS = float(os.environ.get("MIXPEEK_FUZZ_SECONDS", "60")) / len(TARGETS)
SEED = int(os.environ.get("MIXPEEK_FUZZ_SEED") or random.randrange(2**31))
SLOWEST_S = 5
MOST_MEMORY_MIB = 256
PER_CHOICE = 30

_numbers = st.integers(0, 65_535)
_changes = st.lists(st.builds(Change, st.integers(0, 255), _numbers, _numbers), min_size=1, max_size=6)


@contextmanager
def bounded() -> Iterator[None]:
    """Fail if what runs inside hangs, or takes more memory than any input may."""

    def stop(*_: object) -> NoReturn:
        raise TimeoutError(f"an input took more than {SLOWEST_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) // 1024
    assert grown <= MOST_MEMORY_MIB, f"{grown} MiB more"


def run(target: Target, data: bytes) -> None:
    signal.setitimer(signal.ITIMER_REAL, SLOWEST_S)
    try:
        target.run(data)
    except Exception as broken:
        broken.add_note(f"the {target.name} input was {data[:20_000]!r}")
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_bytes_come_a_reader_holds(name: str) -> None:
    ends = time.monotonic() + SECONDS
    target = TARGETS[name]
    inputs = [*seeds(name), *corpus.committed(name)]

    with bounded():
        for data in inputs:
            run(target, data)
        count = change_until(ends, target, inputs)

    print(f"{name}: seed {SEED}, {len(inputs)} inputs, {count} changed ones")


def change_until(ends: float, target: Target, inputs: list[bytes]) -> int:
    """Run changed inputs until the time is over; return how many. Hypothesis chooses, and shrinks what breaks."""
    plain = [target.unwrap(data) for data in inputs]
    rounds, count = 0, 0

    def attempt(base: int, changes: list[Change], how: int, more: int) -> None:
        nonlocal count
        if time.monotonic() > ends:
            return
        run(target, target.repair(apply(changes, plain[base], target.tokens, plain), how))
        # Choosing costs hypothesis more than a run does, so each choice stands for a few more.
        choose = random.Random(more)
        for _ in range(PER_CHOICE):
            changed = apply(drawn(choose), choose.choice(plain), target.tokens, plain)
            run(target, target.repair(changed, choose.randrange(target.repairs)))
        count += 1 + PER_CHOICE

    while time.monotonic() < ends:
        _search(attempt, len(plain), target.repairs, SEED + rounds)
        rounds += 1
    return count


def _search(attempt: Callable[[int, list[Change], int, int], None], bases: int, repairs: int, round_seed: int) -> None:
    searching = settings(
        max_examples=50,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    choices = given(st.integers(0, bases - 1), _changes, st.integers(0, repairs - 1), st.integers(0, 2**32))
    seed(round_seed)(searching(choices(attempt)))()


def test_the_corpus_stays_small() -> None:
    files = [path for folder in (corpus.FOLDER, corpus.BROKEN) for path in folder.rglob("*") if path.is_file()]

    assert len(files) < 300
    assert sum(path.stat().st_size for path in files) < 1_500_000
