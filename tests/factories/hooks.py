"""Where things happen that webhooks are told of: an organization in a database, without a server around it."""

from __future__ import annotations

from typing import Any

from factories.platform import unique
from mixpeek.db.pool import Connection, Database
from mixpeek.tenancy.service import bootstrap, create_namespace
from mixpeek.webhooks import service
from mixpeek.webhooks.models import Delivery, Endpoint, Webhook
from mixpeek.webhooks.queries import list_deliveries
from mixpeek.webhooks.schemas import CreateWebhook
from mixpeek.webhooks.service import Webhooks

NAMESPACE = {
    "namespace_type": "standard",
    "description": None,
    "feature_extractors": [],
    "payload_indexes": [],
    "auto_create_indexes": False,
}


class Place:
    """One organization with a namespace and a bucket, in which things happen."""

    def __init__(self, database: Database, webhooks: Webhooks) -> None:
        self.database = database
        self.webhooks = webhooks
        with database.transaction() as connection:
            self.organization_id = bootstrap(connection, "sk_test_of_webhooks")
            self.namespace_id = self.make_namespace(connection)
            self.bucket_id = self.make_bucket(connection, self.namespace_id)

    def make_namespace(self, connection: Connection) -> str:
        fields = {**NAMESPACE, "namespace_name": unique("hooked")}
        return create_namespace(connection, self.organization_id, fields).namespace_id

    @staticmethod
    def make_bucket(connection: Connection, namespace_id: str) -> str:
        bucket_id = unique("bkt")
        connection.execute(
            "INSERT INTO buckets (bucket_id, namespace_id, bucket_name, bucket_schema) VALUES (%s, %s, %s, '{}')",
            [bucket_id, namespace_id, bucket_id],
        )
        return bucket_id

    def add_objects(self, connection: Connection, count: int = 1, bucket_id: str | None = None) -> None:
        """Insert objects by one statement."""
        connection.execute(
            "INSERT INTO objects (object_id, namespace_id, bucket_id, blobs)"
            " SELECT 'obj_' || gen_random_uuid(), namespace_id, bucket_id, '[]'"
            " FROM buckets, generate_series(1, %s) WHERE bucket_id = %s",
            [count, bucket_id or self.bucket_id],
        )

    def happen(self, count: int = 1) -> None:
        """Have so many objects made, each a transaction and an event."""
        for _ in range(count):
            with self.database.transaction() as connection:
                self.add_objects(connection)

    def hook(self, url: str, *event_types: str, **fields: Any) -> tuple[Webhook, str]:
        """Make a webhook for one URL; return it with its secret."""
        configs = {"url": url, **fields.pop("configs", {})}
        body = CreateWebhook(
            webhook_name=unique("hook"),
            event_types=list(event_types) or ["object.created"],
            channels=[{"channel": "webhook", "configs": configs}],
            **fields,
        )
        with self.database.transaction() as connection:
            made, secrets = self.webhooks.create(connection, self.organization_id, body)
        return made, next(iter(secrets.values()), configs.get("secret", ""))

    def deliveries(self, webhook: Webhook, state: str | None = None) -> list[Delivery]:
        """Return a webhook's deliveries, newest first."""
        with self.database.transaction() as connection:
            return list_deliveries(connection, webhook.webhook_id, 1000, None, state, None)

    def endpoint(self, webhook: Webhook) -> Endpoint:
        """Return a webhook's first endpoint as it stands now."""
        with self.database.transaction() as connection:
            return service.get_webhook(connection, self.organization_id, webhook.webhook_id).endpoints[0]
