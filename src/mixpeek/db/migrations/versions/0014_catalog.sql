-- objects: identity -----------------------------------------------------------------------------------------------
ALTER TABLE objects
    ADD COLUMN unique_hash    text,                 -- of the fields of its bucket's unique key; null: it has none
    ADD COLUMN content_hash   text,                 -- of all it holds; null: written before this was kept
    ADD COLUMN source_details jsonb NOT NULL DEFAULT '[]';
CREATE UNIQUE INDEX objects_unique_key ON objects (bucket_id, unique_hash) WHERE unique_hash IS NOT NULL;
CREATE INDEX objects_by_content ON objects (bucket_id, content_hash);

-- A bucket is what its unique key says for good.
CREATE FUNCTION unique_key_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a bucket''s unique key never changes';
END $$;
CREATE TRIGGER unique_key_stays BEFORE UPDATE ON buckets FOR EACH ROW
    WHEN (OLD.unique_key IS DISTINCT FROM NEW.unique_key) EXECUTE FUNCTION unique_key_stays();

-- A bucket tells how the batches over it stand.
CREATE INDEX batches_by_bucket ON batches USING gin (bucket_ids);

-- uploads ---------------------------------------------------------------------------------------------------------
CREATE TABLE bucket_uploads (
    upload_id                text PRIMARY KEY,
    namespace_id             text NOT NULL REFERENCES namespaces ON DELETE CASCADE,
    bucket_id                text NOT NULL REFERENCES buckets ON DELETE CASCADE,
    filename                 text NOT NULL,
    content_type             text NOT NULL,
    file_size_bytes          bigint,
    file_hash                text,                  -- sha256 that the client announced
    create_object_on_confirm boolean NOT NULL,
    object_metadata          jsonb NOT NULL DEFAULT '{}',
    blob_property            text,
    blob_type                text,
    skip_duplicates          boolean NOT NULL,
    object_key               text NOT NULL,         -- where the signed URL puts the bytes until they are confirmed
    status                   text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'COMPLETED')),
    asset                    jsonb,                 -- what it became: key, sha256, size_bytes, mime_type, properties
    object_id                text,                  -- the object that confirm made, or found
    duplicate_of_upload_id   text,
    created_at               timestamptz NOT NULL DEFAULT now(),
    expires_at               timestamptz NOT NULL,
    confirmed_at             timestamptz
);
CREATE INDEX bucket_uploads_by_bucket ON bucket_uploads (bucket_id, upload_id);
CREATE INDEX bucket_uploads_by_content ON bucket_uploads (bucket_id, (asset->>'sha256')) WHERE asset IS NOT NULL;
CREATE INDEX bucket_uploads_open ON bucket_uploads (expires_at) WHERE status = 'PENDING';
SELECT audit_watch('bucket_uploads', 'bucket_upload', 'upload_id', '{object_key,object_metadata,asset}', 'request', 'confirm');
