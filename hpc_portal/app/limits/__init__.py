"""Limits as people meet them: who set which, what holds for whom, and which one a job waits for."""
