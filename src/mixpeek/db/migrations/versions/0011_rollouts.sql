-- The moment of the statement, not of its transaction: whoever waited longer for the lock of a name was asked later.
ALTER TABLE deployments ALTER COLUMN queued_at SET DEFAULT clock_timestamp();

-- What a process has running ends with it.
DELETE FROM replicas WHERE process_id NOT IN (SELECT process_id FROM processes);
ALTER TABLE replicas ADD FOREIGN KEY (process_id) REFERENCES processes ON DELETE CASCADE;
CREATE INDEX replicas_by_process ON replicas (process_id);
