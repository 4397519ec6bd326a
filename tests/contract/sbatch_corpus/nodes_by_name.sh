#!/bin/bash
#SBATCH -w eda[01-02]
#SBATCH -p eda --mem=1G -t 10
srun hostname
