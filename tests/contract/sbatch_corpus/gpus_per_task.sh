#!/bin/bash
#SBATCH --ntasks=4 --nodes=1 --gpus-per-task=1
#SBATCH -p gpu -t 60 --mem=8G
srun python worker.py
