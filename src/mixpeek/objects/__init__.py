"""Stored bytes: plugin archives and blobs, in the data dir or in any S3-compatible store."""
