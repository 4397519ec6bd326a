#!/bin/bash
#SBATCH -a 0-12:4,2-3,1%3
#SBATCH -p short --mem=100M --time=5
echo $SLURM_ARRAY_TASK_ID
