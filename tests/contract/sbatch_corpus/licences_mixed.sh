#!/bin/bash
#SBATCH -L vcs=2,primetime
#SBATCH -p eda --mem=1G -t 5
true
