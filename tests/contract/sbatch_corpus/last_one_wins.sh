#!/bin/bash
#SBATCH --time=99:00:00 --mem=900G -J first
#SBATCH --mem=1G
#SBATCH --time=5 -p eda --job-name=last -p short
true
