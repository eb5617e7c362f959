"""Which replica set answers for which name: read by every request, replaced whole when the database says so."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from mixpeek.contract.versions import plugin_id_from
from mixpeek.serving.replica import Answer
from mixpeek.serving.replica_set import ReplicaSet

_URI = re.compile(r"^mixpeek://(?P<name>[^@/\s]+)(?:@(?P<version>[^@/\s]+))?(?:/(?P<feature>[^@/\s]+))?$")
# A version that is written so means the one that is live.
FOLLOWS = (None, "live", "latest")

# Told of each request and of the future of its answer; must not wait.
Tap = Callable[[bytes, "asyncio.Future[Answer]"], None]


@dataclass(frozen=True)
class Wanted:
    """What a request names: a plugin's name or id, a version unless it follows the live one, and maybe a feature."""

    name: str
    version: str | None = None
    feature: str | None = None


def wanted_from_uri(text: str) -> Wanted:
    """Return what `mixpeek://name[@version][/feature]` names; raise ValueError if it has another form."""
    match = _URI.match(text)
    if match is None:
        raise ValueError("write mixpeek://name/feature, or mixpeek://name@version/feature")
    version = None if match["version"] in FOLLOWS else match["version"]
    return Wanted(match["name"], version, match["feature"])


@dataclass(frozen=True)
class Route:
    """The sets that share the requests of one name, with their weights, at most two; a tap sees each request too."""

    targets: tuple[tuple[ReplicaSet, float], ...]
    tap: Tap | None = None

    def pick(self) -> ReplicaSet:
        """Return the set that answers the next request."""
        if len(self.targets) == 1:
            return self.targets[0][0]
        (first, weight), (second, other) = self.targets
        return first if random.random() * (weight + other) < weight else second  # noqa: S311


@dataclass(frozen=True)
class RouteTable:
    """Every route of this process: `by_name` follows what is live, `by_plugin` is one version each."""

    by_name: dict[tuple[str, str], Route] = field(default_factory=dict)
    by_plugin: dict[tuple[str, str], Route] = field(default_factory=dict)

    def find(self, namespace_id: str, wanted: Wanted) -> Route | None:
        """Return the route of a name, of a plugin id or of a name with a version; None where that is not live."""
        if wanted.version is None:
            key = (namespace_id, wanted.name)
            return self.by_plugin.get(key) or self.by_name.get(key)
        try:
            return self.by_plugin.get((namespace_id, plugin_id_from(wanted.name, wanted.version)))
        except ValueError:  # no version number: whoever looks it up says so
            return None
