"""How a batch ended. Pure: counts in, status and words out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    status: str
    error: str | None


def judge_batch(tiers: Sequence[tuple[str, str | None]]) -> Verdict:
    """Return how a batch ended from how its tiers did, in order: (status, error) of each.

    A tier that stored nothing of what it had is FAILED, and so is its batch, whatever was stored before.
    """
    worst = next((s for s in ("FAILED", "COMPLETED_WITH_ERRORS") if any(s == status for status, _ in tiers)), None)
    if worst is None:
        return Verdict("COMPLETED", None)
    told = [(number, error) for number, (_, error) in enumerate(tiers) if error]
    words = [error if len(tiers) == 1 else f"tier {number}: {error}" for number, error in told]
    return Verdict(worst, "; ".join(words) or None)


def judge(rows: int, written: int, missing: int, causes: dict[str, int], first_message: str | None) -> Verdict:
    """Return COMPLETED only when every row is stored; a batch that stores nothing of what it had is FAILED.

    Args:
        rows: rows that were run. written: rows the ledger says were written. missing: documents that were written and
            are not stored, although nobody deleted them.
    """
    if missing:
        return Verdict("FAILED", f"{missing} of {written} documents that were written are missing; run the batch again")
    if rows == 0:
        return Verdict("COMPLETED", None)
    if written == rows:
        return Verdict("COMPLETED", None)
    listed = ", ".join(f"{count} {cause}" for cause, count in causes.items())
    words = f"{rows - written} of {rows} rows were not stored: {listed}"
    if first_message:
        words += f". First: {first_message}"
    return Verdict("FAILED" if written == 0 else "COMPLETED_WITH_ERRORS", words)
