CREATE TABLE model_uploads (
    upload_id    text PRIMARY KEY,
    namespace_id text NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    name         text NOT NULL,
    version      text NOT NULL,
    model_format text NOT NULL,
    declared     jsonb NOT NULL DEFAULT '{}',    -- description, framework, task_type, resource_requirements
    object_key   text NOT NULL,
    state        text NOT NULL DEFAULT 'requested' CHECK (state IN ('requested', 'confirmed')),
    result       jsonb,                          -- what confirm answered, given again when it is repeated
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL
);

-- A deleted model is no longer listed or used, but its number stays taken: weights under one id never change.
CREATE TABLE namespace_models (
    namespace_id   text NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    model_id       text NOT NULL,                -- {name}_{x_y_z}
    name           text NOT NULL,
    version        text NOT NULL,
    model_format   text NOT NULL CHECK (model_format IN ('safetensors', 'onnx', 'pytorch', 'huggingface')),
    declared       jsonb NOT NULL DEFAULT '{}',
    archive_sha256 text NOT NULL,
    archive_key    text NOT NULL,
    size_bytes     bigint NOT NULL,
    content_hash   text NOT NULL,                -- over the files, whatever archive held them
    deployed_at    timestamptz,
    author         text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    deleted_at     timestamptz,
    PRIMARY KEY (namespace_id, model_id)
);

-- The hub models a plugin version uses: resolved once, so that every later start runs the same weights.
CREATE TABLE version_models (
    namespace_id text NOT NULL,
    plugin_id    text NOT NULL,
    name         text NOT NULL,                  -- org/name
    revision     text NOT NULL,                  -- the commit it was resolved to
    content_hash text NOT NULL,
    resolved_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace_id, plugin_id, name),
    FOREIGN KEY (namespace_id, plugin_id) REFERENCES plugin_versions ON DELETE CASCADE
);

SELECT audit_watch('model_uploads', 'model_upload', 'upload_id', '{result,object_key}', 'request', 'confirm');
SELECT audit_watch('namespace_models', 'model', 'model_id', '{archive_key}', 'publish', 'deploy');
