#!/bin/bash
#SBATCH -b "16:00 12/31/31"
#SBATCH -p short --mem=1G -t 10
date
