#!/bin/bash
#SBATCH --begin=now+3hours
#SBATCH -p short --mem=1G -t 10
date
