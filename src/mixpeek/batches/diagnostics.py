"""What a batch's counts say of how it goes and what to do next. Pure."""

from __future__ import annotations

from typing import Any

from mixpeek.batches.faults import TRANSIENT
from mixpeek.batches.models import Batch

_TAKES_LONG_S = 3600.0


def diagnose(batch: Batch, progress: dict[str, Any], causes: dict[str, int]) -> dict[str, Any]:
    """Return the documented diagnostics; `causes` counts the rows that did not become documents, most first."""
    counts = {
        "processed_documents": progress["written"] + progress["skipped"] + progress["failed"],
        "total_documents": max(progress["rows"], progress["objects"]),
        "percentage": progress["percentage"],
    }
    return {
        "batch_id": batch.batch_id,
        "status": batch.status,
        "overall_progress": counts,
        "tiers": [
            {
                "tier_num": tier["tier_num"],
                "collection_ids": tier["collection_ids"],
                "status": tier["status"],
                "progress": _progress_of(tier),
            }
            for tier in batch.tiers
        ],
        "rows_per_s": progress["rows_per_s"],
        "estimated_completion": progress["eta_s"],
        "has_failures": progress["failed"] > 0 or batch.status == "FAILED",
        "error_summary": causes,
        "insights": _insights(progress, causes),
        "next_actions": _next_actions(batch, progress, causes),
    }


def _progress_of(tier: dict[str, Any]) -> dict[str, Any]:
    """Return a tier's counts; what one under way has done is told of the batch as a whole."""
    missed, written = sum(tier["error_summary"].values()), tier["written"] or 0
    total = max(tier["sources_taken"] or 0, written + missed)
    is_over = tier["completed_at"] is not None
    return {
        "processed_documents": written + missed,
        "total_documents": total,
        "percentage": 100.0 if is_over else 0.0,
    }


def _insights(progress: dict[str, Any], causes: dict[str, int]) -> list[str]:
    found = []
    if progress["paused"] is not None:
        found.append(f"It waits since {progress['paused']['since']:%Y-%m-%d %H:%M:%S}: {progress['paused']['cause']}")
    judged = progress["rows"]
    if judged and progress["failed"]:
        cause, count = next(iter(causes.items()))
        share = 100.0 * progress["failed"] / judged
        found.append(f"{progress['failed']} of {judged} rows failed ({share:.1f} %), {count} of them with {cause!r}")
    if (progress["eta_s"] or 0.0) > _TAKES_LONG_S:
        found.append(f"At {progress['rows_per_s']} rows a second it takes {progress['eta_s'] / 3600:.1f} h more")
    return found


def _next_actions(batch: Batch, progress: dict[str, Any], causes: dict[str, int]) -> list[str]:
    if batch.status == "DRAFT":
        return ["Submit it: POST …/batches/{batch_id}/submit"]
    if batch.status in ("PENDING", "IN_PROGRESS"):
        return ["Watch it: GET …/batches/{batch_id}/events"]
    if not progress["failed"] and batch.status == "COMPLETED":
        return []
    actions = ["Read each row's cause: GET …/batches/{batch_id}/failed-documents"]
    if any(cause in TRANSIENT for cause in causes):
        actions.append(
            'Try again what may have passed: POST …/batches/{batch_id}/retry {"retry_mode": "transient_only"}'
        )
    actions.append('After a repair, run what failed again: POST …/batches/{batch_id}/retry {"retry_mode": "all"}')
    return actions
