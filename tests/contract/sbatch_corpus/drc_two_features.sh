#!/bin/bash
#SBATCH -p eda -C "eda&genoa"
#SBATCH -c 32 --mem=96G -t 8:00:00 -J drc
calibre -drc -hier -turbo 32 rules.drc
