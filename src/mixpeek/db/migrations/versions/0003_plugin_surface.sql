-- A deleted version is no longer listed or used, but its number stays taken: what was published never changes.
ALTER TABLE plugin_versions ADD COLUMN deleted_at timestamptz;

-- Where an organization keeps the plugins it shares with its namespaces.
ALTER TABLE organizations ADD COLUMN library_namespace text REFERENCES namespaces;

CREATE TABLE enabled_plugins (
    namespace_id      text NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    library_namespace text NOT NULL,
    plugin_id         text NOT NULL,
    params            jsonb NOT NULL DEFAULT '{}',
    actor             text,
    enabled_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace_id, plugin_id),
    FOREIGN KEY (library_namespace, plugin_id) REFERENCES plugin_versions (namespace_id, plugin_id) ON DELETE CASCADE
);

ALTER TABLE deployments ADD COLUMN action text NOT NULL DEFAULT 'deploy' CHECK (action IN ('deploy', 'rollback'));
ALTER TABLE replicas ADD COLUMN code_hash text;
-- The features a namespace can index; reconfiguring adds to it and removes nothing.
CREATE TABLE namespace_features (
    namespace_id text NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    feature_uri  text NOT NULL,
    added_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (namespace_id, feature_uri)
);

CREATE INDEX collection_generations_by_plugin ON collection_generations (plugin_namespace, plugin_id);

SELECT audit_watch('enabled_plugins', 'plugin', 'plugin_id', '{}', 'enable', 'enable', 'disable');
SELECT audit_watch('namespace_features', 'namespace', 'namespace_id', '{}', 'index', 'index', 'unindex');
