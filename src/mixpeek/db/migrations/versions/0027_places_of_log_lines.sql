-- What a host of a batch was doing when it said a line.
ALTER TABLE plugin_logs ADD COLUMN chunk integer, ADD COLUMN step text;
