"""Backups: the database, consistent, with what proves after a restore that all of it is there again."""
