"""Accounts of a project that are no person: a CI pipeline submits with a token, and people answer for it."""
