"""Documents brought together by a field's value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mixpeek.retrieval.results import Result, found, hashable

OutputMode = Literal["first", "all", "flatten"]


@dataclass
class Group:
    """The documents that hold one value, in their order; `count` counts those too that are not kept."""

    value: Any
    count: int = 0
    kept: list[Result] = field(default_factory=list)

    def wire(self) -> dict[str, Any]:
        return {
            "group_key": self.value,
            "count": self.count,
            "document_ids": [result.document_id for result in self.kept],
        }


def group_results(results: Sequence[Result], name: str, *, most: int, limit: int | None = None) -> list[Group]:
    """Return the groups that documents make by a field, in the order of their first; those without it are one group.

    Documents stay in the order they come in, whichever stage made it.

    Args: most: documents kept of each group. limit: groups kept.
    """
    groups: dict[Any, Group] = {}
    for result in results:
        value = found(result.read(name))
        group = groups.setdefault(hashable(value), Group(value))
        group.count += 1
        if len(group.kept) < most:
            group.kept.append(result)
    return list(groups.values())[:limit]


def flatten(groups: Sequence[Group], mode: OutputMode) -> list[Result]:
    """Return what is shown of groups, one after the other: the first of each, or all that were kept.

    In mode `all` each document says which group it belongs to.
    """
    if mode == "first":
        return [group.kept[0] for group in groups]
    if mode == "all":
        for group in groups:
            for result in group.kept:
                result.group = group.value
    return [result for group in groups for result in group.kept]
