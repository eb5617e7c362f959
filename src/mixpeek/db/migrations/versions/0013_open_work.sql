-- What every API process asks for every two seconds, and the metrics at each scrape, must not read what has ended.
CREATE INDEX deployments_under_way ON deployments (namespace_id, name)
    WHERE status IN ('QUEUED', 'PENDING', 'IN_PROGRESS');
CREATE INDEX tasks_open ON tasks (workflow, status)
    WHERE status NOT IN ('COMPLETED', 'COMPLETED_WITH_ERRORS', 'FAILED', 'CANCELED');
CREATE INDEX tasks_by_change ON tasks (updated_at);
