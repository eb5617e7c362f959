-- documents -------------------------------------------------------------------------------------------------------
ALTER TABLE documents
    ADD COLUMN source_document_id text,             -- the document of another collection that it was made of
    ADD COLUMN row_id             text,             -- of one of several parts: the id of the part at position 0
    ADD COLUMN position           integer NOT NULL DEFAULT 0;
-- An id says which collection it belongs to, so one index over all of them finds what was made of a document.
CREATE INDEX documents_by_source ON documents (source_document_id) WHERE source_document_id IS NOT NULL;

-- batches ---------------------------------------------------------------------------------------------------------
ALTER TABLE batches
    ADD COLUMN source_collection_ids text[] NOT NULL DEFAULT '{}',  -- of a batch over documents; else it has buckets
    ADD COLUMN source_filters        jsonb;         -- which of its objects or documents belong to the batch; null: all

-- A tier is the collections that are filled side by side; it begins when the one before it has been reconciled.
CREATE TABLE batch_tiers (
    batch_id              text NOT NULL REFERENCES batches ON DELETE CASCADE,
    tier_num              integer NOT NULL,
    collection_ids        text[] NOT NULL,
    source_type           text NOT NULL CHECK (source_type IN ('bucket', 'collection')),
    source_collection_ids text[] NOT NULL DEFAULT '{}',
    status                text NOT NULL DEFAULT 'PENDING',
    error                 text,
    error_summary         jsonb NOT NULL DEFAULT '{}',
    sources_found         integer,                  -- objects or documents, before filters
    sources_taken         integer,                  -- after them
    written               integer,
    started_at            timestamptz,
    completed_at          timestamptz,
    PRIMARY KEY (batch_id, tier_num)
);
INSERT INTO batch_tiers (batch_id, tier_num, collection_ids, source_type, status, error, error_summary)
    SELECT batch_id, 0, collection_ids, 'bucket', CASE status WHEN 'DRAFT' THEN 'PENDING' ELSE status END, error,
        error_summary FROM batches;

-- A chunk holds objects, or documents of one generation of another collection.
ALTER TABLE batch_chunks
    ALTER COLUMN object_ids SET DEFAULT '{}',
    ADD COLUMN document_ids         text[] NOT NULL DEFAULT '{}',
    ADD COLUMN source_collection_id text,
    ADD COLUMN source_generation    integer,
    ADD CONSTRAINT batch_chunks_of_one_source CHECK (
        CASE WHEN source_collection_id IS NULL THEN document_ids = '{}' ELSE object_ids = '{}' END);

-- collections -----------------------------------------------------------------------------------------------------
ALTER TABLE collections
    ADD COLUMN source_lineage        jsonb NOT NULL DEFAULT '[]',  -- each stage from the bucket on, this one the last
    ADD COLUMN source_bucket_schemas jsonb NOT NULL DEFAULT '{}';  -- as they were when it was made
