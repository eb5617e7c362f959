"""Documents and their vectors: one port, and PostgreSQL with pgvector behind it."""
