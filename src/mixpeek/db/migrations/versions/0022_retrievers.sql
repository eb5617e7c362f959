-- Which collections had which feature address when a retriever was made, so that they are still searched by it once they
-- were built with another version: {address: [collection id, ...]}.
ALTER TABLE retrievers ADD COLUMN dependencies jsonb NOT NULL DEFAULT '{}';
ALTER TABLE retrievers ADD COLUMN visibility text NOT NULL DEFAULT 'private';
ALTER TABLE retrievers ADD COLUMN display_config jsonb;

-- What a retriever was called and described as before; its stages and inputs never change.
CREATE TABLE retriever_versions (
    retriever_id   text NOT NULL REFERENCES retrievers ON DELETE CASCADE,
    version        integer NOT NULL,
    retriever_name text NOT NULL,
    description    text,
    tags           text[] NOT NULL,
    visibility     text NOT NULL,
    display_config jsonb,
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (retriever_id, version)
);

-- Results that are paged through as they were found; lost in a crash, which a client notices and starts anew.
CREATE UNLOGGED TABLE retriever_scrolls (
    scroll_id    text PRIMARY KEY,
    namespace_id text NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    fingerprint  text NOT NULL,                     -- of retriever and inputs
    results      jsonb NOT NULL,
    generations  jsonb NOT NULL,                    -- {collection id: generation} that they are of
    expires_at   timestamptz NOT NULL
);
CREATE INDEX retriever_scrolls_by_expiry ON retriever_scrolls (expires_at);
