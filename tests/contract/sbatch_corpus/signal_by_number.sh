#!/bin/bash
#SBATCH --signal=10@90 -p short --mem=1G -t 5
srun ./solver
