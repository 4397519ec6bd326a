#!/bin/bash
#SBATCH --mem=2000000K -p short -t 0:90
true
