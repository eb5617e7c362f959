"""Plugin versions: upload, validation, publication, and the record of what happened to each."""
