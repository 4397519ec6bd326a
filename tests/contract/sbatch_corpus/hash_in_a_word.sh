#!/bin/bash
#SBATCH --job-name=a#b --partition=nowhere
#SBATCH -p short --mem=1G --time=5
true
