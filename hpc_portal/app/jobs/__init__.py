"""The verbs of a job's life, one file each."""
