-- The packages a version runs with, exactly; null until its environment is first built, then never changed.
ALTER TABLE plugin_versions ADD COLUMN lock jsonb;

-- What the platform finds out about a version later is no change that anyone made to it.
DROP TRIGGER audit ON plugin_versions;
SELECT audit_watch('plugin_versions', 'plugin', 'plugin_id',
    '{files,manifest,findings,version_key,archive_key,lock,realtime_style}', 'publish');
