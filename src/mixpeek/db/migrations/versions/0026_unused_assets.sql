-- Assets of which it is not known whether anything refers to them: just stored, or what referred to them is gone. The row
-- is written before the file, or by the transaction that takes the reference away, so a file never outlives both.
CREATE TABLE asset_checks (
    key   text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX asset_checks_by_age ON asset_checks (since);

-- The keys of the files that blobs hold. A text that reads like an asset's address is a text.
CREATE FUNCTION asset_keys(blobs jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT COALESCE(array_agg(DISTINCT substr(blob->>'data', length('s3://mixpeek/') + 1)), '{}')
    FROM jsonb_array_elements(blobs) AS blob
    WHERE blob->>'type' IN ('image', 'audio', 'video', 'pdf', 'excel') AND starts_with(blob->>'data', 's3://mixpeek/')
$$;
CREATE INDEX objects_by_asset ON objects USING gin (asset_keys(blobs)) WHERE asset_keys(blobs) <> '{}';
CREATE INDEX bucket_uploads_by_asset ON bucket_uploads ((asset->>'key')) WHERE asset IS NOT NULL;

-- In the order of keys, so that two transactions never wait for each other.
CREATE FUNCTION check_assets(keys text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO asset_checks (key) SELECT DISTINCT key FROM unnest(keys) AS key ORDER BY key
    ON CONFLICT (key) DO UPDATE SET since = now()
$$;

CREATE FUNCTION check_assets_of_objects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM check_assets(array_agg(key)) FROM before, unnest(asset_keys(before.blobs)) AS key;
    RETURN NULL;
END $$;
CREATE TRIGGER check_assets_replaced AFTER UPDATE ON objects REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION check_assets_of_objects();
CREATE TRIGGER check_assets_deleted AFTER DELETE ON objects REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION check_assets_of_objects();

CREATE FUNCTION check_assets_of_uploads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM check_assets(array_agg(asset->>'key')) FROM before WHERE asset IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER check_assets_deleted AFTER DELETE ON bucket_uploads REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION check_assets_of_uploads();

-- What was uploaded goes with the object it became: else the same file, sent again, would be taken for being there.
CREATE INDEX bucket_uploads_by_object ON bucket_uploads (object_id) WHERE object_id IS NOT NULL;
CREATE FUNCTION uploads_of_objects_go() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM bucket_uploads WHERE object_id IN (SELECT object_id FROM before);
    RETURN NULL;
END $$;
CREATE TRIGGER uploads_go AFTER DELETE ON objects REFERENCING OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION uploads_of_objects_go();

-- How often documents were deleted in a namespace: a batch that finds it as it was need not look what is gone meanwhile.
CREATE TABLE document_deletions (
    namespace_id text PRIMARY KEY REFERENCES namespaces ON DELETE CASCADE,
    number       bigint NOT NULL
);
