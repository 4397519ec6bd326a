#!/bin/bash
#SBATCH --array=1,3,5-9:2
#SBATCH --partition=eda
#SBATCH --licenses=primetime:2
#SBATCH --mem-per-cpu=8G
#SBATCH --cpus-per-task=4
#SBATCH --time=6:00:00
#SBATCH --constraint=icelake
pt_shell -f corner_${SLURM_ARRAY_TASK_ID}.tcl
