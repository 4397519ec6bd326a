#!/bin/bash
#SBATCH --chdir=run
#SBATCH -p short --mem=1G -t 5 --output=sub-%j.log
pwd
