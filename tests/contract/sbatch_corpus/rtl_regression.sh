#!/bin/bash
#SBATCH --job-name=fifo-regress
#SBATCH --partition=eda
#SBATCH --array=0-199%20
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=02:00:00
#SBATCH --licenses=vcs:1
#SBATCH --output=logs/%x_%A_%a.log
module load vcs
SEED=$((1000 + SLURM_ARRAY_TASK_ID))
./simv +ntb_random_seed=$SEED -l sim_$SEED.log
