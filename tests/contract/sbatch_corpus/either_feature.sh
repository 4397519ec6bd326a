#!/bin/bash
#SBATCH --constraint=icelake|genoa
#SBATCH --partition=eda --time=60 --mem=8G
formality -f fm.tcl
