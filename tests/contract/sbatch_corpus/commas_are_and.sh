#!/bin/bash
#SBATCH --constraint=gpu,h100
#SBATCH --partition=gpu --time=60 --mem=8G
nvidia-smi
