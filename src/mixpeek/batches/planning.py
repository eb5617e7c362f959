"""How large a batch's chunks are. Pure."""

from __future__ import annotations

# Each host gets about this many chunks, so that none waits long for the last one, and a crash repeats little.
CHUNKS_PER_HOST = 16
LEAST_OBJECTS = 32


def chunk_size(objects: int, hosts: int, most: int) -> int:
    """Return how many objects a chunk holds: few enough to share out evenly, at most `most`.

    A chunk is what is repeated after a crash and what one commit stores; too small, commits cost more than they save.
    """
    even = -(-objects // (hosts * CHUNKS_PER_HOST))
    return max(1, min(max(even, LEAST_OBJECTS), most))
