#!/bin/bash
#SBATCH --nodes=3
#SBATCH --ntasks=2
#SBATCH -p short --mem=1G -t 10
srun hostname
