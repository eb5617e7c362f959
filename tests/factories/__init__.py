"""Makers of valid things for tests: plugins, servers, and what is put on a platform; a test states only what matters."""
