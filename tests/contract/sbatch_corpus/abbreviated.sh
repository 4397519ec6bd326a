#!/bin/bash
#SBATCH --part=short --mem=1G --job=abbrev --lic=vcs:1 --time=5 --dep=afterok:@JOB@
true
