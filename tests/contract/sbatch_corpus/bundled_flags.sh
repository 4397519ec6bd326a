#!/bin/bash
#SBATCH -QHN2 -n4 -pshort -t5 --mem=1G
true
