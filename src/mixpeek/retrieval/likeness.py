"""How alike documents on their way are, by the vectors that are stored of them; vectors of one space only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mixpeek.retrieval.context import Context
from mixpeek.retrieval.results import Result
from mixpeek.retrieval.targets import Space

if TYPE_CHECKING:
    from mixpeek.retrieval.diversity import Matrix


def likeness_of(
    context: Context, results: Sequence[Result], spaces: Sequence[Space], *, metric: str | None = None, unknown: float
) -> Matrix:
    """Return how alike results are, shape (n, n), in the spaces of a feature; each collection is in one of them.

    Args:
        metric: default that of each space.
        unknown: of two that have no vectors of the same space, which nothing can be said about.
    """
    import numpy as np

    from mixpeek.retrieval.diversity import similarity_of_vectors  # loads numpy

    context.load(results, vectors=True)
    whole = np.full((len(results), len(results)), unknown)
    for space in spaces:
        ids, name = {target.collection_id for target in space.targets}, space.feature["name"]
        known = [
            (place, vector)
            for place, each in enumerate(results)
            if each.collection_id in ids and each.stored is not None and (vector := each.stored.vectors.get(name))
        ]
        if known:
            places = [place for place, _ in known]
            vectors = [vector for _, vector in known]
            whole[np.ix_(places, places)] = similarity_of_vectors(vectors, metric or space.feature["distance"])
    return whole
