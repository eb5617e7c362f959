CREATE EXTENSION IF NOT EXISTS vector;

-- tenancy ---------------------------------------------------------------------------------------------------------
CREATE TABLE organizations (
    organization_id text PRIMARY KEY,
    name            text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    key_id          text PRIMARY KEY,
    organization_id text NOT NULL REFERENCES organizations,
    name            text NOT NULL,
    key_hash        text NOT NULL UNIQUE,          -- sha256 of the key; the key itself is never stored
    key_prefix      text NOT NULL,
    permissions     text[] NOT NULL,
    status          text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'revoked', 'expired')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz
);

-- Hosts of a namespace run under their own operating-system user, so that namespaces cannot reach each other.
CREATE SEQUENCE host_uids START 200001;

CREATE TABLE namespaces (
    namespace_id        text PRIMARY KEY,
    organization_id     text NOT NULL REFERENCES organizations,
    namespace_name      text NOT NULL,
    namespace_type      text NOT NULL DEFAULT 'standard',
    description         text,
    feature_extractors  jsonb NOT NULL DEFAULT '[]',
    payload_indexes     jsonb NOT NULL DEFAULT '[]',
    auto_create_indexes boolean NOT NULL DEFAULT false,
    host_uid            integer NOT NULL DEFAULT nextval('host_uids'),
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organization_id, namespace_name)
);

-- registry --------------------------------------------------------------------------------------------------------
CREATE TABLE plugin_uploads (
    upload_id       text PRIMARY KEY,
    namespace_id    text NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    name            text NOT NULL,
    version         text NOT NULL,
    version_given   boolean NOT NULL,               -- false: the platform picked the next patch
    description     text,
    file_size_bytes bigint,
    object_key      text NOT NULL,
    state           text NOT NULL DEFAULT 'requested' CHECK (state IN ('requested', 'published', 'rejected')),
    result          jsonb,                          -- what confirm answered, given again when it is repeated
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL
);

CREATE TABLE plugin_versions (
    namespace_id   text NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    plugin_id      text NOT NULL,                   -- {name}_{x_y_z}
    name           text NOT NULL,
    version        text NOT NULL,
    version_key    integer[] NOT NULL,              -- {x, y, z}, for ordering
    description    text NOT NULL DEFAULT '',
    code_hash      text NOT NULL,
    package        text NOT NULL,                   -- what hosts import it under
    archive_sha256 text NOT NULL,
    archive_key    text NOT NULL,
    size_bytes     bigint NOT NULL,
    files          jsonb NOT NULL,
    manifest       jsonb NOT NULL,
    realtime_style text,                            -- predict | call | run_inference; null: served by its pipeline
    findings       jsonb NOT NULL DEFAULT '[]',     -- warnings that did not refuse it
    message        text,
    author         text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace_id, plugin_id),
    UNIQUE (namespace_id, name, version)
);
CREATE INDEX plugin_versions_by_age ON plugin_versions (namespace_id, name, version_key DESC);

-- The active version of each plugin name.
CREATE TABLE active_versions (
    namespace_id text NOT NULL,
    name         text NOT NULL,
    plugin_id    text NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace_id, name),
    FOREIGN KEY (namespace_id, plugin_id) REFERENCES plugin_versions ON DELETE CASCADE
);

