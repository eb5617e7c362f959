-- Which batches write to a collection, and how often documents had been deleted in its namespace when each was begun.
CREATE TABLE document_watches (
    collection_id text NOT NULL REFERENCES collections ON DELETE CASCADE,
    batch_id      text NOT NULL REFERENCES batches ON DELETE CASCADE,
    since         bigint NOT NULL,
    PRIMARY KEY (collection_id, batch_id)
);
INSERT INTO document_watches (collection_id, batch_id, since)
    SELECT c.collection_id, b.batch_id, COALESCE(d.number, 0) FROM batches b
    JOIN collections c ON c.collection_id = ANY(b.collection_ids)
    LEFT JOIN document_deletions d ON d.namespace_id = b.namespace_id
    WHERE b.mirror_of IS NULL AND b.status IN ('PENDING', 'IN_PROGRESS');

-- Documents removed from a generation of a collection that is watched. Without keys to other tables: those who delete
-- would wait for whoever drops a generation.
CREATE TABLE document_removals (
    collection_id text NOT NULL,
    generation    integer NOT NULL,
    document_id   text NOT NULL,
    number        bigint NOT NULL,                  -- the deletion it was; 0: a batch removed it, which no longer makes it
    row_id        text,                             -- as of documents; null: the document was not there (yet)
    source_id     text,                             -- the object or document it was made of
    batch_id      text                              -- that wrote it last
);
CREATE INDEX document_removals_by_document ON document_removals (collection_id, generation, document_id);
CREATE INDEX document_removals_by_batch ON document_removals (batch_id);

-- Of a chunk that is stored: the documents this run of it wrote, and how often documents had been deleted by then.
ALTER TABLE batch_chunks ADD COLUMN stored integer, ADD COLUMN deletions bigint NOT NULL DEFAULT 0;
UPDATE batch_chunks SET stored = written WHERE row_ids IS NULL;
