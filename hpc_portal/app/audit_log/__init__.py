"""The audit log: who did what, when, from where; each record seals the one before it."""
