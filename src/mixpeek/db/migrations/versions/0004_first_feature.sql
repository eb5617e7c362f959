-- The name of a version's first embedding, which its feature URI ends in: lists need it of every version at once.
ALTER TABLE plugin_versions ADD COLUMN first_feature text GENERATED ALWAYS AS (
    jsonb_path_query_first(manifest, '$.features[*] ? (@.feature_type == "embedding").feature_name') #>> '{}'
) STORED;
