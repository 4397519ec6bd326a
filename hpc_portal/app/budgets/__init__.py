"""Budgets after they were granted: their states and ends, and refunds that people ask for."""
