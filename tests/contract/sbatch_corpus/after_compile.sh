#!/bin/bash
#SBATCH --job-name=smoke
#SBATCH --dependency=afterok:@JOB@
#SBATCH --partition=eda --time=30 --mem=2G
./simv +UVM_TESTNAME=smoke
