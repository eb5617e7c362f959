"""Retrievers: named query recipes, and their execution stage by stage."""
