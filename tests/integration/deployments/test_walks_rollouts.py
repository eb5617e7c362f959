"""Rollouts under every fault there is: they end in a legal state, with what was live still answering.

`MIXPEEK_WALK_SECONDS=600 pytest tests/integration/deployments` walks for so long; `MIXPEEK_WALK_SEED` repeats one walk.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Iterator

import pytest

from factories.rollout_walks import Platform, Walk
from mixpeek.db.pool import Database

# Enough for the suite; whoever changes rollouts lets it walk on for some minutes.
WALKS, STEPS = 6, 120


@pytest.fixture(scope="module")
def platform(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    made = Platform.in_folder(database, tmp_path_factory.mktemp("walks"))
    yield made
    made.blocking.close()


def test_random_walks_with_faults_end_in_a_legal_state_with_blue_or_green_answering(platform: Platform) -> None:
    seconds = float(os.environ.get("MIXPEEK_WALK_SECONDS", "0"))
    given = os.environ.get("MIXPEEK_WALK_SEED")
    first = int(given) if given else random.randrange(10**9) if seconds else 1
    until = time.monotonic() + seconds
    moves = faults = walks = 0
    for seed in itertools.count(first):
        if (given or walks >= WALKS) and walks and time.monotonic() >= until:
            break
        walk = Walk(platform, seed)
        walk.run(STEPS)
        moves, faults, walks = moves + walk.moves, faults + walk.faults, walks + 1
    print(f"{walks} walks from seed {first}: {moves} moves, {faults} faults")

    assert faults > walks
