#!/bin/bash
#SBATCH -N2 -n64 --ntasks-per-node=32
#SBATCH -p eda --mem=100G -t 4:00:00
mpirun ./lbm
