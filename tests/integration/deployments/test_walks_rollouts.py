"""Rollouts under every fault there is: they end in a legal state, with what was live still answering.

`MIXPEEK_WALK_SECONDS=600 pytest tests/integration/deployments` walks for so long; `MIXPEEK_WALK_SEED` repeats one walk.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from factories.rollout_walks import Platform, Walk
from mixpeek.api.routes.plugins import remove_version
from mixpeek.deployments import service
from mixpeek.errors import Conflict, NotFound
from mixpeek.registry.models import PluginVersion
from mixpeek.tenancy.models import Namespace

# Enough for the suite; whoever changes rollouts lets it walk on for some minutes.
WALKS, STEPS = 5, 100


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


def test_what_is_asked_at_the_same_moment_is_decided_one_after_the_other(platform: Platform) -> None:
    database = platform.database
    for _ in range(4):
        namespace = platform.make_namespace()
        version = platform.publish(namespace, "words", "1.0.0")
        together = threading.Barrier(6)

        def deploy(namespace: Namespace = namespace, version: PluginVersion = version, at: Any = together) -> str:
            at.wait()
            with database.transaction() as connection:
                answer = service.deploy(connection, namespace, version, batch_only=False, message=None, actor="test")
            return str(answer["deployment_id"])

        def delete(version: PluginVersion = version, at: Any = together) -> None:
            at.wait()
            with database.transaction() as connection:
                remove_version(connection, version, actor="test", force=False)

        with ThreadPoolExecutor(6) as pool:
            deploying = [pool.submit(deploy) for _ in range(5)]
            deleting = pool.submit(delete)
        refused = [each for each in deploying if isinstance(each.exception(), NotFound)]
        ids = {each.result() for each in deploying if each not in refused}

        if isinstance(deleting.exception(), Conflict):
            assert (len(refused), len(ids)) == (0, 1), "one rollout, which keeps its version from being deleted"
        else:
            assert (deleting.exception(), len(refused), len(ids)) == (None, 5, 0)
        with database.transaction() as connection:
            connection.execute("DELETE FROM namespaces WHERE namespace_id = %s", [namespace.namespace_id])
