"""Retrievers that were executed lately, remembered with what they search: looking them up took a third of a search.

What is remembered may have changed since. So the search itself checks, in its own snapshot, that the rows it was read
from are still those (`Premise`), and whatever comes of an execution whose premise was not confirmed is not used.
"""

from __future__ import annotations

from typing import Any

from mixpeek.retrieval.queries import WithTargets
from mixpeek.retrieval.targets import TEXT

MOST = 10_000
# A search that handles more at once is none that anything else may wait for.
MOST_FOUND = 200


class KnownRetrievers:
    """What this process executed last; threads share it, each entry is written whole."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], WithTargets] = {}

    def recall(self, namespace_id: str, identifier: str) -> WithTargets | None:
        """Return a retriever by id or name, that is one short search of vectors; it has to be confirmed."""
        return self._known.get((namespace_id, identifier))

    def note(self, namespace_id: str, identifier: str, known: WithTargets) -> None:
        """Remember a retriever if it is one short search of vectors in one collection, which will confirm it."""
        searched = [target.collection_id for target in known.targets]
        if len(searched) != 1 or searched != known.retriever.collection_ids or not is_short(known.retriever.stages):
            self.forget(namespace_id, identifier)
            return
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[namespace_id, identifier] = known

    def forget(self, namespace_id: str, identifier: str) -> None:
        self._known.pop((namespace_id, identifier), None)


def is_short(stages: list[dict[str, Any]]) -> bool:
    """Tell whether stages are one search of vectors, of so little that the event loop may do what is to compute. Pure.

    Words are ranked here and facets counted here, as much as there is of them.
    """
    if len(stages) != 1 or stages[0]["config"]["stage_id"] != "feature_search":
        return False
    parameters = stages[0]["config"].get("parameters") or {}
    searches = parameters.get("searches") or []
    if len(searches) != 1 or parameters.get("facets") or parameters.get("group_by"):
        return False
    [search] = searches
    return (
        not str(search.get("feature_uri")).endswith(f"/{TEXT}")
        and _is_few(search.get("top_k", 0))
        and _is_few(parameters.get("final_top_k", 0))
        and search.get("on_empty") != "random"
    )


def _is_few(wanted: Any) -> bool:
    return isinstance(wanted, int) and wanted <= MOST_FOUND
