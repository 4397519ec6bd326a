#!/bin/bash
#SBATCH --array=7,2,4-5,4
#SBATCH -p eda -t 90:30 --mem=1G
run_corner $SLURM_ARRAY_TASK_ID
