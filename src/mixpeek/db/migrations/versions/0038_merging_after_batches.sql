-- Asks for what is sealed to be indexed and for what is small to be merged: one task for a generation, which takes
-- whatever it finds.
CREATE FUNCTION ask_for_indexing(collection text, gen integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tasks (task_id, namespace_id, organization_id, task_type, workflow, inputs)
    SELECT 'task_' || left(replace(gen_random_uuid()::text, '-', ''), 16), c.namespace_id, n.organization_id,
        'collection_index', 'index_segments', jsonb_build_object('collection_id', collection, 'generation', gen)
    FROM collections c JOIN namespaces n USING (namespace_id)
    WHERE c.collection_id = collection AND NOT EXISTS (
        SELECT FROM tasks t WHERE t.workflow = 'index_segments' AND t.dispatched_at IS NULL
            AND t.inputs = jsonb_build_object('collection_id', collection, 'generation', gen));
    NOTIFY mixpeek_tasks;
END $$;

CREATE OR REPLACE FUNCTION index_sealed_segment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM ask_for_indexing(NEW.collection_id, NEW.generation);
    RETURN NULL;
END $$;

-- A batch that has ended leaves little to be scanned, and as few segments as it can: while it ran, none were merged.
CREATE OR REPLACE FUNCTION seal_segments_of_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE segments s SET state = 'sealed' FROM (
        SELECT DISTINCT collection_id, generation FROM batch_chunks WHERE batch_id = NEW.batch_id) c
    WHERE s.collection_id = c.collection_id AND s.generation = c.generation AND s.state = 'open'
        AND s.table_name IS NOT NULL AND s.rows >= 2000;  -- fewer are scanned in no time
    PERFORM ask_for_indexing(l.collection_id, l.generation) FROM large_indexes l
    WHERE (l.collection_id, l.generation) IN (
        SELECT collection_id, generation FROM batch_chunks WHERE batch_id = NEW.batch_id);
    RETURN NULL;
END $$;
