#!/bin/bash
#SBATCH -p gpu --gres=gpu -c 4 --mem=16G -t 2:00:00
python train.py
