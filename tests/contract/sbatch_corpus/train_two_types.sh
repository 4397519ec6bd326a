#!/bin/bash
#SBATCH -p gpu
#SBATCH --gpus-per-node=h100:2,l40s:1
#SBATCH --mem=64G
#SBATCH --time=0-04:00
python ensemble.py