-- Append-only: who did what to which version, when, with which words, and how it ended.
CREATE TABLE plugin_ledger (
    entry        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace_id text NOT NULL,
    name         text NOT NULL,
    plugin_id    text NOT NULL,
    action       text NOT NULL,
    outcome      text NOT NULL,
    actor        text,
    message      text,
    details      jsonb NOT NULL DEFAULT '{}',
    at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX plugin_ledger_by_plugin ON plugin_ledger (namespace_id, name, entry DESC);

-- tasks and processes ---------------------------------------------------------------------------------------------
CREATE TABLE tasks (
    task_id         text PRIMARY KEY,
    namespace_id    text REFERENCES namespaces ON DELETE CASCADE,
    organization_id text NOT NULL,
    task_type       text NOT NULL,
    workflow        text NOT NULL,                  -- the durable workflow that carries it out
    status          text NOT NULL DEFAULT 'PENDING',
    inputs          jsonb NOT NULL DEFAULT '{}',
    outputs         jsonb NOT NULL DEFAULT '{}',
    additional_data jsonb NOT NULL DEFAULT '{}',
    error           text,
    dispatched_at   timestamptz,                    -- null: still in the outbox
    executor_id     text,                           -- the worker that carries it out
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tasks_outbox ON tasks (created_at) WHERE dispatched_at IS NULL;
CREATE INDEX tasks_by_namespace ON tasks (namespace_id, created_at DESC);

CREATE TABLE processes (
    process_id   text PRIMARY KEY,
    role         text NOT NULL,
    executor_id  text,
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now()
);

-- deployments -----------------------------------------------------------------------------------------------------
CREATE TABLE deployments (
    deployment_id   text PRIMARY KEY,
    namespace_id    text NOT NULL,
    plugin_id       text NOT NULL,
    name            text NOT NULL,
    deployment_type text NOT NULL CHECK (deployment_type IN ('realtime', 'batch_only')),
    status          text NOT NULL,                  -- QUEUED PENDING IN_PROGRESS DEPLOYED NOT_DEPLOYED FAILED
    phase           text NOT NULL,
    error           text,
    message         text,
    warnings        jsonb NOT NULL DEFAULT '[]',
    timeline        jsonb NOT NULL DEFAULT '[]',    -- [{phase, at}]
    actor           text,
    task_id         text,
    queued_at       timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    FOREIGN KEY (namespace_id, plugin_id) REFERENCES plugin_versions ON DELETE CASCADE
);
CREATE INDEX deployments_by_plugin ON deployments (namespace_id, plugin_id, queued_at DESC);

-- One record per plugin name says what answers realtime requests; replacing it is the switch.
CREATE TABLE live_deployments (
    namespace_id  text NOT NULL,
    name          text NOT NULL,
    plugin_id     text NOT NULL,
    deployment_id text NOT NULL REFERENCES deployments ON DELETE CASCADE,
    since         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace_id, name)
);

-- What each API process has running for a deployment: green hosts report here before the switch.
CREATE TABLE replicas (
    deployment_id text NOT NULL REFERENCES deployments ON DELETE CASCADE,
    process_id    text NOT NULL,
    state         text NOT NULL CHECK (state IN ('READY', 'FAILED')),
    error         text,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (deployment_id, process_id)
);

-- catalog ---------------------------------------------------------------------------------------------------------
CREATE TABLE buckets (
    bucket_id     text PRIMARY KEY,
    namespace_id  text NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    bucket_name   text NOT NULL,
    description   text,
    bucket_schema jsonb NOT NULL,
    unique_key    jsonb,
    metadata      jsonb NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (namespace_id, bucket_name)
);

CREATE TABLE objects (
    object_id    text PRIMARY KEY,
    namespace_id text NOT NULL,
    bucket_id    text NOT NULL REFERENCES buckets ON DELETE CASCADE,
    sequence     bigint GENERATED ALWAYS AS IDENTITY,  -- creation order: what a batch snapshots and pages by
    key_prefix   text,
    blobs        jsonb NOT NULL,
    fields       jsonb NOT NULL DEFAULT '{}',
    status       text NOT NULL DEFAULT 'DRAFT',
    size_bytes   bigint NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX objects_by_bucket ON objects (bucket_id, sequence);

-- collections and documents ---------------------------------------------------------------------------------------
CREATE TABLE collections (
    collection_id     text PRIMARY KEY,
    namespace_id      text NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    collection_name   text NOT NULL,
    description       text,
    source            jsonb NOT NULL,
    feature_extractor jsonb NOT NULL,
    input_schema      jsonb NOT NULL DEFAULT '{}',
    output_schema     jsonb NOT NULL,
    metadata          jsonb NOT NULL DEFAULT '{}',
    enabled           boolean NOT NULL DEFAULT true,
    live_generation   integer NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    UNIQUE (namespace_id, collection_name)
);

-- A generation is one index of a collection, built by one extractor version; queries see only the live one.
CREATE TABLE collection_generations (
    collection_id     text NOT NULL REFERENCES collections ON DELETE CASCADE,
    generation        integer NOT NULL,
    plugin_namespace  text NOT NULL,
    plugin_id         text NOT NULL,
    code_hash         text NOT NULL,
    parameters        jsonb NOT NULL DEFAULT '{}',
    features          jsonb NOT NULL,
    state             text NOT NULL DEFAULT 'live' CHECK (state IN ('building', 'live', 'retired')),
    created_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collection_id, generation)
);

CREATE TABLE segments (
    collection_id text NOT NULL,
    generation    integer NOT NULL,
    segment       integer NOT NULL,
    state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'sealed', 'indexed')),
    table_name    text,                             -- null: the shared tables of small collections
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collection_id, generation, segment),
    FOREIGN KEY (collection_id, generation) REFERENCES collection_generations ON DELETE CASCADE
);

