-- keys ------------------------------------------------------------------------------------------------------------
ALTER TABLE api_keys
    ADD COLUMN description  text,
    ADD COLUMN namespaces   text[],                 -- the only namespaces it sees, by id; null: all
    ADD COLUMN created_by   text,
    ADD COLUMN last_used_at timestamptz,            -- to the minute
    ADD COLUMN rotated_at   timestamptz,
    ADD COLUMN revoked_at   timestamptz;
CREATE INDEX api_keys_by_name ON api_keys (organization_id, name);

-- Hashes that rotation has replaced: a data dir that still holds such a key must not bring it back.
CREATE TABLE retired_keys (
    key_hash   text PRIMARY KEY,
    key_id     text NOT NULL REFERENCES api_keys ON DELETE CASCADE,
    retired_at timestamptz NOT NULL DEFAULT now()
);

-- audit -----------------------------------------------------------------------------------------------------------
CREATE TABLE audit_events (
    entry           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    organization_id text,
    namespace_id    text,
    resource_type   text NOT NULL,
    resource_id     text,                           -- null: a creation that was refused
    action          text NOT NULL,
    status          text NOT NULL DEFAULT 'success' CHECK (status IN ('success', 'refused', 'failed')),
    actor_type      text NOT NULL,                  -- api_key | operator | platform
    actor_id        text NOT NULL,
    actor_name      text,
    changes         jsonb NOT NULL DEFAULT '{}',    -- before, after: of an update only what changed
    ip_address      text,
    user_agent      text,
    request_id      text
);
CREATE INDEX audit_events_by_organization ON audit_events (organization_id, entry DESC);
CREATE INDEX audit_events_by_resource ON audit_events (resource_type, resource_id, entry DESC);
CREATE INDEX audit_events_by_actor ON audit_events (actor_id, entry DESC);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are never changed';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();

-- Who asked for a task, as the transaction that wrote it knew; the worker acts in that name.
ALTER TABLE tasks ADD COLUMN origin jsonb DEFAULT NULLIF(current_setting('mixpeek.origin', true), '')::jsonb;

