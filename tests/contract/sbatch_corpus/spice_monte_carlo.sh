#!/bin/bash
#SBATCH --job-name=mc-pll
#SBATCH --array=1-1000%50
#SBATCH --time=0:30:00
#SBATCH --mem=1500M
#SBATCH --nice=50
#SBATCH --partition=eda
#SBATCH --output=mc/%A_%4a.out
#SBATCH --error=mc/%A_%4a.err
spectre -64 mc.scs =seed $SLURM_ARRAY_TASK_ID
