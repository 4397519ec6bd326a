#!/bin/bash
#SBATCH --nice --qos=normal -A lab
#SBATCH -p short --mem=1G -t 5
true