-- Replaces text under keys that name a secret, however deep, for parameters are free-form.
CREATE FUNCTION audit_redact(value jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    CASE jsonb_typeof(value)
    WHEN 'object' THEN
        RETURN (SELECT COALESCE(jsonb_object_agg(e.key, CASE
            WHEN jsonb_typeof(e.value) = 'string'
                AND e.key ~* '(^|[_-])(secret|password|passphrase|token|api_?key|access_?key|private_?key|credentials?)$'
            THEN '"[redacted]"' ELSE audit_redact(e.value) END), '{}') FROM jsonb_each(value) e);
    WHEN 'array' THEN
        RETURN (SELECT COALESCE(jsonb_agg(audit_redact(e.value) ORDER BY e.place), '[]')
            FROM jsonb_array_elements(value) WITH ORDINALITY e (value, place));
    ELSE
        RETURN value;
    END CASE;
END $$;

CREATE FUNCTION audit_write(
    type text, id text, organization text, namespace text, action text, before jsonb, after jsonb
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    origin jsonb := COALESCE(NULLIF(current_setting('mixpeek.origin', true), '')::jsonb, '{}');
BEGIN
    INSERT INTO audit_events (organization_id, namespace_id, resource_type, resource_id, action, actor_type, actor_id,
        actor_name, changes, ip_address, user_agent, request_id)
    VALUES (
        COALESCE(organization, origin->>'organization_id',
            (SELECT n.organization_id FROM namespaces n WHERE n.namespace_id = namespace)),
        namespace, type, id, action, COALESCE(origin->>'actor_type', 'platform'),
        COALESCE(origin->>'actor_id', 'platform'), origin->>'actor_name',
        jsonb_build_object('before', before, 'after', after),
        origin->>'ip_address', origin->>'user_agent', origin->>'request_id');
END $$;

-- Arguments: resource type, column of its id, columns that are left out, words for insert, update and delete.
CREATE FUNCTION audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    hidden text[] := TG_ARGV[2]::text[] || '{updated_at}';
    before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - hidden END;
    after  jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - hidden END;
    whole  jsonb := COALESCE(after, before);
    action text;
BEGIN
    -- What goes with a deleted row by a foreign key is not a deletion of its own.
    IF pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, after->o.key) INTO before, after
            FROM jsonb_each(before) o WHERE o.value IS DISTINCT FROM after->o.key;
        IF after IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    action := CASE
        WHEN TG_OP = 'UPDATE' AND after->>'status' = 'revoked' THEN 'revoke'
        WHEN TG_OP = 'UPDATE' AND after ? 'key_prefix' THEN 'rotate'
        WHEN TG_OP = 'UPDATE' AND after->>'deleted_at' IS NOT NULL THEN 'delete'
        WHEN TG_OP = 'INSERT' THEN COALESCE(after->>'action', TG_ARGV[3])  -- a deployment names its own
        WHEN TG_OP = 'UPDATE' THEN TG_ARGV[4]
        ELSE TG_ARGV[5]
    END;
    PERFORM audit_write(TG_ARGV[0], whole->>TG_ARGV[1], whole->>'organization_id', whole->>'namespace_id', action,
        audit_redact(before), audit_redact(after));
    RETURN NULL;
END $$;

-- Objects come by the thousand and may be large: what they hold is not copied.
CREATE FUNCTION audit_object() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        PERFORM audit_write('object', OLD.object_id, NULL, OLD.namespace_id, 'delete',
            jsonb_build_object('bucket_id', OLD.bucket_id, 'size_bytes', OLD.size_bytes), NULL);
    ELSE
        PERFORM audit_write('object', NEW.object_id, NULL, NEW.namespace_id,
            CASE TG_OP WHEN 'INSERT' THEN 'create' ELSE 'update' END,
            CASE TG_OP WHEN 'UPDATE' THEN jsonb_build_object('size_bytes', OLD.size_bytes, 'status', OLD.status) END,
            jsonb_build_object('bucket_id', NEW.bucket_id, 'size_bytes', NEW.size_bytes, 'status', NEW.status));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON objects FOR EACH ROW EXECUTE FUNCTION audit_object();

-- Has every change of a table recorded; later migrations call it for theirs.
CREATE FUNCTION audit_watch(
    watched regclass, type text, id_column text, hidden text[] DEFAULT '{}',
    on_insert text DEFAULT 'create', on_update text DEFAULT 'update', on_delete text DEFAULT 'delete'
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW'
        ' EXECUTE FUNCTION audit_row(%L, %L, %L, %L, %L, %L)',
        watched, type, id_column, hidden, on_insert, on_update, on_delete);
END $$;

SELECT audit_watch('organizations', 'organization', 'organization_id');
SELECT audit_watch('namespaces', 'namespace', 'namespace_id', '{host_uid}');
SELECT audit_watch('api_keys', 'api_key', 'key_id', '{key_hash,last_used_at}');
SELECT audit_watch('plugin_uploads', 'upload', 'upload_id', '{result,object_key}', 'request', 'confirm');
SELECT audit_watch('plugin_versions', 'plugin', 'plugin_id',
    '{files,manifest,findings,version_key,archive_key}', 'publish');
SELECT audit_watch('active_versions', 'plugin', 'plugin_id', '{}', 'activate', 'activate', 'deactivate');
SELECT audit_watch('deployments', 'deployment', 'deployment_id', '{phase,timeline,finished_at}', 'deploy');
SELECT audit_watch('live_deployments', 'plugin', 'plugin_id', '{since}', 'go_live', 'go_live', 'undeploy');
SELECT audit_watch('buckets', 'bucket', 'bucket_id');
SELECT audit_watch('collections', 'collection', 'collection_id');
SELECT audit_watch('batches', 'batch', 'batch_id', '{object_ids}');
SELECT audit_watch('retrievers', 'retriever', 'retriever_id');
