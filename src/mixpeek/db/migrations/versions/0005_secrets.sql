CREATE TABLE secrets (
    organization_id text NOT NULL REFERENCES organizations,
    secret_name     text NOT NULL,
    ciphertext      text NOT NULL,                  -- a Fernet token that holds organization, name and value
    key_fingerprint text NOT NULL,                  -- of the master key it is encrypted with; says nothing of the key
    every_namespace boolean NOT NULL,               -- true: readable in all of them, also in those made later
    value_set_at    timestamptz NOT NULL DEFAULT now(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, secret_name)
);

CREATE TABLE secret_grants (
    organization_id text NOT NULL,
    secret_name     text NOT NULL,
    namespace_id    text NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    granted_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, secret_name, namespace_id),
    FOREIGN KEY (organization_id, secret_name) REFERENCES secrets ON DELETE CASCADE
);
CREATE INDEX secret_grants_by_namespace ON secret_grants (namespace_id);

-- A new value shows in the log as a new `value_set_at`, a rotated master key as a new fingerprint.
SELECT audit_watch('secrets', 'secret', 'secret_name', '{ciphertext}');
SELECT audit_watch('secret_grants', 'secret', 'secret_name', '{granted_at}', 'grant', 'grant', 'revoke');
