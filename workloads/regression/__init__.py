"""Regression files: what to run, how often and when to stop, kept in TOML beside the design."""
