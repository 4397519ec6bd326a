#!/usr/bin/env bash
#SBATCH --exclusive
#SBATCH --partition=eda
#SBATCH --mem=200G
#SBATCH --time=3-12
#SBATCH --no-requeue
#SBATCH --comment="P&R of the top, ask Ha before you kill it"
innovus -files pnr.tcl
