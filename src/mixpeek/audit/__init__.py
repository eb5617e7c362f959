"""Audit: who did what to which resource, when and from where; written by the database's triggers, listed here."""
