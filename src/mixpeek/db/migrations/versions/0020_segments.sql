-- A generation whose vectors are in tables of its own: `vectors_<number>`, partitioned by segment.
CREATE TABLE large_indexes (
    number        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection_id text NOT NULL,
    generation    integer NOT NULL,
    UNIQUE (collection_id, generation),
    FOREIGN KEY (collection_id, generation) REFERENCES collection_generations ON DELETE CASCADE
);

CREATE FUNCTION drop_large_index() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS %I', 'vectors_' || OLD.number);
    RETURN NULL;
END $$;
CREATE TRIGGER drop_tables AFTER DELETE ON large_indexes FOR EACH ROW EXECUTE FUNCTION drop_large_index();

-- open: takes new documents; sealed: full, or its batch has ended, and scanned until it is indexed; merged: its documents
-- are in the segment `merged_into`.
ALTER TABLE segments
    DROP CONSTRAINT segments_state_check,
    ADD CONSTRAINT segments_state_check CHECK (state IN ('open', 'sealed', 'indexed', 'merged')),
    ADD COLUMN rows        bigint NOT NULL DEFAULT 0,   -- documents with vectors written to it, replaced ones included
    ADD COLUMN merged_into integer,
    ADD COLUMN indexed_at  timestamptz,
    ADD COLUMN task_id     text;                        -- that indexed or merged it
UPDATE segments s SET rows = (SELECT count(*) FROM document_keys k
    WHERE k.collection_id = s.collection_id AND k.generation = s.generation);
CREATE UNIQUE INDEX segments_open ON segments (collection_id, generation) WHERE state = 'open';

-- Whole in the page up to its size, never compressed, and beside it above (more than 2,000 numbers).
ALTER TABLE document_vectors ALTER COLUMN embedding SET STORAGE EXTERNAL;
ALTER TABLE document_vectors SET (toast_tuple_target = 8160);

-- What is sealed is to be indexed: one task for a generation, which takes whatever it finds.
CREATE FUNCTION index_sealed_segment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tasks (task_id, namespace_id, organization_id, task_type, workflow, inputs)
    SELECT 'task_' || left(replace(gen_random_uuid()::text, '-', ''), 16), c.namespace_id, n.organization_id,
        'collection_index', 'index_segments',
        jsonb_build_object('collection_id', NEW.collection_id, 'generation', NEW.generation)
    FROM collections c JOIN namespaces n USING (namespace_id)
    WHERE c.collection_id = NEW.collection_id AND NOT EXISTS (
        SELECT FROM tasks t WHERE t.workflow = 'index_segments' AND t.dispatched_at IS NULL
            AND t.inputs = jsonb_build_object('collection_id', NEW.collection_id, 'generation', NEW.generation));
    NOTIFY mixpeek_tasks;
    RETURN NULL;
END $$;
CREATE TRIGGER index_sealed AFTER UPDATE OF state ON segments FOR EACH ROW
    WHEN (NEW.state = 'sealed' AND OLD.state = 'open') EXECUTE FUNCTION index_sealed_segment();

-- A batch that has ended leaves little to be scanned.
CREATE FUNCTION seal_segments_of_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE segments s SET state = 'sealed' FROM (
        SELECT DISTINCT collection_id, generation FROM batch_chunks WHERE batch_id = NEW.batch_id) c
    WHERE s.collection_id = c.collection_id AND s.generation = c.generation AND s.state = 'open'
        AND s.table_name IS NOT NULL AND s.rows >= 2000;  -- fewer are scanned in no time
    RETURN NULL;
END $$;
CREATE TRIGGER seal_segments AFTER UPDATE OF status ON batches FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status
        AND NEW.status IN ('COMPLETED', 'COMPLETED_WITH_ERRORS', 'FAILED', 'CANCELED'))
    EXECUTE FUNCTION seal_segments_of_batch();
