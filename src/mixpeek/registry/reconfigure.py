"""Adding the features of a namespace's plugins to what it can index. Additive: nothing is ever dropped."""

from __future__ import annotations

from typing import Any

from mixpeek.db.pool import Connection, dict_rows
from mixpeek.registry import queries
from mixpeek.registry.library import list_enabled
from mixpeek.tenancy.models import Namespace


def reconfigure(
    connection: Connection, namespace: Namespace, outdated: list[dict[str, Any]], points: int, *, dry_run: bool
) -> dict[str, Any]:
    """Record the features of every active and enabled plugin; with `dry_run`, only say what would be added.

    Args:
        outdated: collections made by another version than the one they follow; they would need a backfill.
        points: documents of the namespace now; none of them is touched.
    """
    namespace_id = namespace.namespace_id
    known = {r["feature_uri"] for r in dict_rows(
        connection, "SELECT feature_uri FROM namespace_features WHERE namespace_id = %s", [namespace_id]
    )}  # fmt: skip
    versions = queries.list_versions(connection, namespace_id, active_only=True)
    wanted = {
        feature.uri(version.parsed_manifest)
        for version in [*versions, *list_enabled(connection, namespace_id)]
        for feature in version.parsed_manifest.embeddings
    }
    added = sorted(wanted - known)
    if not dry_run:
        connection.execute(
            "INSERT INTO namespace_features (namespace_id, feature_uri) SELECT %s, unnest(%s::text[])"
            " ON CONFLICT DO NOTHING",
            [namespace_id, added],
        )
    status = ("planned" if dry_run else "reconfigured") if added else "no_changes_needed"
    return {
        "success": True,
        "namespace_id": namespace_id,
        "status": status,
        "dry_run": dry_run,
        "previous_points_count": points,
        "vectors_added": added,
        "vectors_total": sorted(wanted | known),
        "collections_to_reprocess": [row["collection_id"] for row in outdated],
        "collections": outdated,
        "message": f"{len(added)} features {'would be' if dry_run else 'were'} added; no document is touched",
    }
