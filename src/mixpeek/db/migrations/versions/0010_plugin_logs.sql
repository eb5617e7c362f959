-- One line of a plugin host's output. Writers take turns (an advisory lock), so that lines become visible in the order
-- of their ids: who has read up to one id has missed nothing before it.
CREATE TABLE plugin_logs (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace_id  text NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    plugin_id     text NOT NULL,                    -- of this namespace, or one that a batch of it used
    deployment_id text,                             -- null: a host of no deployment
    batch_id      text,
    host_id       text NOT NULL,
    source        text NOT NULL CHECK (source IN ('realtime', 'gate', 'batch', 'test')),
    stream        text NOT NULL CHECK (stream IN ('output', 'logging', 'platform')),
    level         smallint NOT NULL,                -- 0 debug, 1 info, 2 warning, 3 error, 4 critical
    logger        text,
    message       text NOT NULL,
    exception     text,
    at            timestamptz NOT NULL,             -- when the line was read from its host
    size_bytes    integer NOT NULL
);
CREATE INDEX plugin_logs_by_plugin ON plugin_logs (namespace_id, plugin_id, id DESC);
CREATE INDEX plugin_logs_by_age ON plugin_logs USING brin (at);
