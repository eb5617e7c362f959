"""Documents that hold a value of every kind a filter may meet, in fields of names that want care."""

from __future__ import annotations

from typing import Any

VALUES: tuple[Any, ...] = (
    "a", "A", "ab", "a.b", "a_b", "Red fox", "red", "é", "É", "İ", "ΣΑΣ", "it's", 'say "a"', "\\", "100%", "", " ",
    "5", "5.0", "+5", "-0", "1e3", "9007199254740993", "true", "False", "null", "2026-01-31", "2026-01-31T08:00:00Z",
    "x" * 300, "X" * 300,
    5, 5.0, 5.5, 0, -0.0, -1, 12, 0.1, 1e3, 1e20, 10**20, 10**30, 2**53, 2**53 + 1, 1e-7,
    True, False, None,
    [], [5], ["5"], ["a", 5], ["Red fox"], [None], [True], [[5]], [{"a": 1}], ["a"] * 300, list(range(300)),
    {}, {"a": 1}, {"a": "A"}, {"a": {"b": "a"}}, {"a.b": 5}, {"0": "a"}, {"a": None},
)  # fmt: skip


def stored_documents() -> list[dict[str, Any]]:
    """Return the payload and the lineage of documents: each value in a field, others beside it, or missing."""
    made = []
    for n, value in enumerate(VALUES):
        other = VALUES[(n * 7 + 3) % len(VALUES)]
        payload: dict[str, Any] = {"x": value, "number": n, "body": "word"}
        beside = ("y", "a.b", "metadata", "it's", 'say "x"', "root_object_id")[n % 6]
        payload[beside] = {"y": other, "x": value} if beside == "metadata" else other
        if n % 5 == 0:
            del payload["x"]
        lineage = {"root_object_id": f"obj_{n % 3}", "source_type": "bucket"} if n % 4 else {}
        made.append({"payload": payload, "internal": {"lineage": lineage} if n % 7 else {}})
    return made
