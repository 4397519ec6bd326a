#!/bin/bash
#SBATCH -N 2 --nodelist=gpu02
#SBATCH -p gpu --mem=1G -t 10
srun hostname
