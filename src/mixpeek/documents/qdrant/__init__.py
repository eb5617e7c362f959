"""Vectors of documents in a Qdrant cluster; their rows stay in PostgreSQL, and say which vectors count."""
