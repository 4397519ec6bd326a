#!/bin/bash
#SBATCH -p
#SBATCH short
#SBATCH --mem=1G -t
#SBATCH 5
true
