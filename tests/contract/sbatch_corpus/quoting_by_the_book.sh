#!/bin/bash
#SBATCH --job-name="quotes and spaces"
#SBATCH --comment='single "double" inside'
#SBATCH "--output=with space/%x.out" --time 5
#SBATCH --mem=1\G   # a backslash takes the G as it is
#SBATCH -p"short"
echo "$@"
