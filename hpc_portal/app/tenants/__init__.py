"""Organisations and projects over time: their states, invitations, leadership and classes."""
