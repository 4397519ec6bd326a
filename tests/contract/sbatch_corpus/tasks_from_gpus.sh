#!/bin/bash
#SBATCH --gpus=3 --gpus-per-task=1
#SBATCH -p gpu -t 60 --mem=8G
srun python worker.py
