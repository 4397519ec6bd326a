#!/bin/bash
#SBATCH --ntasks=4 \
#SBATCH --nodes=1 --mem=1G \
#SBATCH --partition=short --time=5
true
