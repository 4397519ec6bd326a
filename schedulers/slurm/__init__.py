"""Slurm as a scheduler, spoken to through slurmrestd."""
