#!/bin/bash
#SBATCH -n 8 -c 2 --mem-per-cpu=1500M -p eda -t 2:00:00 -N 1
srun ./solver
