"""Makers of valid things for tests: plugins, servers, what is put on a platform; a test states only what matters."""
