#!/bin/bash

##SBATCH --time=1
# SBATCH --time=2
 #SBATCH --time=3
#SBATCH --time=4 -p short --mem=1G

   # a comment, and then code
set -e
#SBATCH --time=5
true
