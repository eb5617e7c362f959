"""Upgrades: a collection is rebuilt by another extractor version beside what is searched, compared, and switched."""