-- The primary key that no partition of documents can give: one segment per document of a generation.
CREATE TABLE document_keys (
    collection_id text NOT NULL,
    generation    integer NOT NULL,
    document_id   text NOT NULL,
    segment       integer NOT NULL,
    PRIMARY KEY (collection_id, generation, document_id),
    FOREIGN KEY (collection_id, generation) REFERENCES collection_generations ON DELETE CASCADE
);

-- Small collections share these two tables; their vectors are scanned exactly.
CREATE TABLE documents (
    collection_id text NOT NULL,
    generation    integer NOT NULL,
    segment       integer NOT NULL,
    document_id   text NOT NULL,
    batch_id      text NOT NULL,
    object_id     text NOT NULL,
    payload       jsonb NOT NULL,
    internal      jsonb NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collection_id, generation, document_id),
    FOREIGN KEY (collection_id, generation) REFERENCES collection_generations ON DELETE CASCADE
);

CREATE INDEX documents_by_object ON documents (collection_id, generation, object_id);

CREATE TABLE document_vectors (
    collection_id text NOT NULL,
    generation    integer NOT NULL,
    feature       text NOT NULL,
    segment       integer NOT NULL,
    document_id   text NOT NULL,
    embedding     vector NOT NULL,
    PRIMARY KEY (collection_id, generation, feature, document_id),
    FOREIGN KEY (collection_id, generation) REFERENCES collection_generations ON DELETE CASCADE
);
ALTER TABLE document_vectors ALTER COLUMN embedding SET STORAGE PLAIN;

-- batches ---------------------------------------------------------------------------------------------------------
CREATE TABLE batches (
    batch_id       text PRIMARY KEY,
    namespace_id   text NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    type           text NOT NULL DEFAULT 'BUCKET',
    bucket_ids     text[] NOT NULL,
    collection_ids text[] NOT NULL,
    object_ids     text[],                          -- null: every object of the buckets up to the snapshot
    snapshot       bigint,                          -- highest objects.sequence that belongs to this batch
    status         text NOT NULL DEFAULT 'DRAFT',
    error          text,
    error_summary  jsonb NOT NULL DEFAULT '{}',
    metadata       jsonb NOT NULL DEFAULT '{}',
    task_id        text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE batch_chunks (
    batch_id      text NOT NULL REFERENCES batches ON DELETE CASCADE,
    collection_id text NOT NULL,
    generation    integer NOT NULL,
    chunk         integer NOT NULL,
    object_ids    text[] NOT NULL,
    committed_at  timestamptz,
    rows          integer,
    written       integer,
    skipped       integer,
    failed        integer,
    PRIMARY KEY (batch_id, collection_id, chunk)
);
CREATE INDEX batch_chunks_open ON batch_chunks (batch_id) WHERE committed_at IS NULL;

-- Every row of a batch that did not become a document, with its cause.
CREATE TABLE row_outcomes (
    batch_id      text NOT NULL REFERENCES batches ON DELETE CASCADE,
    collection_id text NOT NULL,
    chunk         integer NOT NULL,
    document_id   text NOT NULL,
    object_id     text NOT NULL,
    blob_id       text,
    outcome       text NOT NULL CHECK (outcome IN ('skipped', 'failed')),
    cause         text NOT NULL,                    -- a stable word to count by
    message       text NOT NULL,
    details       jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (batch_id, collection_id, document_id)
);

-- retrieval -------------------------------------------------------------------------------------------------------
CREATE TABLE retrievers (
    retriever_id   text PRIMARY KEY,
    namespace_id   text NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    retriever_name text NOT NULL,
    description    text,
    collection_ids text[] NOT NULL,
    stages         jsonb NOT NULL,
    input_schema   jsonb NOT NULL DEFAULT '{}',
    budget_limits  jsonb,
    tags           text[] NOT NULL DEFAULT '{}',
    version        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (namespace_id, retriever_name)
);
