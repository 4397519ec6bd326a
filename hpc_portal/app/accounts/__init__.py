"""Organisations, projects and members: one file per verb."""
