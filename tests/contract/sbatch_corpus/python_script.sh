#!/usr/bin/env python3
#SBATCH --job-name=sweep
#SBATCH --array=0-9
#SBATCH --time=15
#SBATCH --mem=2048
#SBATCH --partition=short
import os
print(os.environ["SLURM_ARRAY_TASK_ID"])
