#!/bin/bash
#SBATCH -p gpu --gpus=2 --cpus-per-gpu=4 --mem=16G
#SBATCH -t 3:00:00
python prep.py
