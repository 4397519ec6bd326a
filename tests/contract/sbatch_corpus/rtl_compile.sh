#!/bin/bash
# Compile once, then the regression runs.
#
#SBATCH -J compile            # short name
#SBATCH -p eda
#SBATCH -n 1 -c 16            # one process, 16 threads
#SBATCH --mem 32G
#SBATCH -t 45
#SBATCH -L vcs
#SBATCH -o compile.out -e compile.err

set -euo pipefail
vcs -full64 -sverilog -j$SLURM_CPUS_PER_TASK -f files.f
