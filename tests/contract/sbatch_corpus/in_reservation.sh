#!/bin/bash
#SBATCH --reservation=tapeout
#SBATCH -p eda --mem=1G -t 10
hostname
