"""How large a batch's chunks are, and in which order collections are filled. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# Each host gets about this many chunks, so that none waits long for the last one, and a crash repeats little.
CHUNKS_PER_HOST = 16
LEAST_OBJECTS = 32


def chunk_size(objects: int, hosts: int, most: int) -> int:
    """Return how many objects a chunk holds: few enough to share out evenly, at most `most`.

    A chunk is what is repeated after a crash and what one commit stores; too small, commits cost more than they save.
    """
    even = -(-objects // (hosts * CHUNKS_PER_HOST))
    return max(1, min(max(even, LEAST_OBJECTS), most))


def covered_from(
    tiers: Sequence[Sequence[str]], sources: Mapping[str, Sequence[str]], start: Sequence[str]
) -> set[str]:
    """Return the collections that a run fills from all their sources hold: those in `start`, and who reads only such.

    Args:
        sources: of each collection that reads others, all it reads, in the run or not.
    """
    covered = set(start)
    for tier in tiers[1:]:
        covered |= {one for one in tier if set(sources[one]) <= covered}
    return covered


def tiers_from(start: Sequence[str], readers: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the collections that a run over `start` fills, tier by tier: each after all it reads from in this run.

    Args:
        readers: of each collection those that read its documents.

    Raises: ValueError: a collection would be filled from its own documents.
    """
    reached, waiting = set(start), list(start)
    while waiting:
        for reader in readers.get(waiting.pop(), ()):
            if reader not in reached:
                reached.add(reader)
                waiting.append(reader)
    unread = dict.fromkeys(reached, 0)
    for one in reached:
        for reader in set(readers.get(one, ())):
            unread[reader] += 1
    tiers: list[list[str]] = []
    ready = [one for one in start if not unread[one]]
    while ready:
        tiers.append(ready)
        following: list[str] = []
        for one in ready:
            for reader in dict.fromkeys(readers.get(one, ())):
                unread[reader] -= 1
                if not unread[reader]:
                    following.append(reader)
        ready = sorted(following)
    if sum(map(len, tiers)) < len(reached):
        stuck = sorted(reached - {one for tier in tiers for one in tier})
        raise ValueError(f"Collections read from each other in a circle: {', '.join(stuck)}")
    return tiers
