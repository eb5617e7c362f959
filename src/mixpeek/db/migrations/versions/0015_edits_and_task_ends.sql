-- What users set on documents, by field: kept when an extractor makes the document again.
ALTER TABLE documents ADD COLUMN edits jsonb NOT NULL DEFAULT '{}';

-- Those who wait for a task are told when it ends, whichever statement ends it.
CREATE FUNCTION tell_task_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mixpeek_task_ends', NEW.task_id);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_ended AFTER UPDATE OF status ON tasks FOR EACH ROW
    WHEN (NEW.status IN ('COMPLETED', 'COMPLETED_WITH_ERRORS', 'FAILED', 'CANCELED')
        AND OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION tell_task_ended();
