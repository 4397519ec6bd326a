#!/bin/bash
#SBATCH --gpus=4
#SBATCH --nodes=2
#SBATCH -p gpu -t 60 --mem=8G
srun python shard.py
