#!/bin/bash
#SBATCH --tasks-per-node=2 --nodes=2
#SBATCH -p short --mem=1G -t 10
srun hostname
