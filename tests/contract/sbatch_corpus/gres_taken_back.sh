#!/bin/bash
#SBATCH --gres=gpu:2
#SBATCH --gres=none
#SBATCH -p short --mem=1G -t 20
hostname
