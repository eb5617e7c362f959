"""What a namespace may hold at most, where the operator has set a limit."""

from __future__ import annotations

from dataclasses import dataclass

from mixpeek.db.pool import Connection, dict_rows
from mixpeek.errors import AccessError
from mixpeek.tenancy.models import BUILTIN_NAMESPACE


class QuotaExceeded(AccessError):
    """The namespace holds as much as it may."""

    type, code = "QuotaExceededError", "tenancy.quota_exceeded"
    hint = "Delete versions that are not needed, or have the operator raise the limit"


@dataclass(frozen=True)
class Quotas:
    """Limits per namespace; 0 means none."""

    plugins: int = 0
    archive_bytes: int = 0

    def check(self, connection: Connection, namespace_id: str, name: str, added_bytes: int) -> None:
        """Refuse a version of `name` with `added_bytes` of archive where it would exceed a limit.

        Publications into one namespace wait for each other from here on, so that none slips past the other.
        """
        if (not self.plugins and not self.archive_bytes) or namespace_id == BUILTIN_NAMESPACE:
            return
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('mixpeek.quotas'), hashtext(%s))", [namespace_id])
        held = dict_rows(
            connection,
            "SELECT count(DISTINCT name)::int AS plugins, COALESCE(bool_or(name = %s), false) AS known,"
            " COALESCE(sum(size_bytes), 0)::bigint AS bytes FROM plugin_versions"
            " WHERE namespace_id = %s AND deleted_at IS NULL",
            [name, namespace_id],
        )[0]
        if self.plugins and not held["known"] and held["plugins"] >= self.plugins:
            raise QuotaExceeded(
                f"This namespace holds {held['plugins']} plugins, its limit",
                resource="plugins", current=held["plugins"], limit=self.plugins, tier=None,
            )  # fmt: skip
        if self.archive_bytes and int(held["bytes"]) + added_bytes > self.archive_bytes:
            raise QuotaExceeded(
                f"{added_bytes} more bytes of archives would exceed this namespace's limit of {self.archive_bytes}",
                resource="archive_bytes", current=int(held["bytes"]), limit=self.archive_bytes, tier=None,
            )  # fmt: skip
