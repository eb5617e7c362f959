"""Backups: one snapshot of the database and every stored object it refers to, as folder or tar; and the way back."""
