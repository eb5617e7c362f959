-- Vectors that lie in another store: which there are, by the write that made them. What lies there and is not here does
-- not count, so that a search sees what is committed, and no more.
CREATE SEQUENCE vector_versions;

CREATE TABLE vector_points (
    collection_id text NOT NULL,
    generation    integer NOT NULL,
    document_id   text NOT NULL,
    feature       text NOT NULL,
    metric        text NOT NULL,
    dimensions    integer NOT NULL,
    version       bigint NOT NULL,
    PRIMARY KEY (collection_id, generation, document_id, feature, metric),
    FOREIGN KEY (collection_id, generation) REFERENCES collection_generations ON DELETE CASCADE
);

-- A write to the other store that was begun; its transaction deletes the row. What stays was never committed.
CREATE TABLE vector_writes (
    version  bigint PRIMARY KEY,
    stores   text[] NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now()
);

-- What the other store still has to forget.
CREATE TABLE vector_removals (
    removal       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection_id text NOT NULL,
    generation    integer NOT NULL,
    document_id   text NOT NULL,
    feature       text NOT NULL,
    metric        text NOT NULL,
    dimensions    integer NOT NULL,
    version       bigint NOT NULL
);

-- A trigger, so that whatever deletes a point leaves the note in the same transaction, a cascade too.
CREATE FUNCTION note_vector_removals() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO vector_removals (collection_id, generation, document_id, feature, metric, dimensions, version)
        SELECT collection_id, generation, document_id, feature, metric, dimensions, version FROM gone;
    RETURN NULL;
END $$;

CREATE TRIGGER vector_points_deleted AFTER DELETE ON vector_points REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION note_vector_removals();
