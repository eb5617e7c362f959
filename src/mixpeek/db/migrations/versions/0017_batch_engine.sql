-- What a batch has done so far, added to by each commit: asking costs the same however many chunks there are.
CREATE TABLE batch_progress (
    batch_id          text PRIMARY KEY REFERENCES batches ON DELETE CASCADE,
    chunks            integer NOT NULL DEFAULT 0,
    chunks_committed  integer NOT NULL DEFAULT 0,
    objects           bigint NOT NULL DEFAULT 0,    -- or documents of other collections
    objects_committed bigint NOT NULL DEFAULT 0,
    rows              bigint NOT NULL DEFAULT 0,
    written           bigint NOT NULL DEFAULT 0,
    skipped           bigint NOT NULL DEFAULT 0,
    failed            bigint NOT NULL DEFAULT 0,
    rows_per_s        double precision,             -- of late; null before the first commit
    started_at        timestamptz,
    finished_at       timestamptz,
    paused_cause      text,                         -- null: not paused
    paused_since      timestamptz,
    updated_at        timestamptz NOT NULL DEFAULT now()
);
INSERT INTO batch_progress (batch_id, chunks, chunks_committed, objects, objects_committed, rows, written, skipped,
    failed)
SELECT b.batch_id, count(c.batch_id), count(c.committed_at), COALESCE(sum(c.sources), 0),
    COALESCE(sum(c.sources) FILTER (WHERE c.committed_at IS NOT NULL), 0),
    COALESCE(sum(c.rows), 0), COALESCE(sum(c.written), 0), COALESCE(sum(c.skipped), 0), COALESCE(sum(c.failed), 0)
FROM batches b LEFT JOIN (SELECT *, cardinality(object_ids) + cardinality(document_ids) AS sources FROM batch_chunks) c
    USING (batch_id) GROUP BY b.batch_id;

-- Of a chunk that is a retry: the only rows to run, by the (first) documents they make; null: all rows it holds.
ALTER TABLE batch_chunks ADD COLUMN row_ids text[];
ALTER TABLE row_outcomes
    ADD COLUMN row_id  text,                        -- the row itself, where the outcome is that of one of its parts
    ADD COLUMN retries integer NOT NULL DEFAULT 0;  -- how often it was tried again
UPDATE row_outcomes SET row_id = document_id;
ALTER TABLE row_outcomes ALTER COLUMN row_id SET NOT NULL;

CREATE INDEX batches_by_namespace ON batches (namespace_id, created_at DESC, batch_id DESC);
CREATE INDEX plugin_logs_by_batch ON plugin_logs (batch_id, id DESC) WHERE batch_id IS NOT NULL;
