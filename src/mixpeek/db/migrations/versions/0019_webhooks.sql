CREATE TABLE webhooks (
    webhook_id      text PRIMARY KEY,
    organization_id text NOT NULL REFERENCES organizations,
    webhook_name    text NOT NULL,
    event_types     text[] NOT NULL,                -- names, or patterns such as `batch.*` and `*`
    namespaces      text[],                         -- the only namespaces it is told of, by id; null: all
    is_active       boolean NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organization_id, webhook_name)
);

-- One URL of a webhook, with how it has been doing. Its signing secret and the values of its headers are kept sealed,
-- among the secrets, under `webhook:<endpoint_id>`.
CREATE TABLE webhook_endpoints (
    endpoint_id     text PRIMARY KEY,
    webhook_id      text NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    place           integer NOT NULL,               -- its place among the webhook's channels
    url             text NOT NULL,
    header_names    text[] NOT NULL DEFAULT '{}',
    timeout_s       real NOT NULL,
    old_secret_ends timestamptz,                    -- until then the secret before the last rotation signs too
    failures        integer NOT NULL DEFAULT 0,     -- in a row
    failing_since   timestamptz,
    last_error      text,
    disabled_at     timestamptz,
    disabled_reason text,
    UNIQUE (webhook_id, place) DEFERRABLE INITIALLY DEFERRED
);

-- What happened. A row is written only where an endpoint wants it, by the transaction in which it happened.
CREATE TABLE events (
    entry           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id        text NOT NULL UNIQUE DEFAULT 'evt_' || replace(gen_random_uuid()::text, '-', ''),
    organization_id text NOT NULL,
    namespace_id    text,
    event_type      text NOT NULL,
    resource_type   text NOT NULL,
    resource_id     text NOT NULL,
    data            jsonb NOT NULL,
    request_id      text,                           -- of the request that caused it, directly or by a task
    at              timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX events_by_age ON events USING brin (at);

-- One event on its way to one endpoint: the outbox. It is sent while `pending`; whoever sends it holds the lease.
CREATE TABLE webhook_deliveries (
    entry           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_id     text NOT NULL UNIQUE DEFAULT 'whd_' || replace(gen_random_uuid()::text, '-', ''),
    event           bigint NOT NULL REFERENCES events ON DELETE CASCADE,
    endpoint_id     text NOT NULL REFERENCES webhook_endpoints ON DELETE CASCADE,
    webhook_id      text NOT NULL,
    event_type      text NOT NULL,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts        integer NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at      timestamptz,                    -- the first attempt; the time to go on trying counts from here
    ended_at        timestamptz,
    leased_by       text,
    leased_until    timestamptz,
    history         jsonb NOT NULL DEFAULT '[]',    -- the last attempts: {at, status, error, duration_ms}
    response        text,                           -- the beginning of the last answer
    replay_of       text
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, next_attempt_at, entry) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, entry DESC);
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (event);

SELECT audit_watch('webhooks', 'webhook', 'webhook_id');
-- How an endpoint is doing is no change that anybody made; that it was disabled is told.
SELECT audit_watch('webhook_endpoints', 'webhook', 'webhook_id', '{failures,failing_since,last_error}',
    'add_endpoint', 'update_endpoint', 'remove_endpoint');

