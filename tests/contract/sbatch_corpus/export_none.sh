#!/bin/bash
#SBATCH --export=NONE --parsable -v
#SBATCH -p short --mem=1G -t 5
true
