#!/bin/bash
#SBATCH -p gpu --gpus-per-node=2 --mem-per-gpu=20G
#SBATCH -t 3:00:00
python prep.py