-- events --------------------------------------------------------------------------------------------------------------
CREATE FUNCTION event_matches(patterns text[], kind text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT EXISTS (SELECT FROM unnest(patterns) p
        WHERE p = kind OR (right(p, 1) = '*' AND starts_with(kind, left(p, -1))))
$$;

CREATE FUNCTION event_organization(namespace text) RETURNS text LANGUAGE sql STABLE AS $$
    -- What goes with its namespace has none to ask any more.
    SELECT COALESCE((SELECT organization_id FROM namespaces WHERE namespace_id = namespace),
        NULLIF(current_setting('mixpeek.origin', true), '')::jsonb->>'organization_id')
$$;

CREATE FUNCTION event_is_wanted(kind text, organization text, namespace text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM webhooks w WHERE w.organization_id = organization AND w.is_active
        AND (w.namespaces IS NULL OR namespace = ANY(w.namespaces)) AND event_matches(w.event_types, kind))
$$;

-- Writes one event of a kind per resource, with a delivery to each endpoint that wants it, and wakes who delivers.
CREATE FUNCTION event_tell(
    kind text, organization text, namespace text, type text, ids text[], told jsonb[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    origin jsonb := COALESCE(NULLIF(current_setting('mixpeek.origin', true), '')::jsonb, '{}');
    endpoints text[];
    hooks text[];
BEGIN
    -- Held until the commit, so that none is deleted between this look and its delivery. One that is being deleted is
    -- not waited for, and must not make what happened fail.
    SELECT array_agg(wanting.endpoint_id), array_agg(wanting.webhook_id) INTO endpoints, hooks FROM (
        SELECT e.endpoint_id, e.webhook_id FROM webhooks w JOIN webhook_endpoints e USING (webhook_id)
        WHERE w.organization_id = organization AND w.is_active AND e.disabled_at IS NULL
            AND (w.namespaces IS NULL OR namespace = ANY(w.namespaces)) AND event_matches(w.event_types, kind)
        FOR KEY SHARE OF e SKIP LOCKED) wanting;
    IF endpoints IS NULL OR ids IS NULL THEN
        RETURN;
    END IF;
    WITH written AS (
        INSERT INTO events (organization_id, namespace_id, event_type, resource_type, resource_id, data, request_id)
        SELECT organization, namespace, kind, type, t.id, t.data, origin->>'request_id'
        FROM unnest(ids, told) WITH ORDINALITY t (id, data, place) ORDER BY t.place
        RETURNING entry)
    INSERT INTO webhook_deliveries (event, endpoint_id, webhook_id, event_type)
    SELECT w.entry, e.endpoint_id, e.webhook_id, kind
    FROM written w CROSS JOIN unnest(endpoints, hooks) e (endpoint_id, webhook_id) ORDER BY w.entry;
    PERFORM pg_notify('mixpeek_webhooks', '');
END $$;

-- Arguments: resource type, column of its id, columns that are told, and the kind of event by status or by operation.
CREATE FUNCTION event_of_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    whole jsonb := to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END);
    kind text := COALESCE(TG_ARGV[3]::jsonb->>(whole->>'status'), TG_ARGV[3]::jsonb->>TG_OP);
    namespace text := COALESCE(whole->>'namespace_id',
        (SELECT b.namespace_id FROM batches b WHERE b.batch_id = whole->>'batch_id'));
    organization text;
BEGIN
    IF kind IS NULL OR (TG_OP = 'UPDATE' AND whole - 'updated_at' = to_jsonb(OLD) - 'updated_at') THEN
        RETURN NULL;
    END IF;
    organization := COALESCE(whole->>'organization_id', event_organization(namespace));
    IF event_is_wanted(kind, organization, namespace) THEN
        PERFORM event_tell(kind, organization, namespace, TG_ARGV[0], ARRAY[whole->>TG_ARGV[1]], ARRAY[
            (SELECT jsonb_object_agg(c, whole->c) FROM unnest(TG_ARGV[2]::text[]) c)]);
    END IF;
    RETURN NULL;
END $$;

-- Every step of a plugin's life that is ever told of is a line of its ledger.
CREATE FUNCTION event_of_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kind text := CASE
        WHEN NEW.action = 'publish' THEN 'plugin.published'
        WHEN NEW.action = 'delete' THEN 'plugin.deleted'
        WHEN NEW.action = 'undeploy' THEN 'deployment.undeployed'
        WHEN NEW.action = 'promote' THEN 'deployment.promoted'
        WHEN NEW.outcome = 'queued' THEN 'deployment.started'
        WHEN NEW.outcome = 'failed' THEN 'deployment.failed'
        WHEN NEW.action IN ('deploy', 'rollback') THEN 'deployment.deployed'
    END;
    type text := split_part(kind, '.', 1);
    organization text := event_organization(NEW.namespace_id);
BEGIN
    IF kind IS NOT NULL AND event_is_wanted(kind, organization, NEW.namespace_id) THEN
        PERFORM event_tell(kind, organization, NEW.namespace_id, type,
            ARRAY[COALESCE(CASE type WHEN 'deployment' THEN NEW.details->>'deployment_id' END, NEW.plugin_id)],
            ARRAY[NEW.details || jsonb_build_object('plugin_id', NEW.plugin_id, 'name', NEW.name, 'action', NEW.action,
                'outcome', NEW.outcome, 'actor', NEW.actor, 'message', NEW.message)]);
    END IF;
    RETURN NULL;
END $$;

-- The objects that a transaction has created so far, where somebody wants to be told of all of them in one event; they
-- leave this table before it commits. How many statements it took is nobody's business.
CREATE UNLOGGED TABLE created_objects (
    transaction     xid8 NOT NULL,
    organization_id text NOT NULL,
    namespace_id    text NOT NULL,
    bucket_id       text NOT NULL,
    object_id       text NOT NULL,
    sequence        bigint NOT NULL,
    is_first        boolean NOT NULL                -- of its transaction: it stands for them all
);
CREATE INDEX created_objects_by_transaction ON created_objects (transaction);

-- Tells of the objects of a transaction when it is about to commit, at most a thousand in one event.
CREATE FUNCTION event_of_created_objects() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    part record;
BEGIN
    FOR part IN
        SELECT organization_id, namespace_id, bucket_id, array_agg(object_id ORDER BY sequence) AS ids FROM (
            SELECT *, row_number() OVER (PARTITION BY bucket_id ORDER BY sequence) - 1 AS nth,
                count(*) OVER (PARTITION BY bucket_id) AS total
            FROM created_objects WHERE transaction = pg_current_xact_id()) numbered
        WHERE total > 1 GROUP BY organization_id, namespace_id, bucket_id, nth / 1000 ORDER BY min(sequence)
    LOOP
        PERFORM event_tell('objects.created.batch', part.organization_id, part.namespace_id, 'bucket',
            ARRAY[part.bucket_id], ARRAY[jsonb_build_object('bucket_id', part.bucket_id, 'object_ids', part.ids,
                'count', cardinality(part.ids))]);
    END LOOP;
    DELETE FROM created_objects WHERE transaction = pg_current_xact_id();
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER event AFTER INSERT ON created_objects DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.is_first) EXECUTE FUNCTION event_of_created_objects();

-- Objects come by the thousand: one call per statement, and what they hold is not copied.
CREATE FUNCTION event_of_objects() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kind text := CASE TG_OP WHEN 'INSERT' THEN 'object.created' WHEN 'UPDATE' THEN 'object.updated'
        ELSE 'object.deleted' END;
    namespace text;
    organization text;
BEGIN
    -- Most servers have none, and objects may come one to a statement.
    IF NOT EXISTS (SELECT FROM webhooks WHERE is_active) THEN
        RETURN NULL;
    END IF;
    FOR namespace IN SELECT DISTINCT c.namespace_id FROM changed c LOOP
        organization := event_organization(namespace);
        IF event_is_wanted(kind, organization, namespace) THEN
            IF TG_OP = 'UPDATE' THEN
                PERFORM event_tell(kind, organization, namespace, 'object', array_agg(c.object_id ORDER BY c.sequence),
                    array_agg(event_object(c.object_id, c.bucket_id, c.status, c.size_bytes) ORDER BY c.sequence))
                FROM changed c JOIN before b USING (object_id)
                WHERE c.namespace_id = namespace AND to_jsonb(c) - 'updated_at' <> to_jsonb(b) - 'updated_at';
            ELSE
                PERFORM event_tell(kind, organization, namespace, 'object', array_agg(c.object_id ORDER BY c.sequence),
                    array_agg(event_object(c.object_id, c.bucket_id, c.status, c.size_bytes) ORDER BY c.sequence))
                FROM changed c WHERE c.namespace_id = namespace;
            END IF;
        END IF;
        IF TG_OP = 'INSERT' AND event_is_wanted('objects.created.batch', organization, namespace) THEN
            INSERT INTO created_objects
            SELECT pg_current_xact_id(), organization, namespace, c.bucket_id, c.object_id, c.sequence,
                row_number() OVER (ORDER BY c.sequence) = 1 AND NOT EXISTS (
                    SELECT FROM created_objects o WHERE o.transaction = pg_current_xact_id())
            FROM changed c WHERE c.namespace_id = namespace;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION event_object(object_id text, bucket_id text, status text, size_bytes bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('object_id', object_id, 'bucket_id', bucket_id, 'status', status,
        'size_bytes', size_bytes)
$$;

CREATE TRIGGER event_created AFTER INSERT ON objects REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION event_of_objects();
CREATE TRIGGER event_updated AFTER UPDATE ON objects REFERENCING NEW TABLE AS changed OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION event_of_objects();
CREATE TRIGGER event_deleted AFTER DELETE ON objects REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION event_of_objects();

CREATE TRIGGER event AFTER INSERT ON plugin_ledger FOR EACH ROW EXECUTE FUNCTION event_of_ledger();
CREATE TRIGGER event AFTER UPDATE OF state ON plugin_uploads FOR EACH ROW
    WHEN (NEW.state = 'rejected' AND OLD.state <> 'rejected')
    EXECUTE FUNCTION event_of_row('upload', 'upload_id', '{upload_id,name,version}', '{"UPDATE": "plugin.rejected"}');

CREATE TRIGGER event_submitted AFTER INSERT ON batches FOR EACH ROW
    EXECUTE FUNCTION event_of_row('batch', 'batch_id',
        '{batch_id,status,bucket_ids,collection_ids,task_id}', '{"PENDING": "batch.submitted"}');
CREATE TRIGGER event_ended AFTER UPDATE OF status ON batches FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION event_of_row('batch', 'batch_id',
        '{batch_id,status,bucket_ids,collection_ids,task_id,error,error_summary}',
        '{"PENDING": "batch.submitted", "COMPLETED": "batch.completed", "FAILED": "batch.failed",
          "COMPLETED_WITH_ERRORS": "batch.completed_with_errors", "CANCELED": "batch.canceled"}');
CREATE TRIGGER event AFTER UPDATE OF committed_at ON batch_chunks FOR EACH ROW
    WHEN (OLD.committed_at IS NULL AND NEW.committed_at IS NOT NULL AND NEW.written > 0)
    EXECUTE FUNCTION event_of_row('collection', 'collection_id',
        '{collection_id,batch_id,chunk,rows,written,skipped,failed}', '{"UPDATE": "collection.documents.written"}');

CREATE TRIGGER event_created AFTER INSERT ON tasks FOR EACH ROW
    EXECUTE FUNCTION event_of_row('task', 'task_id', '{task_id,task_type,status,inputs}',
        '{"PENDING": "task.created"}');
CREATE TRIGGER event_moved AFTER UPDATE OF status ON tasks FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION event_of_row('task', 'task_id', '{task_id,task_type,status,inputs,error}',
        '{"IN_PROGRESS": "task.started", "COMPLETED": "task.completed", "FAILED": "task.failed",
          "COMPLETED_WITH_ERRORS": "task.completed_with_errors", "CANCELED": "task.canceled"}');

CREATE TRIGGER event AFTER INSERT OR UPDATE OR DELETE ON collections FOR EACH ROW
    EXECUTE FUNCTION event_of_row('collection', 'collection_id',
        '{collection_id,collection_name,namespace_id}',
        '{"INSERT": "collection.created", "UPDATE": "collection.updated", "DELETE": "collection.deleted"}');
