"""What is known of a shadow: how often its answers were compared, and how they differ. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mixpeek.deployments.comparison import Difference
from mixpeek.deployments.distribution import Distribution, distribution_from_wire
from mixpeek.inspection.findings import escape

# A plugin may answer with ever new keys; so many are counted by name, the others together.
MOST_KEYS = 100
LONGEST_ERROR = 500
KINDS = ("changed", "missing", "added")
COUNTS = ("mirrored", "compared", "alike", "dropped", "too_large")


@dataclass
class ShadowReport:
    """Counts of one shadow.

    `mirrored` requests have an outcome on both sides; `compared` are those that both versions answered, `alike` those
    of them that say the same, `too_large` those left out for their size. `dropped` requests were not shown to the
    shadow, or it could not take them. `distances` are cosine distances by feature; `latency` is in seconds, by side, of
    the compared requests. `errors` counts by side, and where both failed under `both` as well.
    """

    mirrored: int = 0
    compared: int = 0
    alike: int = 0
    dropped: int = 0
    too_large: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    shadow_codes: Counter[str] = field(default_factory=Counter)
    last_error: str | None = None
    distances: dict[str, Distribution] = field(default_factory=dict)
    unlike: Counter[str] = field(default_factory=Counter)
    keys: dict[str, Counter[str]] = field(default_factory=dict)
    further_keys: int = 0
    latency: dict[str, Distribution] = field(
        default_factory=lambda: {"stable": Distribution(), "shadow": Distribution()}
    )

    @property
    def seen(self) -> int:
        """How much was counted; it grows with each event."""
        return sum(getattr(self, name) for name in COUNTS)

    def note_errors(self, stable: bool, shadow: tuple[str, str] | None) -> None:
        """Count a request on which one side failed; of the shadow, with the error's code and message."""
        self.mirrored += 1
        if stable:
            self.errors["stable"] += 1
        if shadow is not None:
            self.errors["shadow"] += 1
            self.shadow_codes[shadow[0]] += 1
            self.last_error = escape(shadow[1][:LONGEST_ERROR])
        if stable and shadow is not None:
            self.errors["both"] += 1

    def note_times(self, stable_s: float, shadow_s: float) -> None:
        """Count how long a request took that both sides answered."""
        self.mirrored += 1
        self.latency["stable"].add(stable_s)
        self.latency["shadow"].add(shadow_s)

    def note_difference(self, difference: Difference) -> None:
        """Count how two answers differ."""
        self.compared += 1
        self.alike += difference.is_none
        for name, distance in difference.distances.items():
            self.distances.setdefault(name, Distribution()).add(distance)
        self.unlike.update(difference.unlike)
        for kind in KINDS:
            for key in getattr(difference, kind):
                self._count_key(key, kind, 1)

    def merge(self, other: ShadowReport) -> None:
        """Count what another process has counted too; its last error is taken for the later one."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.errors += other.errors
        self.shadow_codes += other.shadow_codes
        self.last_error = other.last_error or self.last_error
        for name, distances in other.distances.items():
            self.distances.setdefault(name, Distribution()).merge(distances)
        self.unlike += other.unlike
        for key, kinds in other.keys.items():
            for kind, number in kinds.items():
                self._count_key(key, kind, number)
        self.further_keys += other.further_keys
        for side, times in other.latency.items():
            self.latency[side].merge(times)

    def _count_key(self, key: str, kind: str, number: int) -> None:
        if key not in self.keys and len(self.keys) >= MOST_KEYS:
            self.further_keys += number
            return
        self.keys.setdefault(key, Counter())[kind] += number

    def wire(self) -> dict[str, Any]:
        """Return it as JSON can hold it, to be added to others later."""
        return {
            **{name: getattr(self, name) for name in COUNTS},
            "errors": dict(self.errors),
            "shadow_codes": dict(self.shadow_codes),
            "last_error": self.last_error,
            "distances": {name: found.wire() for name, found in self.distances.items()},
            "unlike": dict(self.unlike),
            "keys": {key: dict(kinds) for key, kinds in self.keys.items()},
            "further_keys": self.further_keys,
            "latency": {side: found.wire() for side, found in self.latency.items()},
        }

    def describe(self) -> dict[str, Any]:
        """Return what the report comes to, as clients read it."""
        names = sorted(self.distances.keys() | self.unlike.keys())
        times = {side: _milliseconds(found) for side, found in self.latency.items()}
        return {
            **{name: getattr(self, name) for name in COUNTS},
            "errors": {side: self.errors[side] for side in ("stable", "shadow", "both")},
            "shadow_error_codes": dict(self.shadow_codes),
            "last_shadow_error": self.last_error,
            "features": [
                {"feature": name, **_cosines(self.distances.get(name, Distribution())), "unlike": self.unlike[name]}
                for name in names
            ],
            "keys": [
                {"key": key, **{kind: kinds[kind] for kind in KINDS}}
                for key, kinds in sorted(self.keys.items(), key=lambda item: (-item[1].total(), item[0]))
            ],
            "further_keys": self.further_keys,
            "latency": {**times, "ratio": {name: _ratio(times, name) for name in ("p50", "p95")}},
        }


def report_from_wire(parts: Iterable[dict[str, Any]]) -> ShadowReport:
    """Return the sum of what `ShadowReport.wire` made these of, the latest last."""
    found = ShadowReport()
    for part in parts:
        found.merge(
            ShadowReport(
                **{name: part[name] for name in COUNTS},
                errors=Counter(part["errors"]),
                shadow_codes=Counter(part["shadow_codes"]),
                last_error=part["last_error"],
                distances={name: distribution_from_wire(each) for name, each in part["distances"].items()},
                unlike=Counter(part["unlike"]),
                keys={key: Counter(kinds) for key, kinds in part["keys"].items()},
                further_keys=part["further_keys"],
                latency={side: distribution_from_wire(each) for side, each in part["latency"].items()},
            )
        )
    return found


def _cosines(distances: Distribution) -> dict[str, Any]:
    """Return how like the vectors were: the one-hundredth that differ most have a cosine below `p1`."""
    parts = {"p1": 0.99, "p5": 0.95, "p50": 0.5}
    cosines = {
        "min": distances.largest if distances.count else None,
        **{name: distances.quantile(part) for name, part in parts.items()},
        "mean": distances.mean,
    }
    return {
        "compared": distances.count,
        **{name: None if distance is None else round(1.0 - distance, 9) for name, distance in cosines.items()},
    }


def _milliseconds(times: Distribution) -> dict[str, float | None]:
    found = {"p50": times.quantile(0.5), "p95": times.quantile(0.95)}
    return {name: None if seconds is None else round(seconds * 1000, 3) for name, seconds in found.items()}


def _ratio(times: dict[str, dict[str, float | None]], name: str) -> float | None:
    stable, shadow = times["stable"][name], times["shadow"][name]
    return round(shadow / stable, 3) if stable and shadow is not None else None
