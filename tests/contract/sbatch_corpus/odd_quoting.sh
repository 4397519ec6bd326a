#!/bin/bash
#SBATCH --job-name=x"y z"w --time=5 --mem=1G -p short
#SBATCH --comment=don\'t\ panic#this is a comment
#SBATCH --output=100%%-done.txt
true
