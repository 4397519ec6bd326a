"""Batch scripts as they are: their #SBATCH or #BSUB lines become a JobSpec, whatever cluster runs it."""
