#!/bin/sh
#SBATCH -d afterany:@JOB@
#SBATCH -t 10 --mem=500
#SBATCH -p short
tar czf results.tgz results/
