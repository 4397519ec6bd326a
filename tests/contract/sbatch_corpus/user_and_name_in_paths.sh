#!/bin/bash
#SBATCH --job-name=paths
#SBATCH --output=%u-%x-%%-%b.log --array=10-11
#SBATCH -p short --mem=1G -t 5
true
