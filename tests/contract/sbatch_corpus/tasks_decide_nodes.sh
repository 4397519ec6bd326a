#!/bin/bash
#SBATCH --ntasks=6 --ntasks-per-node=3
#SBATCH -p short --mem=1G -t 10
srun hostname
