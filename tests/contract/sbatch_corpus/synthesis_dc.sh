#!/bin/bash -l
#SBATCH --account=chips
#SBATCH --job-name="DC synthesis: top"
#SBATCH --partition=eda
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=64GB
#SBATCH --time=1-00:00:00
#SBATCH --mail-type=END,FAIL
#SBATCH --mail-user=designer@songhan.example
dc_shell -f run_dc.tcl
