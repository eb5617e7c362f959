-- Feature addresses of generations that were searched before: retrievers that name them go on with the live one.
ALTER TABLE collections ADD COLUMN former_features text[] NOT NULL DEFAULT '{}';

-- building: filled, not complete. ready: complete, to be searched after a switch. kept: searched before, and written to
-- beside the live one until it is dropped. retired: searched before, not written to any more.
ALTER TABLE collection_generations
    DROP CONSTRAINT collection_generations_state_check,
    ADD CONSTRAINT collection_generations_state_check
        CHECK (state IN ('building', 'ready', 'live', 'kept', 'retired'));

ALTER TABLE batches
    ADD COLUMN fills     integer,                   -- the one generation it fills, of an upgrade's build or of a mirror
    ADD COLUMN mirror_of text REFERENCES batches ON DELETE CASCADE;  -- repeats what this batch wrote, in `fills`
CREATE INDEX batches_by_mirrored ON batches (mirror_of) WHERE mirror_of IS NOT NULL;

CREATE TABLE collection_upgrades (
    upgrade_id       text PRIMARY KEY,
    namespace_id     text NOT NULL,
    collection_id    text NOT NULL REFERENCES collections ON DELETE CASCADE,
    state            text NOT NULL DEFAULT 'BUILDING' CHECK (state IN
        ('BUILDING', 'READY', 'LIVE', 'ROLLED_BACK', 'DONE', 'FAILED', 'CANCELED')),
    from_generation  integer NOT NULL,
    to_generation    integer NOT NULL,
    from_plugin_id   text NOT NULL,
    to_plugin_id     text NOT NULL,
    from_version     text,                          -- as the collection asked for before; null: the active one
    batch_id         text,                          -- that builds the generation
    task_id          text,
    error            text,
    behind           text,                          -- why one generation lacks what the other has; null: it lacks nothing
    comparison       jsonb,
    timeline         jsonb NOT NULL DEFAULT '[]',   -- [{state, at}]
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now()
);
-- One at a time: until a generation is dropped, both are written to.
CREATE UNIQUE INDEX collection_upgrades_open ON collection_upgrades (collection_id)
    WHERE state IN ('BUILDING', 'READY', 'LIVE', 'ROLLED_BACK');
CREATE INDEX collection_upgrades_by_collection ON collection_upgrades (collection_id, created_at DESC);

SELECT audit_watch('collection_upgrades', 'collection', 'collection_id', '{timeline,comparison}', 'upgrade', 'upgrade');

CREATE FUNCTION event_of_upgrade() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kind text := CASE NEW.state
        WHEN 'BUILDING' THEN 'collection.upgrade.building'
        WHEN 'READY' THEN 'collection.upgrade.ready'
        WHEN 'LIVE' THEN 'collection.upgrade.live'
        WHEN 'ROLLED_BACK' THEN 'collection.upgrade.rolled_back'
        WHEN 'DONE' THEN 'collection.upgrade.done'
        WHEN 'FAILED' THEN 'collection.upgrade.failed'
        WHEN 'CANCELED' THEN 'collection.upgrade.canceled'
    END;
    organization text := event_organization(NEW.namespace_id);
BEGIN
    IF event_is_wanted(kind, organization, NEW.namespace_id) THEN
        PERFORM event_tell(kind, organization, NEW.namespace_id, 'collection', ARRAY[NEW.collection_id], ARRAY[
            jsonb_build_object('collection_id', NEW.collection_id, 'upgrade_id', NEW.upgrade_id, 'state', NEW.state,
                'from', NEW.from_plugin_id, 'to', NEW.to_plugin_id, 'error', NEW.error, 'task_id', NEW.task_id)]);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER event_begun AFTER INSERT ON collection_upgrades FOR EACH ROW EXECUTE FUNCTION event_of_upgrade();
CREATE TRIGGER event_moved AFTER UPDATE OF state ON collection_upgrades FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION event_of_upgrade();
