#!/bin/bash
#SBATCH -p gpu --gres=gpu:h100:1,gpu:l40s:1 --mem=4G -t 20
nvidia-smi -L
